"""Sweeps use the same sheets and random numbers at every level."""

import numpy as np
import pytest

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import wilson
from steelsight.evaluation.robustness.corruptions import CORRUPTIONS, corrupt
from steelsight.evaluation.robustness.sweeps import STUDY_SIGMAS, sweep_corruption, sweep_study_noise

IMAGES = np.random.default_rng(0).integers(60, 190, (12, 8, 10), dtype=np.uint8)
LABELS = np.array([0, 1] * 6)


def _bright(images):
    """Calls the brighter half defective."""
    score = images.reshape(len(images), -1).mean(axis=1) / 255
    return np.stack([1 - score, score], axis=1)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_each_level_is_the_corruption_itself(kind):
    points = sweep_corruption(_bright, IMAGES, LABELS, kind, rng_seed=3, resamples=20)
    assert [point.level for point in points] == list(CORRUPTIONS[kind].levels)
    for point in points:
        spoilt = corrupt(IMAGES, kind, point.level, np.random.default_rng(3))
        verdicts = _bright(spoilt).argmax(axis=1)
        assert point.accuracy.estimate == pytest.approx((verdicts == LABELS).mean())
        recalls = [(verdicts[k == LABELS] == k).mean() for k in (0, 1)]
        assert point.balanced_accuracy == pytest.approx(np.mean(recalls))
        constant = np.unique(verdicts).size == 1  # then the balanced accuracy is 1/2 whatever the sheets are
        assert np.isnan(point.balanced_bounds.low) == np.isnan(point.balanced_bounds.high) == constant
        for found in (point.accuracy, *[point.balanced_bounds] * (not constant)):
            assert found.low <= found.estimate <= found.high
            assert found.low < found.high
        assert point.balanced_bounds.estimate == point.balanced_accuracy


def test_the_studys_levels_are_swept():
    asked = []

    def ask(sigma):
        asked.append(sigma)
        return np.eye(2)[LABELS]

    points = sweep_study_noise(ask, LABELS, rng_seed=0, resamples=5)
    assert tuple(asked) == STUDY_SIGMAS
    assert (STUDY_SIGMAS[0], STUDY_SIGMAS[-1]) == (0, 0.5)
    assert 0.15 in STUDY_SIGMAS
    assert {point.accuracy for point in points} == {wilson(12, 12)}
    for point in points:  # twelve right sheets are no proof of perfection
        assert point.balanced_bounds.low == pytest.approx(wilson(6, 6).low)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "rain"}, r"corruption: expected one of .*, got 'rain'"),
        ({"levels": [-1.0]}, "expected levels of at least 0, got -1"),
        ({"labels": LABELS[:0], "images": IMAGES[:0]}, "expected at least one sheet, got none"),
        ({"predict": lambda images: np.full((len(images), 2), 0.7)}, "sum"),
    ],
)
def test_bad_input_is_refused(change, message):
    arguments = {"predict": _bright, "images": IMAGES, "labels": LABELS, "kind": "blur"} | change
    with pytest.raises(BadInput, match=message):
        sweep_corruption(**arguments, rng_seed=0, resamples=5)
