"""Calibration against scikit-learn and against populations of known temperature."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as reference_log_loss

from steelsight.errors import BadInput
from steelsight.evaluation.abstention.calibration import (
    brier,
    expected_calibration_error,
    fit_temperature,
    is_worse_than_one,
    log_loss,
    reliability,
)
from steelsight.evaluation.probabilities import softmax


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_of_a_known_population_is_found(temperature, rng):
    logits = rng.normal(0, 2, (20_000, 4))
    probabilities = softmax(logits)
    labels = (rng.random((20_000, 1)) < probabilities.cumsum(1)).argmax(1)
    assert fit_temperature(logits * temperature, labels) == pytest.approx(temperature, rel=0.04)


def test_temperature_lowers_the_loss_and_changes_no_verdict(rng):
    logits = rng.normal(0, 6, (500, 3))
    labels = rng.integers(0, 3, 500)
    found = fit_temperature(logits, labels)
    before, after = softmax(logits), softmax(logits, temperature=found)
    assert log_loss(after, labels) <= log_loss(before, labels)
    assert np.array_equal(before.argmax(1), after.argmax(1))


@pytest.mark.parametrize("temperature", [0.05, 0.5, 1.0, 1.5, 20.0])
def test_a_temperature_is_worse_than_one_where_its_log_loss_is_larger(temperature, rng):
    logits = rng.normal(0, 3, (300, 3))
    labels = np.where(rng.random(300) < 0.9, logits.argmax(1), rng.integers(0, 3, 300))
    losses = (log_loss(softmax(logits, temperature=each), labels) for each in (1.0, temperature))
    before, after = losses
    assert is_worse_than_one(temperature, logits, labels) == (after > before)
    assert not is_worse_than_one(temperature, logits[:0], labels[:0])


def test_scores_against_scikit_learn(rng):
    probabilities = rng.dirichlet([1, 1], 200)
    labels = rng.integers(0, 2, 200)
    assert log_loss(probabilities, labels) == pytest.approx(reference_log_loss(labels, probabilities))
    # scikit-learn counts the positive class alone, and both classes err alike.
    assert brier(probabilities, labels) == pytest.approx(2 * brier_score_loss(labels, probabilities[:, 1]))


def test_calibration_error_by_hand(rng):
    confidence = np.array([0.95] * 10 + [0.55] * 10)
    right = np.array([True] * 7 + [False] * 3 + [True] * 6 + [False] * 4)
    assert expected_calibration_error(confidence, right, bins=10) == pytest.approx((0.25 + 0.05) / 2)
    found = reliability(confidence, right, bins=10)
    assert found.count.sum() == 20
    assert np.isnan(found.accuracy[0])
    honest = rng.random(50_000)
    assert expected_calibration_error(honest, rng.random(50_000) < honest) < 0.015


def test_a_weight_of_three_is_three_sheets(rng):
    probabilities, labels = rng.dirichlet([1, 1, 1], 80), rng.integers(0, 3, 80)
    times = rng.integers(0, 4, 80)
    weights, rows = times.astype(np.float64), np.repeat(np.arange(80), times)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    for score in (brier, log_loss):
        assert score(probabilities, labels, weights=weights) == pytest.approx(
            score(probabilities[rows], labels[rows])
        )
    assert expected_calibration_error(confidence, right, weights=weights) == pytest.approx(
        expected_calibration_error(confidence[rows], right[rows])
    )
    found, expected = (
        reliability(confidence, right, weights=weights),
        reliability(confidence[rows], right[rows]),
    )
    for name in ("count", "confidence", "accuracy"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), nan_ok=True)


def test_a_sheet_of_weight_0_is_left_out():
    probabilities, labels = np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([1, 1])
    assert log_loss(probabilities, labels) == np.inf
    assert log_loss(probabilities, labels, weights=np.array([0.0, 1.0])) == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_temperature(np.zeros((0, 2)), np.zeros(0, int)), "at least one"),
        (lambda: fit_temperature(np.full((1, 2), np.nan), np.zeros(1, int)), "finite"),
        (lambda: fit_temperature(np.zeros((1, 2)), np.array([2])), "label"),
        (lambda: brier(np.array([[0.5, 0.6]]), np.array([0])), "sum"),
        (lambda: reliability(np.array([1.5]), np.array([True])), "from 0 to 1"),
        (lambda: reliability(np.array([0.5]), np.array([True]), bins=0), "bins"),
        (
            lambda: expected_calibration_error(np.ones(2), np.ones(2, bool), weights=np.zeros(2)),
            "weights: expected 2 finite numbers of at least 0, not all 0",
        ),
        (lambda: brier(np.eye(2), np.arange(2), weights=np.array([1.0, -1.0])), "weights: expected 2"),
        (lambda: log_loss(np.eye(2), np.arange(2), weights=np.array([np.nan, 1.0])), "weights: expected 2"),
        (lambda: reliability(np.ones(2), np.ones(2, bool), weights=np.ones(3)), "weights: .* got 3"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(BadInput, match=message):
        call()
