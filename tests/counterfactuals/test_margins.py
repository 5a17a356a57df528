"""Margins are log odds in double precision; they do not saturate as probabilities in single precision do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logit, softmax
from scipy.stats import rankdata

from steelsight.counterfactuals.margins import class_margin, class_probability
from steelsight.errors import BadInput


@pytest.mark.parametrize("classes", [2, 5])
def test_the_margin_is_the_log_odds_of_the_class(classes: int, rng: np.random.Generator) -> None:
    logits = rng.normal(0, 3, (200, classes))
    for index in range(classes):
        expected = logit(softmax(logits.astype(np.longdouble), axis=1)[:, index].astype(np.float64))
        assert class_margin(logits, index) == pytest.approx(expected, abs=1e-9)
        assert class_probability(logits, index) == pytest.approx(softmax(logits, axis=1)[:, index], abs=1e-6)


def test_two_classes_margin_is_the_difference(rng: np.random.Generator) -> None:
    logits = rng.normal(0, 30, (50, 2)).astype(np.float32)
    expected = logits[:, 1].astype(np.float64) - logits[:, 0]
    assert class_margin(logits, 1) == pytest.approx(expected, rel=1e-15)
    assert class_margin(logits, 1).dtype == np.float64


def test_margins_do_not_saturate(rng: np.random.Generator) -> None:
    sure = np.stack([np.linspace(20, 90, 100), np.zeros(100)], axis=1).astype(np.float32)
    assert np.unique(class_probability(sure, 0)).size == 1
    assert (rankdata(class_margin(sure, 0)) == np.arange(1, 101)).all()
    assert np.isfinite(class_margin(10 * sure, 1)).all()


def test_a_shift_of_all_logits_changes_nothing(rng: np.random.Generator) -> None:
    logits = rng.normal(0, 3, (20, 5))
    assert class_margin(logits + 100, 3) == pytest.approx(class_margin(logits, 3), abs=1e-10)


def test_a_single_class_has_no_margin() -> None:
    with pytest.raises(BadInput, match="expected a model of at least two classes, got 1"):
        class_margin(np.zeros((3, 1)), 0)
