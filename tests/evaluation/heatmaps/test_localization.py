"""Localisation scores against independent implementations, edge cases, and bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, f1_score, jaccard_score, precision_score, recall_score

from steelsight.errors import BadInput
from steelsight.evaluation.heatmaps.localization import (
    average_precision,
    mass_inside,
    mean_scores,
    overlap_counts,
    overlap_scores,
    pointing_game,
    reduce_mask,
    score_maps,
)

MASKS = arrays(bool, (3, 4, 5))


@given(MASKS, MASKS)
def test_overlaps_are_those_of_scikit_learn(predicted: np.ndarray, truths: np.ndarray) -> None:
    truths[:, 0, 0] = True
    scores = overlap_scores(overlap_counts(predicted, truths))
    peers = {"recall": recall_score, "precision": precision_score, "iou": jaccard_score, "dice": f1_score}
    for name, peer in peers.items():
        expected = [
            peer(t.ravel(), p.ravel(), zero_division=0) for t, p in zip(truths, predicted, strict=True)
        ]
        assert scores[name] == pytest.approx(expected), name


def test_an_empty_prediction_scores_0() -> None:
    truth = np.ones((2, 2, 2), dtype=bool)
    predicted = np.stack([np.zeros((2, 2), dtype=bool), truth[0]])
    scores = overlap_scores(overlap_counts(predicted, truth))
    assert all(values.tolist() == [0, 1] for values in scores.values())


def test_empty_truth_is_refused() -> None:
    with pytest.raises(BadInput, match=r"defective images with masks, got 1 empty true"):
        overlap_scores(np.array([[0, 3, 0], [1, 1, 1]]))
    with pytest.raises(BadInput, match="got an empty one"):
        average_precision(np.ones((2, 2)), np.zeros((2, 2), dtype=bool))


@given(
    arrays(np.float64, (4, 6), elements=st.integers(0, 4).map(float)),  # few values: many ties
    arrays(bool, (4, 6)),
)
def test_average_precision_is_that_of_scikit_learn(heat: np.ndarray, truth: np.ndarray) -> None:
    truth[0, 0] = True
    expected = average_precision_score(truth.ravel(), heat.ravel())
    assert average_precision(heat, truth) == pytest.approx(expected)


def test_pointing_uses_the_highest_pixel() -> None:
    truth = np.array([[[True, True, False, False]]])
    heat = np.array([[[0.0, 3.0, 1.0, 2.0]]])
    assert pointing_game(heat, truth).tolist() == [1]
    assert pointing_game(heat[..., ::-1], truth).tolist() == [0]
    assert pointing_game(np.array([[[0.0, 2.0, 2.0, 2.0]]]), truth) == pytest.approx([1 / 3])
    assert pointing_game(np.zeros((1, 1, 4)), truth).tolist() == [0.5]


def test_mass_counts_what_is_positive() -> None:
    truth = np.array([[[True, False, False]]] * 2)
    maps = np.array([[[1.0, -5.0, 3.0]], [[0.0, -1.0, 0.0]]])
    assert mass_inside(maps, truth).tolist() == [0.25, 0]


def test_a_perfect_map_scores_one_everywhere(rng: np.random.Generator) -> None:
    truths = rng.random((4, 8, 9)) > 0.7
    for name, values in score_maps(truths.astype(np.float64), truths).items():
        assert values == pytest.approx(np.ones(4)), name


def test_thin_masks_keep_a_pixel() -> None:
    fractions = np.array([[0.1, 0.3], [0.2, 0.0]], dtype=np.float32)
    assert reduce_mask(fractions).tolist() == [[False, True], [False, False]]
    assert not reduce_mask(np.zeros((2, 2), dtype=np.float32)).any()


def test_means_resample_whole_groups(rng: np.random.Generator) -> None:
    values = np.repeat(rng.random(10), 20)  # twenty equal sheets a group
    lone = mean_scores({"dice": values}, None, rng=np.random.default_rng(0))["dice"]
    grouped = mean_scores(
        {"dice": values}, [str(row // 20) for row in range(200)], rng=np.random.default_rng(0)
    )["dice"]
    assert lone.estimate == grouped.estimate == pytest.approx(values.mean())
    assert grouped.high - grouped.low > 3 * (lone.high - lone.low)  # sqrt(20) = 4.5 in theory


def test_one_group_or_no_sheet_gives_no_bounds() -> None:
    one = mean_scores({"dice": np.array([0.2, 0.4])}, ["a", "a"], rng=np.random.default_rng(0))["dice"]
    assert one.estimate == pytest.approx(0.3)
    assert np.isnan(one.low)
    none = mean_scores({"dice": np.zeros(0)}, None, rng=np.random.default_rng(0))["dice"]
    assert np.isnan(none.estimate)
