"""The head against scikit-learn on all features, and nested folds that never mix groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from steelsight.adaptation.head import EXACT, LIMIT, fit_heads
from steelsight.adaptation.nested import FitSheets, choose_penalty, nested_scores
from steelsight.evaluation.probabilities import softmax


def draw(rng: np.random.Generator, count: int, width: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(count) % classes
    features = rng.normal(size=(count, width)) * rng.uniform(0.1, 9, width) + 3
    features[:, :classes] += 4 * np.eye(classes)[labels]
    return features, labels


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("width", [6, 90])
def test_fewer_directions_give_the_same_head(classes: int, width: int, rng: np.random.Generator) -> None:
    """The oracle fits all features at once, by another solver, with the classes weighed by scikit-learn."""
    features, labels = draw(rng, 40, width, classes)
    (head,) = fit_heads(features, np.eye(classes)[labels], [0.05], tolerance=EXACT)
    spread = np.subtract(*np.percentile(features, [75, 25], axis=0)) / 1.349
    scale = np.maximum(spread, 0.3 * features.std(0))
    standard = np.clip((features - np.median(features, axis=0)) / scale, -LIMIT, LIMIT)
    oracle = LogisticRegression(C=0.05, class_weight="balanced", solver="newton-cg", tol=1e-8)
    expected = oracle.fit(standard, labels).predict_proba(standard)
    np.testing.assert_allclose(softmax(head.logits(features)), expected, atol=2e-4)


def test_a_sheet_of_two_types_counts_half_for_each(rng: np.random.Generator) -> None:
    """The same as the sheet twice, once with each type, at half the weight."""
    features, labels = draw(rng, 30, 8, 3)
    shares = np.eye(3)[labels]
    shares[:5] = [0, 0.5, 0.5]
    (head,) = fit_heads(features, shares, [0.1], tolerance=EXACT)
    standard = np.clip(head.standard(features), -LIMIT, LIMIT)
    rows, kinds = np.nonzero(shares)
    weights = shares[rows, kinds] * 10 / shares.sum(0)[kinds]
    oracle = LogisticRegression(C=0.1, solver="newton-cg", tol=1e-8)
    oracle.fit(standard[rows], kinds, sample_weight=weights)
    np.testing.assert_allclose(softmax(head.logits(features)), oracle.predict_proba(standard), atol=2e-4)


def test_a_class_without_sheets_has_no_probability(rng: np.random.Generator) -> None:
    features, labels = draw(rng, 20, 5, 2)
    (head,) = fit_heads(features, np.eye(4)[2 * labels], [0.1])
    assert softmax(head.logits(features))[:, [1, 3]].max() < 1e-9
    (lone,) = fit_heads(features, np.eye(3)[np.full(20, 1)], [0.1])
    assert (softmax(lone.logits(features)).argmax(1) == 1).all()


def test_an_outlier_gets_no_extreme_logits(rng: np.random.Generator) -> None:
    features, labels = draw(rng, 40, 90, 2)
    (head,) = fit_heads(features, np.eye(2)[labels], [0.1])
    usual = np.abs(head.logits(features)).max()
    assert np.abs(head.logits(1000 * features[:1])).max() < 4 * usual


@settings(max_examples=15)
@given(st.integers(0, 2**31), st.integers(2, 5), st.integers(1, 3))
def test_no_group_is_on_both_sides(seed: int, folds: int, repeats: int) -> None:
    rng = np.random.default_rng(seed)
    features, labels = draw(rng, 36, 4, 3)
    groups = [f"coil {number}" if number < 9 else "" for number in rng.integers(0, 12, 36)]
    shares = np.eye(3)[labels]
    shares[rng.random(36) < 0.1] = [0.5, 0, 0.5]
    sheets = FitSheets(features, shares, groups)
    scores = nested_scores(sheets, folds=folds, repeats=repeats, seed=seed)
    assert np.isfinite(scores.logits).all()
    assert scores.logits.shape == (repeats, 36, 3)
    tested = np.concatenate([test for _, test in scores.folds])
    assert sorted(tested.tolist()) == list(range(36))
    for fit, test in scores.folds:
        assert not ({groups[i] for i in fit} & {groups[i] for i in test}) - {""}


def test_features_without_meaning_get_the_strongest_penalty(rng: np.random.Generator) -> None:
    shares = np.eye(3)[np.arange(60) % 3]
    noise = FitSheets(rng.normal(size=(60, 40)), shares, [""] * 60)
    clear = FitSheets(5 * shares + 0.1 * rng.normal(size=(60, 3)), shares, [""] * 60)
    assert choose_penalty(noise, 5, rng) == 0.0001
    assert choose_penalty(clear, 5, rng) == 0.1
