"""The intervention of each repair method, on sheets with known groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from steelsight.counterfactuals.nuisances.nuisance import open_nuisance
from steelsight.counterfactuals.pasting.stamps import gather_stamps
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.errors import BadInput
from steelsight.shortcuts.repair.methods import REPAIR_METHODS, RepairContext

Draw = Callable[..., ProofSheets]


def _context(
    sheets: ProofSheets, *, train: int = 80, kind: str = "stain", book: bool = True
) -> RepairContext:
    rng = np.random.default_rng(0)
    nuisance = open_nuisance(sheets, kind, source="detector")
    stamps = gather_stamps(sheets, nuisance, rng) if book else None
    return RepairContext(sheets, nuisance, stamps, np.arange(train), rng)


def test_groups_are_sampled_equally(draw: Draw) -> None:
    context = _context(draw(stain=(0.7, 0.2)))
    odds = REPAIR_METHODS["balance"].make(context).odds
    assert odds is not None
    groups = context.groups[context.train]
    totals = [odds[context.train][groups == group].sum() for group in range(4)]
    assert totals == pytest.approx([totals[0]] * 4)
    assert sum(context.sizes().values()) == context.train.size


def test_group_dro_gets_the_groups_and_equal_sampling(draw: Draw) -> None:
    context = _context(draw(stain=(0.7, 0.2)))
    intervention = REPAIR_METHODS["dro"].make(context)
    assert intervention.cohorts is not None
    assert (intervention.cohorts == context.groups).all()
    assert intervention.odds is not None


@pytest.mark.parametrize("name", ["balance", "dro"])
def test_an_empty_group_cannot_be_balanced(draw: Draw, name: str) -> None:
    with pytest.raises(BadInput, match="at least 1 training sheets in each group, got 0 defect with stain"):
        REPAIR_METHODS[name].make(_context(draw(stain=(0.7, 0.0))))


def test_the_last_layer_uses_pasted_versions_where_a_group_is_small(draw: Draw) -> None:
    few = REPAIR_METHODS["last_layer"].make(_context(draw(stain=(0.7, 0.0))))
    many = REPAIR_METHODS["last_layer"].make(_context(draw(240, stain=(0.5, 0.5)), train=200))
    assert few.frozen
    assert few.versions is not None
    assert few.odds is None
    assert many.frozen
    assert many.versions is None
    assert many.odds is not None


def test_only_training_sheets_get_counterfactual_versions(draw: Draw) -> None:
    context = _context(draw(60, stain=(0.5, 0.1)), train=40)
    twins = REPAIR_METHODS["paste"].make(context).versions
    assert twins is not None
    assert (twins.row[40:] == -1).all()
    assert np.sort(twins.row[:40]).tolist() == list(range(40))
    assert (twins.chance[40:] == 0).all()


def test_relevance_is_penalised_outside_the_defect_and_on_the_nuisance(draw: Draw) -> None:
    sheets = draw(40, stain=(0.5, 0.5))
    context = _context(sheets, train=30)
    intervention = REPAIR_METHODS["reasons"].make(context)
    assert intervention.wrong is not None
    assert intervention.reasons > 0
    assert not intervention.wrong[30:].any()
    for row in range(30):
        wrong, defect = intervention.wrong[row] > 0, sheets.defect(row)
        assert not wrong[defect].any()
        if defect.any():
            assert wrong.mean() > 0.5
        else:
            assert wrong.any() == context.nuisance.present[row]
            assert wrong.mean() < 0.3


def test_without_masks_and_nuisance_reasons_is_refused(draw: Draw) -> None:
    sheets = draw(20)
    unlocated = replace(
        sheets, located=sheets.labels == 0, defect=lambda _row: np.zeros((64, 160), dtype=bool)
    )
    with pytest.raises(BadInput, match="expected masks of defects, or stain on the training sheets"):
        REPAIR_METHODS["reasons"].make(_context(unlocated, train=20))


@pytest.mark.parametrize("name", ["paste", "last_layer"])
def test_methods_that_paste_refuse_a_nuisance_of_unknown_kind(draw: Draw, name: str) -> None:
    context = _context(draw(stain=(0.7, 0.0)), book=False)
    with pytest.raises(BadInput, match=r"use balance or dro|at least 20 training sheets"):
        REPAIR_METHODS[name].make(context)
