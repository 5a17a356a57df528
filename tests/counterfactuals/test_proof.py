"""A proof from end to end on networks with known class evidence, and on groups without evidence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from tests.counterfactuals.proof_cases import Network, make_sheets, network, nuisance_of

from steelsight.counterfactuals.margins import class_margin
from steelsight.counterfactuals.nuisances.nuisance import open_nuisance
from steelsight.counterfactuals.options import ProofSettings
from steelsight.counterfactuals.pasting import counterfactual, removal
from steelsight.counterfactuals.pasting.doses import FULL
from steelsight.counterfactuals.proof import ShortcutProof, prove_nuisance, suspected_class_index
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.errors import BadInput

SHEETS = make_sheets(100)


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counterfactual, "RESAMPLES", 200)
    monkeypatch.setattr(removal, "RESAMPLES", 200)


def _prove(reads: Network, sheets: ProofSheets = SHEETS, **options: Any) -> ShortcutProof:
    settings = ProofSettings(doses=(FULL,), **options)
    return prove_nuisance(reads, sheets, nuisance_of(sheets), settings, rng=np.random.default_rng(0))


def test_a_network_that_uses_stains_is_proven_to() -> None:
    found = _prove(network(white=9))
    assert (found.verdict, found.suspected_class, found.nuisance) == ("proven", "none", "stain")
    assert found.on_margins is not None
    assert found.on_margins.p_value < 1e-8
    assert found.on_margins.delta.estimate == 1
    assert found.removal is not None
    assert found.removal.excess_shift.high < 0


def test_a_network_that_uses_defects_is_not_proven() -> None:
    found = _prove(network(), make_sheets(420, stains=(0.15, 0.0)))
    assert found.verdict == "not found at this power"
    assert found.pasted is not None
    assert found.pasted.flips.estimate == 0


def test_the_test_is_scipys_on_margins_of_defect_free_sheets() -> None:
    reads = network(white=0.1)
    found = _prove(reads)
    margin = class_margin(reads(SHEETS.images).astype(np.float64), 0)
    clean, stained = SHEETS.labels == 0, nuisance_of(SHEETS).present
    expected = mannwhitneyu(
        margin[clean & ~stained], margin[clean & stained], alternative="less", method="exact"
    )
    assert found.on_margins is not None
    assert found.on_margins.p_value == expected.pvalue
    assert (found.on_margins.without, found.on_margins.with_it) == (25, 25)


def test_probabilities_tie_where_margins_do_not() -> None:
    reads = network(white=9)
    sure = _prove(lambda images: 40 * reads(images))
    assert sure.on_margins is not None
    assert sure.on_probabilities is not None
    assert sure.on_margins.tied_pairs == 0
    assert sure.on_probabilities.method == "all tied"
    assert sure.on_probabilities.p_value == 1


def test_ends_are_suspected_to_indicate_type_two() -> None:
    sheets = make_sheets(150, stains=(0, 0), ends=(0.4, 0.6), classes=("none", "type 1", "type 2"))
    reads = network(black=4, classes=3)
    found = prove_nuisance(reads, sheets, nuisance_of(sheets, "end"), rng=np.random.default_rng(0))
    assert (found.suspected_class, found.verdict, found.removal) == ("type 2", "proven", None)


def test_the_suspected_class_and_its_defaults() -> None:
    many = make_sheets(12, classes=("none", "1", "2", "3", "4"))
    assert suspected_class_index(SHEETS, nuisance_of(SHEETS)) == 0
    assert suspected_class_index(SHEETS, nuisance_of(SHEETS, "end")) == 1
    assert suspected_class_index(many, nuisance_of(many, "end")) == 2
    assert suspected_class_index(many, nuisance_of(many), "3") == 3
    with pytest.raises(BadInput, match="--suspect: expected one of none, defect, got 'rust'"):
        _prove(network(), suspected_class="rust")


def test_a_group_of_one_sheet_gives_no_significance() -> None:
    rows = np.flatnonzero(~nuisance_of(SHEETS).present | (np.arange(100) == 0))
    found = _prove(network(white=9), SHEETS.take(rows))
    assert found.on_margins is not None
    assert found.on_margins.with_it == 1
    assert found.on_margins.brunner_munzel_p is None
    assert found.on_margins.p_value == found.on_margins.smallest_p == 1 / 26
    assert found.on_margins.delta.low < 0.2
    assert found.verdict == "proven"  # by the paste of drawn stains


def test_an_empty_group_leaves_the_paste_and_a_note() -> None:
    sheets = make_sheets(80, stains=(0, 0))
    found = _prove(network(white=9), sheets)
    assert found.on_margins is None
    assert any("expected defect-free sheets without and with stain, got 40 and 0" in n for n in found.notes)
    assert found.pasted is not None
    assert found.pasted.material == "32 drawn"


def test_identical_groups_and_all_ties() -> None:
    same = replace(SHEETS, images=np.repeat(SHEETS.images[1:2], 100, axis=0))
    nuisance = nuisance_of(SHEETS)
    found = prove_nuisance(network(), same, replace(nuisance, kind=None), rng=np.random.default_rng(0))
    assert found.on_margins is not None
    assert (found.on_margins.method, found.on_margins.p_value) == ("all tied", 1.0)
    assert found.on_margins.delta.estimate == 0
    assert found.verdict == "inconclusive"


def test_a_list_of_unknown_kind_is_tested_and_not_pasted(tmp_path: Path) -> None:
    path = tmp_path / "night_shift.csv"
    path.write_text("ImageId\n" + "\n".join(SHEETS.ids[row] for row in range(60, 80)))
    found = prove_nuisance(network(), SHEETS, open_nuisance(SHEETS, str(path)), rng=np.random.default_rng(0))
    assert (found.nuisance, found.pasted, found.verdict) == ("night_shift", None, "inconclusive")
    assert any("the kind of this nuisance is unknown, so nothing can be pasted" in n for n in found.notes)


def test_without_a_correctly_classified_defective_sheet_nothing_is_pasted() -> None:
    found = _prove(lambda images: network()(images) + np.array([99, 0], np.float32))
    assert found.pasted is None
    assert found.verdict == "inconclusive"
    assert any("expected a sheet that is classified correctly" in note for note in found.notes)
    bare = make_sheets(40, stains=(0, 0))
    with pytest.raises(BadInput, match=r"classified correctly.*; and no test: made: expected defect-free"):
        _prove(lambda images: network()(images) + np.array([99, 0], np.float32), bare)


def test_a_model_with_a_single_class_is_refused() -> None:
    with pytest.raises(BadInput, match="expected a model of at least two classes, got 1"):
        _prove(lambda images: network()(images)[:, :1])


def test_sheets_of_one_coil_count_once() -> None:
    coils = tuple(f"coil {row // 8}" for row in range(160))
    found = _prove(network(white=9), make_sheets(160, groups=coils))
    assert found.on_margins is not None
    assert (found.on_margins.without, found.on_margins.with_it) == (10, 10)


def test_the_number_of_sheets_per_group_is_limited() -> None:
    found = _prove(network(white=9), per_group=12)
    assert found.on_margins is not None
    assert (found.on_margins.without, found.on_margins.with_it) == (12, 12)


def test_the_same_seed_gives_the_same_numbers_and_json_has_them() -> None:
    first, second = _prove(network(white=6)), _prove(network(white=6))
    assert first.as_dict() == second.as_dict()
    written = json.loads(json.dumps(first.as_dict()))
    assert set(written) == {
        "nuisance",
        "source",
        "suspect",
        "verdict",
        "sheets_without",
        "sheets_with",
        "because",
        "notes",
        "on_margins",
        "on_probabilities",
        "pasted",
        "reverse",
    }
    assert written["pasted"]["excess"]["estimate"] == first.pasted.excess.estimate
