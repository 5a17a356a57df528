"""The page of a proof tells what its scores belong to: sheets, or groups of related sheets."""

from __future__ import annotations

import numpy as np
import pytest
from tests.counterfactuals.proof_cases import Network, make_sheets, network, nuisance_of

from steelsight.counterfactuals.options import ProofSettings
from steelsight.counterfactuals.pasting import counterfactual, removal
from steelsight.counterfactuals.pasting.doses import FULL
from steelsight.counterfactuals.proof import ShortcutProof, prove_nuisance
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.reports.document import Document
from steelsight.shortcuts.prove.report import write_test


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counterfactual, "RESAMPLES", 200)
    monkeypatch.setattr(removal, "RESAMPLES", 200)


def _prove(reads: Network, sheets: ProofSheets) -> ShortcutProof:
    settings = ProofSettings(doses=(FULL,))
    return prove_nuisance(reads, sheets, nuisance_of(sheets), settings, rng=np.random.default_rng(0))


def test_related_sheets_count_once_and_are_told_as_groups() -> None:
    sheets = make_sheets(120, groups=tuple(f"tile {row // 8}" for row in range(120)))
    found = _prove(network(white=9), sheets)
    assert found.scores is not None
    assert found.on_margins is not None
    tiles: dict[bool, set[str]] = {False: set(), True: set()}
    nuisance = nuisance_of(sheets)
    for row in np.flatnonzero(sheets.defect_free & nuisance.listed).tolist():
        tiles[bool(nuisance.present[row])].add(sheets.groups[row])
    compared = len(tiles[False]), len(tiles[True])
    assert (found.on_margins.without, found.on_margins.with_it) == compared
    assert found.scores.units == "groups"
    assert f"the test of {compared[0]} groups without and {compared[1]} with" in found.because
    document = Document("test")
    document.chapter("test")
    write_test(document, found)
    words = str(document.as_dict())
    counts = found.as_dict()
    assert counts["sheets_without"] + counts["sheets_with"] == int(sheets.defect_free.sum()) == 60
    assert (
        f"{counts['sheets_without']} sheets without stain are {compared[0]} groups, and "
        f"{counts['sheets_with']} with it are {compared[1]}."
    ) in words
    assert "Ticks: groups; lines: medians." in words


def test_sheets_without_groups_are_told_as_sheets() -> None:
    found = _prove(network(white=9), make_sheets(100))
    assert found.scores is not None
    assert found.scores.units == "sheets"
    assert "the test of 25 sheets without and 25 with" in found.because
    document = Document("test")
    document.chapter("test")
    write_test(document, found)
    words = str(document.as_dict())
    assert "Ticks: sheets; lines: medians." in words
    assert "Related sheets count once" not in words
