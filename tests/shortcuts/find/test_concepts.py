"""Concepts: similar segments form one concept, segments of a defect are left out, examples can be pasted."""

from __future__ import annotations

import numpy as np
import pytest
from tests.counterfactuals.conftest import Draw

from steelsight.counterfactuals.nuisances.properties import measure_pixels
from steelsight.shortcuts.find.concepts import find_concepts
from steelsight.shortcuts.find.stamp_changes import stamp_changes


@pytest.mark.parametrize("kind", ["slic", "grid"])
def test_stains_are_a_concept_of_their_own(draw: Draw, rng: np.random.Generator, kind: str) -> None:
    sheets = draw(40, stain=(0.5, 0.5))
    has = (sheets.images >= 250).sum((1, 2)) > 50
    concepts = find_concepts(sheets.images, sheets.defects(), rng=rng, kind=kind, count=4)
    shares = np.stack([each.property.values for each in concepts])
    assert shares.sum(0) == pytest.approx(1)
    above = (shares[:, has, None] > shares[:, None, ~has]).mean((1, 2))
    best = concepts[int(above.argmax())]
    assert above.max() > (0.99 if kind == "slic" else 0.9)  # a grid cuts some stains into four corners
    if kind == "slic":  # a cell of the grid holds steel as well
        assert "bright" in best.property.title or "highlights" in best.property.title
    assert all(has[row] for row, _ in best.examples)
    assert len({row for row, _ in best.examples}) == len(best.examples)


def test_segments_of_a_defect_are_left_out(draw: Draw, rng: np.random.Generator) -> None:
    sheets = draw(20)
    for each in find_concepts(sheets.images, sheets.defects(), rng=rng, kind="grid", count=3):
        for row, mask in each.examples:
            assert (mask & sheets.defect(row)).mean() < 0.05 * mask.mean() + 1e-9


def test_a_concept_is_pasted_beside_the_defect(draw: Draw, rng: np.random.Generator) -> None:
    sheets = draw(40, stain=(0.5, 0.0))
    concepts = find_concepts(sheets.images, sheets.defects(), rng=rng, kind="grid", count=4)
    changes = stamp_changes(sheets, measure_pixels(sheets.images, sheets.defects()), concepts, rng=rng)
    assert {"stain", "end", *(each.property.key for each in concepts)} == set(changes)
    row = 1  # a defective sheet
    for change in changes.values():
        pair = change(sheets.images[row], sheets.defect(row), True, rng)
        if pair is not None:
            for gray in pair:
                assert (gray[sheets.defect(row)] == sheets.images[row][sheets.defect(row)]).all()
            assert (pair[0] != sheets.images[row]).any()
