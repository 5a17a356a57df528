"""Common properties of mistakes: sheet ends on sheets with wrong verdicts, in the pixels and in the maps."""

from __future__ import annotations

import numpy as np
import pytest
from tests.shortcuts.conftest import Draw
from tests.shortcuts.find.test_ranking import model_of

from steelsight.shortcuts.find.mistakes import compare_mistakes
from steelsight.shortcuts.find.ranking import ModelEvidence
from steelsight.shortcuts.nuisances.properties import measure_pixels
from steelsight.shortcuts.nuisances.regions import REGIONS, find_regions, reason_shares


def test_false_positives_have_sheet_ends_in_common(draw: Draw, rng: np.random.Generator) -> None:
    sheets = draw(160, end=(0.3, 0.3))
    evidence = ModelEvidence(sheets, model_of(end=-6.0)(sheets.images))
    maps = np.full((160, 4, 10), 0.01, np.float32)
    maps[:, :, 8:] = 1.0  # ends are drawn at the right
    groups = compare_mistakes(evidence, maps, measure_pixels(sheets.images, sheets.defects()), rng=rng)
    false_positives = groups[0]
    assert (false_positives.truth, false_positives.verdict) == (0, 1)
    best = false_positives.traits[0]
    assert (best.property.key, best.delta) == ("end", 1.0)
    assert best.q_value < 0.001
    assert (best.wrong.estimate, best.right.estimate) == (1.0, 0.0)
    by_title = {reason.title: reason for reason in false_positives.reasons}
    end = by_title[REGIONS["end"]]
    assert end.share > 2 * end.by_chance
    margins = evidence.margins[false_positives.rows, 1]
    assert (np.diff(margins) <= 0).all()


def test_a_model_without_mistakes_has_no_mistake_groups(draw: Draw, rng: np.random.Generator) -> None:
    sheets = draw(40)
    logits = np.eye(2, dtype=np.float32)[sheets.labels] * 4
    maps = np.ones((40, 4, 10), np.float32)
    assert compare_mistakes(ModelEvidence(sheets, logits), maps, [], rng=rng) == ()


def test_regions_do_not_overlap_the_defect(draw: Draw) -> None:
    sheets = draw(10, stain=(1.0, 1.0), end=(1.0, 1.0))
    for gray, defect in zip(sheets.images, sheets.defects(), strict=True):
        regions = find_regions(gray, defect)
        assert set(regions) == set(REGIONS)
        assert regions["end"].any()
        assert regions["stain"].any()
        assert not any((mask & defect).any() for name, mask in regions.items() if name != "defect")


def test_shares_of_a_map_in_regions() -> None:
    half = np.zeros((64, 160), bool)
    half[:, :80] = True
    coarse = np.zeros((4, 10), np.float32)
    coarse[:, 0] = 1
    coarse[:, 9] = -5  # evidence against the class does not count
    assert reason_shares(coarse, {"left": half})["left"] == pytest.approx((1.0, 0.5))
    assert np.isnan(reason_shares(-np.ones((4, 10), np.float32), {"left": half})["left"][0])
