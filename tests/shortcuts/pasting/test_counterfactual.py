"""Pasting on sheets of a network whose reasons are known: flips, controls, doses, and who is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.shortcuts.proof_cases import Network, make_sheets, network, nuisance_of

from steelsight.errors import BadInput
from steelsight.shortcuts.margins import class_margin
from steelsight.shortcuts.pasting import counterfactual, reverse
from steelsight.shortcuts.pasting.counterfactual import (
    DOSES,
    FULL,
    PasteEffect,
    PasteLogits,
    find_paste_targets,
    paste_everywhere,
)
from steelsight.shortcuts.pasting.stamps import gather_stamps
from steelsight.shortcuts.sheets import ProofSheets


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counterfactual, "RESAMPLES", 200)
    monkeypatch.setattr(reverse, "RESAMPLES", 200)


def _paste(
    sheets: ProofSheets,
    reads: Network,
    *,
    kind: str = "stain",
    suspect: int = 0,
    limit: int = 100,
    doses: tuple[tuple[float, float], ...] = (FULL,),
) -> tuple[PasteEffect, PasteLogits]:
    rng = np.random.default_rng(3)
    nuisance = nuisance_of(sheets, kind)
    logits = reads(sheets.images).astype(np.float64)
    book = gather_stamps(sheets, nuisance, rng)
    receivers = find_paste_targets(sheets, nuisance, logits, suspect, clean_only=suspect != 0)
    return paste_everywhere(
        sheets, nuisance, receivers, reads, book, suspect, logits, limit=limit, rng=rng, doses=doses
    )


def test_a_network_that_reads_stains_flips_and_its_controls_do_not() -> None:
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


def test_a_network_that_reads_defects_does_not_flip() -> None:
    found, _ = _paste(make_sheets(80), network())
    assert (found.flips.estimate, found.control_flips.estimate, found.excess.estimate) == (0, 0, 0)
    assert found.excess.low < 0 < found.excess.high < 0.15  # 40 sheets cannot say more


def test_numbers_are_those_of_the_answers() -> None:
    sheets = make_sheets(80)
    reads = network(white=6.4)
    found, answers = _paste(sheets, reads)
    assert (answers.after == reads(answers.pasted)).all()
    assert (answers.control == reads(answers.controls)).all()
    flips = answers.after.argmax(1) == 0
    assert 0 < flips.mean() <= 1
    assert found.flips.estimate == flips.mean()
    shift = class_margin(answers.after, 0) - class_margin(answers.before, 0)
    assert found.shift.estimate == pytest.approx(shift.mean())
    assert found.shift.low <= found.shift.estimate <= found.shift.high


def test_no_pasted_sheet_has_a_changed_defect_and_controls_keep_their_mean() -> None:
    sheets = make_sheets(80)
    _, answers = _paste(sheets, network(white=12))
    for number, row in enumerate(answers.rows.tolist()):
        defect, before = sheets.defect(row), sheets.images[row]
        for after in (answers.pasted[number], answers.controls[number]):
            assert (after[defect] == before[defect]).all()
        changed = answers.pasted[number] != before
        assert changed.sum() > 100
        control = answers.controls[number]
        assert ((control != before) <= _box(changed)).all()
        assert control.mean() == pytest.approx(before.mean(), abs=0.05)


def _box(mask: np.ndarray) -> np.ndarray:
    y, x = np.nonzero(mask)
    box = np.zeros_like(mask)
    box[max(y.min() - 1, 0) : y.max() + 2, max(x.min() - 1, 0) : x.max() + 2] = True
    return box


def test_more_of_it_does_more() -> None:
    found, _ = _paste(make_sheets(80), network(white=12), doses=DOSES)
    assert [(dose.area, dose.brightness) for dose in found.doses] == list(DOSES)
    by_area = [dose for dose in found.doses if dose.brightness == 1]
    assert [dose.area_px for dose in by_area] == sorted(dose.area_px for dose in by_area)
    for doses in (by_area, [dose for dose in found.doses if dose.area == 1]):
        shifts = [dose.shift.estimate for dose in doses]
        assert shifts == sorted(shifts)
    assert found.doses[-1].flips == found.flips
    assert all(dose.control_flips.estimate == 0 for dose in found.doses)


def test_ends_pasted_on_defect_free_sheets() -> None:
    sheets = make_sheets(90, stains=(0, 0), ends=(0.2, 0.8), classes=("none", "type 1", "type 2"))
    found, answers = _paste(sheets, network(black=4, classes=3), kind="end", suspect=2)
    assert (sheets.labels[answers.rows] == 0).all()
    assert found.flips.estimate > 0.8
    assert found.control_flips.estimate == 0
    assert set(found.becomes) == {"none", "type 1", "type 2"}


def test_receivers_are_right_located_and_without_it() -> None:
    sheets = make_sheets(40, stains=(0.5, 0.25))
    nuisance = nuisance_of(sheets)
    logits = network()(sheets.images)
    lacking = np.flatnonzero((sheets.labels == 1) & ~nuisance.present)
    logits[lacking[:3]] = [9, 0]  # wrongly
    located = np.ones(40, bool)
    located[lacking[3:5]] = False
    sheets = replace(sheets, located=located)
    found = find_paste_targets(sheets, nuisance, logits, 0, clean_only=False)
    assert found.rows.tolist() == lacking[5:].tolist()
    assert (found.wrong, found.unlocated, found.has_it) == (3, 2, 5)


def test_sheets_of_one_coil_are_resampled_together() -> None:
    coils = tuple(f"coil {row // 20}" for row in range(80))
    alone, _ = _paste(make_sheets(80), network(white=12))
    together, _ = _paste(make_sheets(80, groups=coils), network(white=12))
    assert together.flips.high - together.flips.low > alone.flips.high - alone.flips.low
    assert together.excess.low < alone.excess.low


def test_at_most_so_many_are_pasted_on() -> None:
    found, answers = _paste(make_sheets(80), network(white=12), limit=7)
    assert found.receivers == len(answers.rows) == 7


def test_nothing_to_paste_on() -> None:
    sheets = make_sheets(40)
    blind = network(white=100)
    with pytest.raises(BadInput, match="expected a sheet that is classified correctly, is not none"):
        _paste(sheets, lambda images: blind(images) + np.array([1000, 0], np.float32))
    full = replace(sheets, defect=lambda row: np.full((64, 160), sheets.labels[row] == 1))
    with pytest.raises(BadInput, match="a stain fits on none of 20 sheets beside their defects"):
        _paste(full, network())


def test_controls_need_clean_sheets() -> None:
    sheets = make_sheets(40, stains=(1, 0.9))
    with pytest.raises(BadInput, match="expected two sheets without stain, whose clean steel serves"):
        _paste(sheets.take(np.arange(0, 38)), network())
