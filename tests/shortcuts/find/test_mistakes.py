"""Common properties of mistakes: sheet ends on sheets with wrong verdicts, in the pixels and in the maps."""

from __future__ import annotations

import numpy as np
import pytest
from tests.counterfactuals.conftest import Draw
from tests.shortcuts.find.test_ranking import model_of

from steelsight.counterfactuals.nuisances.properties import Property, measure_pixels
from steelsight.evaluation.intervals.bootstrap import wilson
from steelsight.shortcuts.find.mistakes import compare_mistakes
from steelsight.shortcuts.find.ranking import ModelEvidence
from steelsight.shortcuts.find.regions import REGIONS, find_regions, reason_shares


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


@pytest.mark.parametrize("exposures", [1, 3, 6])
def test_bounds_count_groups_not_exposures(draw: Draw, rng: np.random.Generator, exposures: int) -> None:
    """Exposures of one piece, repeated: the bounds of 100 % are Wilson's at the number of pieces."""
    names = tuple(f"g{i // exposures}" for i in range(120))
    sheets = draw(120, end=(0.3, 0.3), groups=names)
    evidence = ModelEvidence(sheets, model_of(end=-6.0)(sheets.images))
    maps = np.ones((120, 4, 10), np.float32)
    for group in compare_mistakes(evidence, maps, measure_pixels(sheets.images, sheets.defects()), rng=rng):
        units = len({names[row] for row in group.rows.tolist()})
        assert group.groups == units
        for trait in group.traits:
            if units == 1 and group.rows.size > 1:
                assert np.isnan(trait.wrong.low)
                continue
            expected = wilson(trait.wrong.estimate * units, units)
            assert (trait.wrong.low, trait.wrong.high) == pytest.approx((expected.low, expected.high))


def test_mistakes_of_one_piece_have_no_bounds(draw: Draw, rng: np.random.Generator) -> None:
    sheets = draw(60, groups=tuple("tile" if i < 6 else f"g{i}" for i in range(60)))
    logits = np.eye(2, dtype=np.float32)[sheets.labels] * 4
    wrong = [row for row in range(6) if sheets.labels[row] == sheets.labels[0]]
    logits[wrong] = logits[wrong][:, ::-1]
    assert len(wrong) >= 3
    values = np.zeros(60)
    values[wrong] = 1.0
    only = Property("dark", "dark corner", values, presence=True)
    (group,) = compare_mistakes(
        ModelEvidence(sheets, logits), np.ones((60, 4, 10), np.float32), [only], rng=rng
    )
    assert group.groups == 1
    wrong_share = group.traits[0].wrong
    assert wrong_share.estimate == 1.0
    assert np.isnan(wrong_share.low)
    assert np.isnan(wrong_share.high)
    assert group.traits[0].right.high < 0.2


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
