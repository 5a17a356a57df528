"""Calibration and selective accuracy as one dictionary."""

import json

import numpy as np
import pytest

from steelsight.evaluation.abstention.report import confidence_report


def test_a_confident_and_right_model_has_full_coverage(rng):
    labels = rng.integers(0, 3, 60)
    found = confidence_report(np.eye(3)[labels], [(int(each),) for each in labels], rng=rng, resamples=20)
    assert found["calibration_error"] == 0
    assert found["aurc"] == found["aurc_perfect"] == 0
    assert found["coverage_at_99"]["estimate"] == 1
    json.dumps(found, allow_nan=False)


def test_any_of_a_sheets_types_is_right(rng):
    probabilities = np.array([[0.1, 0.7, 0.2], [0.2, 0.2, 0.6]])
    found = confidence_report(probabilities, [(1, 2), (1, 2)], rng=rng, resamples=20)
    assert found["augrc"] == 0
    wrong = confidence_report(probabilities, [(0,), (1, 2)], rng=rng, resamples=20)
    assert wrong["coverage_at_95"]["estimate"] == 0  # the surest sheet is the wrong one
    assert wrong["aurc"] == pytest.approx((1 + 0.5) / 2)
    assert wrong["aurc_perfect"] == pytest.approx((0 + 0.5) / 2)
