"""Logits to probabilities."""

import numpy as np
import pytest
from scipy import special

from steelsight.errors import BadInput
from steelsight.evaluation.probabilities import sigmoid, softmax


def test_softmax_is_exact_and_double(rng):
    logits = rng.normal(scale=30, size=(20, 5)).astype(np.float32)
    found = softmax(logits)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(np.log(found), special.log_softmax(logits.astype(float), axis=1))


def test_sigmoid_is_exact_and_does_not_overflow(rng):
    logits = np.concatenate([rng.normal(scale=30, size=(20, 5)), [[-1e4, -1.0, 0.0, 1.0, 1e4]]])
    with np.errstate(all="raise", under="ignore"):
        found = sigmoid(logits)
    np.testing.assert_allclose(found, special.expit(logits), rtol=1e-13)


def test_temperature_keeps_the_order_and_flattens(rng):
    logits = rng.normal(size=(10, 4))
    warm = softmax(logits, temperature=3.0)
    assert (warm.argmax(axis=1) == logits.argmax(axis=1)).all()
    assert (warm.max(axis=1) < softmax(logits).max(axis=1)).all()


def test_bad_input_is_refused():
    with pytest.raises(BadInput, match=r"logits row 0: expected finite numbers, got \[nan"):
        softmax(np.array([[np.nan, 0.0]]))
    with pytest.raises(BadInput, match="temperature: expected a number above 0, got 0"):
        softmax(np.zeros((1, 2)), temperature=0.0)
