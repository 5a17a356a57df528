"""Each cure as what it does to a training, on sheets whose groups are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from steelsight.errors import BadInput
from steelsight.shortcuts.nuisances.nuisance import open_nuisance
from steelsight.shortcuts.pasting.stamps import gather_stamps
from steelsight.shortcuts.repair.methods import CURES, RepairContext
from steelsight.shortcuts.sheets import ProofSheets

Draw = Callable[..., ProofSheets]


def _patient(
    sheets: ProofSheets, *, train: int = 80, kind: str = "stain", book: bool = True
) -> RepairContext:
    rng = np.random.default_rng(0)
    nuisance = open_nuisance(sheets, kind, source="detector")
    stamps = gather_stamps(sheets, nuisance, rng) if book else None
    return RepairContext(sheets, nuisance, stamps, np.arange(train), rng)


def test_groups_are_drawn_alike(draw: Draw) -> None:
    patient = _patient(draw(stain=(0.7, 0.2)))
    odds = CURES["balance"].make(patient).odds
    assert odds is not None
    groups = patient.groups[patient.train]
    totals = [odds[patient.train][groups == group].sum() for group in range(4)]
    assert totals == pytest.approx([totals[0]] * 4)
    assert sum(patient.sizes().values()) == patient.train.size


def test_group_dro_knows_the_groups(draw: Draw) -> None:
    patient = _patient(draw(stain=(0.7, 0.2)))
    remedy = CURES["dro"].make(patient)
    assert remedy.cohorts is not None
    assert (remedy.cohorts == patient.groups).all()
    assert remedy.odds is not None


@pytest.mark.parametrize("name", ["balance", "dro"])
def test_an_empty_group_cannot_be_balanced(draw: Draw, name: str) -> None:
    with pytest.raises(BadInput, match="at least 1 training sheets in each group, got 0 defect with stain"):
        CURES[name].make(_patient(draw(stain=(0.7, 0.0))))


def test_the_last_layer_takes_copies_where_a_group_is_small(draw: Draw) -> None:
    few = CURES["last_layer"].make(_patient(draw(stain=(0.7, 0.0))))
    many = CURES["last_layer"].make(_patient(draw(240, stain=(0.5, 0.5)), train=200))
    assert few.frozen
    assert few.versions is not None
    assert few.odds is None
    assert many.frozen
    assert many.versions is None
    assert many.odds is not None


def test_pasting_gives_training_sheets_twins_and_no_others(draw: Draw) -> None:
    patient = _patient(draw(60, stain=(0.5, 0.1)), train=40)
    twins = CURES["paste"].make(patient).versions
    assert twins is not None
    assert (twins.row[40:] == -1).all()
    assert np.sort(twins.row[:40]).tolist() == list(range(40))
    assert (twins.chance[40:] == 0).all()


def test_reasons_may_lie_on_the_defect_only_and_never_on_the_nuisance(draw: Draw) -> None:
    sheets = draw(40, stain=(0.5, 0.5))
    patient = _patient(sheets, train=30)
    remedy = CURES["reasons"].make(patient)
    assert remedy.wrong is not None
    assert remedy.reasons > 0
    assert not remedy.wrong[30:].any()
    for row in range(30):
        wrong, defect = remedy.wrong[row] > 0, sheets.defect(row)
        assert not wrong[defect].any()
        if defect.any():
            assert wrong.mean() > 0.5
        else:
            assert wrong.any() == patient.nuisance.present[row]
            assert wrong.mean() < 0.3


def test_unknown_places_are_not_wrong(draw: Draw) -> None:
    sheets = draw(20)
    unlocated = replace(
        sheets, located=sheets.labels == 0, defect=lambda _row: np.zeros((64, 160), dtype=bool)
    )
    with pytest.raises(BadInput, match="expected masks of defects, or stain on the training sheets"):
        CURES["reasons"].make(_patient(unlocated, train=20))


@pytest.mark.parametrize("name", ["paste", "last_layer"])
def test_what_cannot_be_pasted(draw: Draw, name: str) -> None:
    patient = _patient(draw(stain=(0.7, 0.0)), book=False)
    with pytest.raises(BadInput, match=r"use balance or dro|at least 20 training sheets"):
        CURES[name].make(patient)
