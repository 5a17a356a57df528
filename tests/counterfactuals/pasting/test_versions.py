"""Counterfactual versions: the nuisance pasted or removed, and clean texture instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.counterfactuals.nuisances.nuisance import open_nuisance
from steelsight.counterfactuals.nuisances.sheet_ends import end_widths
from steelsight.counterfactuals.nuisances.stains import stain_areas
from steelsight.counterfactuals.pasting.stamps import gather_stamps
from steelsight.counterfactuals.pasting.versions import SheetVersions, draw_versions, toggle_chances
from steelsight.counterfactuals.sheets import ProofSheets

Draw = Callable[..., ProofSheets]


def _versions(sheets: ProofSheets, kind: str, seed: int = 0) -> SheetVersions:
    rng = np.random.default_rng(seed)
    nuisance = open_nuisance(sheets, kind, source="detector")
    return draw_versions(sheets, nuisance, gather_stamps(sheets, nuisance, rng), rng)


def test_stains_are_pasted_and_removed(draw: Draw) -> None:
    sheets = draw(40, stain=(0.6, 0.2))
    has = stain_areas(sheets.images) > 0
    found = _versions(sheets, "stain")
    assert found.toggled.all()
    for copy in (0, 1):
        toggled = stain_areas(np.ascontiguousarray(found.images[:, copy])) > 0
        assert (toggled[has] == 0).all()
        assert toggled[~has].mean() > 0.8  # a drawn stain may be too small or too faint to be seen
    assert (stain_areas(np.ascontiguousarray(found.images[~has, 2])) == 0).all()


def test_defects_are_never_touched(draw: Draw) -> None:
    sheets = draw(40, stain=(0.5, 0.5))
    found = _versions(sheets, "stain")
    for row in np.flatnonzero(sheets.labels == 1).tolist():
        mask = sheets.defect(row)
        assert (found.images[row][:, mask] == np.asarray(sheets.images[row])[mask]).all()


def test_a_control_keeps_the_level_a_toggled_sheet_does_not(draw: Draw) -> None:
    sheets = draw(40)
    found = _versions(sheets, "stain")
    level = np.asarray(sheets.images).mean((1, 2))
    assert np.abs(found.images[:, 2].mean((1, 2)) - level).max() < 1
    assert (found.images[:, 0].mean((1, 2)) - level).mean() > 1
    assert (found.images[:, 2] != np.asarray(sheets.images)).any((1, 2)).all()


def test_ends_are_pasted_and_never_removed(draw: Draw) -> None:
    sheets = draw(40, end=(0.2, 0.6))
    has = end_widths(sheets.images) > 0
    found = _versions(sheets, "end")
    assert not found.toggled[has].any()
    assert (found.images[has] == np.asarray(sheets.images)[has][:, None]).all()
    pasted = found.toggled
    assert pasted[~has].mean() > 0.5  # others have their defect where the end would lie
    assert (end_widths(np.ascontiguousarray(found.images[pasted, 0])) > 0).all()


def test_nothing_is_pasted_on_defective_sheets_without_a_mask(draw: Draw) -> None:
    sheets = draw(20)
    found = _versions(replace(sheets, located=sheets.labels == 0), "stain")
    assert not found.toggled[sheets.labels == 1].any()
    assert (found.images[1] == np.asarray(sheets.images)[1]).all()


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=60),
    st.booleans(),
)
def test_toggled_sheets_make_the_nuisance_equally_frequent_on_all_classes(
    rows: list[tuple[int, bool]], removable: bool
) -> None:
    labels, present = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    chance = toggle_chances(labels, present, removable=removable)
    shown = np.where(present, 1 - chance, chance)
    shares = [shown[labels == label].mean() for label in np.unique(labels)]
    assert ((chance >= 0) & (chance <= 1)).all()
    assert shares == pytest.approx([shares[0]] * len(shares), abs=1e-9)
