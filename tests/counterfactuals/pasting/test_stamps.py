"""Stamps: cut from sheets that have the nuisance, or drawn; and places beside the defect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.counterfactuals.proof_cases import make_sheets, nuisance_of

from steelsight.counterfactuals.pasting.paste import lay
from steelsight.counterfactuals.pasting.stamps import FEWEST_REAL, MOST_STAMPS, gather_stamps, off_limits
from steelsight.errors import BadInput


def test_stains_are_cut_from_defect_free_sheets(rng: np.random.Generator) -> None:
    sheets = make_sheets(40)
    book = gather_stamps(sheets, nuisance_of(sheets), rng)
    assert book.real == len(book.stamps) == 10
    assert book.description == "10 cut from these sheets"
    assert {stamp.area_px for stamp in book.stamps} == {16 * 14}  # a square with its seam


def test_too_few_cut_stamps_are_supplemented_by_drawn_ones(rng: np.random.Generator) -> None:
    sheets = make_sheets(40, stains=(0.1, 0.0))
    nuisance = nuisance_of(sheets)
    assert nuisance.present.sum() == 2 < FEWEST_REAL
    book = gather_stamps(sheets, nuisance, rng)
    assert book.description == f"2 cut from these sheets and {MOST_STAMPS} drawn"
    assert gather_stamps(sheets, nuisance, rng, material="real").description == "2 cut from these sheets"
    assert gather_stamps(sheets, nuisance, rng, material="drawn").description == f"{MOST_STAMPS} drawn"


def test_a_stain_on_a_sheet_of_unknown_defects_is_not_cut(rng: np.random.Generator) -> None:
    sheets = make_sheets(40, stains=(0.0, 0.5))
    nowhere = replace(sheets, located=sheets.labels == 0)
    with pytest.raises(BadInput, match="no sheet shows a stain to cut out; use --material drawn"):
        gather_stamps(nowhere, nuisance_of(sheets), rng, material="real")


def test_ends_are_placed_at_an_edge_beside_the_defect(rng: np.random.Generator) -> None:
    sheets = make_sheets(40, stains=(0, 0), ends=(0.5, 0.0))
    book = gather_stamps(sheets, nuisance_of(sheets, "end"), rng)
    assert book.kind == "end"
    for row in np.flatnonzero(sheets.labels == 1)[:8].tolist():
        keep_off = off_limits(sheets, row)
        fitted = book.fit(keep_off, rng)
        assert fitted is not None
        laid = lay(sheets.images[row], *fitted, keep_off=keep_off)
        assert laid.place[1] in (0, 160 - fitted[0].size[1])
        assert (laid.gray[sheets.defect(row)] == sheets.images[row][sheets.defect(row)]).all()


def test_without_room_the_result_is_none(rng: np.random.Generator) -> None:
    sheets = make_sheets(40)
    for kind in ("stain", "end"):
        book = gather_stamps(sheets, nuisance_of(sheets, kind), rng, material="drawn")
        assert book.fit(np.ones((64, 160), bool), rng) is None


def test_off_limits_are_the_defect_with_a_rim_and_the_black(rng: np.random.Generator) -> None:
    sheets = make_sheets(4, stains=(0, 0), ends=(0, 1))
    limits, defect = off_limits(sheets, 1), sheets.defect(1)
    assert limits[defect].all()
    assert limits[sheets.images[1] < 10].all()
    y, x = np.nonzero(defect)
    assert limits[y.min() - 1, x.min()]
    assert limits[y.min(), x.min() - 1]
    assert not limits[y.min() - 2, x.min()]
    assert not off_limits(sheets, 0).any()


def test_unknown_kinds_and_materials_are_refused(rng: np.random.Generator) -> None:
    sheets = make_sheets(20)
    with pytest.raises(BadInput, match="a list: the kind of this nuisance is unknown"):
        gather_stamps(sheets, nuisance_of(sheets, None), rng)
    with pytest.raises(BadInput, match="--material: expected one of auto, real, drawn, got 'wood'"):
        gather_stamps(sheets, nuisance_of(sheets), rng, material="wood")
