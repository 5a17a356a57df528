"""Pasting with networks of known class evidence: flips, controls, doses, and excluded sheets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.counterfactuals.proof_cases import Network, make_sheets, network, nuisance_of

from steelsight.counterfactuals.margins import class_margin
from steelsight.counterfactuals.pasting import counterfactual, removal
from steelsight.counterfactuals.pasting.counterfactual import (
    ModelUnderTest,
    PasteEffect,
    PasteLogits,
    find_paste_targets,
    paste_everywhere,
)
from steelsight.counterfactuals.pasting.doses import DOSES, FULL, Dose
from steelsight.counterfactuals.pasting.stamps import gather_stamps
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.errors import BadInput


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counterfactual, "RESAMPLES", 200)
    monkeypatch.setattr(removal, "RESAMPLES", 200)


def _paste(
    sheets: ProofSheets,
    reads: Network,
    *,
    kind: str = "stain",
    target: int = 0,
    limit: int = 100,
    doses: tuple[Dose, ...] = (FULL,),
) -> tuple[PasteEffect, PasteLogits]:
    rng = np.random.default_rng(3)
    nuisance = nuisance_of(sheets, kind)
    model = ModelUnderTest(reads, reads(sheets.images).astype(np.float64), target)
    book = gather_stamps(sheets, nuisance, rng)
    targets = find_paste_targets(sheets, nuisance, model, clean_only=target != 0)
    return paste_everywhere(sheets, nuisance, targets, model, book, limit=limit, rng=rng, doses=doses)


def test_a_network_that_uses_stains_flips_and_its_controls_do_not() -> None:
    sheets = make_sheets(80)
    found, _ = _paste(sheets, network(white=12))
    assert found.receivers == 40
    assert (found.flips.estimate, found.control_flips.estimate, found.excess.estimate) == (1, 0, 1)
    assert found.excess.low > 0.8
    assert found.becomes == {"none": 40, "defect": 0}
    assert found.shift.estimate > 8
    assert abs(found.control_shift.estimate) < 0.1
    assert found.excess_shift.estimate == pytest.approx(
        found.shift.estimate - found.control_shift.estimate, abs=1e-9
    )


def test_a_network_that_uses_defects_does_not_flip() -> None:
    found, _ = _paste(make_sheets(80), network())
    assert (found.flips.estimate, found.control_flips.estimate, found.excess.estimate) == (0, 0, 0)
    assert found.excess.low < 0 < found.excess.high < 0.15  # 40 sheets cannot say more


def test_figures_agree_with_the_logits() -> None:
    sheets = make_sheets(80)
    reads = network(white=6.4)
    found, outputs = _paste(sheets, reads)
    assert (outputs.after == reads(outputs.pasted)).all()
    assert (outputs.control == reads(outputs.controls)).all()
    flips = outputs.after.argmax(1) == 0
    assert 0 < flips.mean() <= 1
    assert found.flips.estimate == flips.mean()
    shift = class_margin(outputs.after, 0) - class_margin(outputs.before, 0)
    assert found.shift.estimate == pytest.approx(shift.mean())
    assert found.shift.low <= found.shift.estimate <= found.shift.high


def test_no_pasted_sheet_has_a_changed_defect_and_controls_keep_their_mean() -> None:
    sheets = make_sheets(80)
    _, outputs = _paste(sheets, network(white=12))
    for number, row in enumerate(outputs.rows.tolist()):
        defect, before = sheets.defect(row), sheets.images[row]
        for after in (outputs.pasted[number], outputs.controls[number]):
            assert (after[defect] == before[defect]).all()
        changed = outputs.pasted[number] != before
        assert changed.sum() > 100
        control = outputs.controls[number]
        assert ((control != before) <= _box(changed)).all()
        assert control.mean() == pytest.approx(before.mean(), abs=0.05)


def _box(mask: np.ndarray) -> np.ndarray:
    y, x = np.nonzero(mask)
    box = np.zeros_like(mask)
    box[max(y.min() - 1, 0) : y.max() + 2, max(x.min() - 1, 0) : x.max() + 2] = True
    return box


def test_the_effect_grows_with_the_dose() -> None:
    found, _ = _paste(make_sheets(80), network(white=12), doses=DOSES)
    assert [(dose.area, dose.brightness) for dose in found.doses] == list(DOSES)
    by_area = [dose for dose in found.doses if dose.brightness == 1]
    assert [dose.area_px for dose in by_area] == sorted(dose.area_px for dose in by_area)
    for doses in (by_area, [dose for dose in found.doses if dose.area == 1]):
        shifts = [dose.shift.estimate for dose in doses]
        assert shifts == sorted(shifts)
    assert found.doses[-1].flips == found.flips
    assert all(dose.control_flips.estimate == 0 for dose in found.doses)


def test_ends_are_pasted_on_defect_free_sheets() -> None:
    sheets = make_sheets(90, stains=(0, 0), ends=(0.2, 0.8), classes=("none", "type 1", "type 2"))
    found, outputs = _paste(sheets, network(black=4, classes=3), kind="end", target=2)
    assert (sheets.labels[outputs.rows] == 0).all()
    assert found.flips.estimate > 0.8
    assert found.control_flips.estimate == 0
    assert set(found.becomes) == {"none", "type 1", "type 2"}


def test_targets_are_classified_correctly_located_and_without_the_nuisance() -> None:
    sheets = make_sheets(40, stains=(0.5, 0.25))
    nuisance = nuisance_of(sheets)
    logits = network()(sheets.images)
    lacking = np.flatnonzero((sheets.labels == 1) & ~nuisance.present)
    logits[lacking[:3]] = [9, 0]  # wrongly
    located = np.ones(40, bool)
    located[lacking[3:5]] = False
    sheets = replace(sheets, located=located)
    model = ModelUnderTest(network(), logits, 0)
    found = find_paste_targets(sheets, nuisance, model, clean_only=False)
    assert found.rows.tolist() == lacking[5:].tolist()
    assert (found.wrong, found.unlocated, found.has_it) == (3, 2, 5)


def test_sheets_of_one_coil_are_resampled_together() -> None:
    coils = tuple(f"coil {row // 20}" for row in range(80))
    alone, _ = _paste(make_sheets(80), network(white=12))
    together, _ = _paste(make_sheets(80, groups=coils), network(white=12))
    assert together.flips.high - together.flips.low > alone.flips.high - alone.flips.low
    assert together.excess.low < alone.excess.low


def test_the_number_of_sheets_pasted_on_is_limited() -> None:
    found, outputs = _paste(make_sheets(80), network(white=12), limit=7)
    assert found.receivers == len(outputs.rows) == 7


def test_without_targets_or_room_pasting_is_refused() -> None:
    sheets = make_sheets(40)
    blind = network(white=100)
    with pytest.raises(BadInput, match="expected a sheet that is classified correctly, is not none"):
        _paste(sheets, lambda images: blind(images) + np.array([1000, 0], np.float32))
    full = replace(sheets, defect=lambda row: np.full((64, 160), sheets.labels[row] == 1))
    with pytest.raises(BadInput, match="a stain fits on none of 20 sheets beside their defects"):
        _paste(full, network())


def test_controls_need_clean_sheets() -> None:
    sheets = make_sheets(40, stains=(1, 0.9))
    with pytest.raises(BadInput, match="expected two sheets without stain, whose clean steel fills"):
        _paste(sheets.take(np.arange(0, 38)), network())
