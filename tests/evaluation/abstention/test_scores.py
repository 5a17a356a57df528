"""Confidence scores against their definitions and scikit-learn, and their invariances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from steelsight.errors import BadInput
from steelsight.evaluation.abstention import scores as module
from steelsight.evaluation.abstention.scores import (
    SCORES,
    FeatureSpace,
    agreement,
    energy,
    fit_feature_space,
    margin,
    max_probability,
    negative_entropy,
)
from steelsight.evaluation.probabilities import softmax

OF_PROBABILITIES = {"max": max_probability, "margin": margin, "entropy": negative_entropy}


@given(st.integers(0, 20), st.integers(2, 6), st.integers(0, 10**6))
def test_scores_of_probabilities_against_their_definitions(sheets, classes, seed):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.3), sheets)
    ranked = [sorted(row, reverse=True) for row in probabilities]
    assert max_probability(probabilities) == pytest.approx([row[0] for row in ranked])
    assert margin(probabilities) == pytest.approx([row[0] - row[1] for row in ranked])
    assert negative_entropy(probabilities) == pytest.approx([-entropy(row) for row in ranked])


@pytest.mark.parametrize("name", OF_PROBABILITIES)
def test_certainty_scores_higher_and_class_order_does_not_matter(name, rng):
    score = OF_PROBABILITIES[name]
    certain, sure, guess = score(np.array([[1.0, 0, 0], [0.8, 0.1, 0.1], [1 / 3] * 3]))
    assert certain > sure > guess
    probabilities = rng.dirichlet([1, 1, 1], 50).astype(np.float32)
    assert score(probabilities) == pytest.approx(score(probabilities[:, [2, 0, 1]]), abs=1e-12)
    assert score(probabilities).dtype == np.float64


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_energy_against_the_slow_sum(temperature, rng):
    logits = rng.normal(0, 3, (40, 5)).astype(np.float32)
    slow = [temperature * np.log(sum(np.exp(np.float64(z) / temperature) for z in row)) for row in logits]
    assert energy(logits, temperature) == pytest.approx(slow)


def test_energy_moves_with_the_logits_where_softmax_does_not(rng):
    logits = rng.normal(0, 3, (40, 5))
    assert energy(logits + 1000) == pytest.approx(energy(logits) + 1000)
    assert softmax(logits + 1000) == pytest.approx(softmax(logits))


def test_agreement_is_the_mean_probability_of_the_chosen_class(rng):
    stack = rng.dirichlet([0.5, 0.5, 0.5], (7, 30))
    slow = []
    for sheet in range(30):
        chosen = int(np.mean([stack[view, sheet] for view in range(7)], axis=0).argmax())
        slow.append(np.mean([stack[view, sheet, chosen] for view in range(7)]))
    assert agreement(stack) == pytest.approx(slow)
    assert agreement(stack[::-1]) == pytest.approx(slow)
    assert agreement(stack[:1]) == pytest.approx(max_probability(stack[0]))


@pytest.mark.parametrize(("sheets", "width"), [(200, 6), (15, 40)])
def test_distance_against_scikit_learns_covariance(sheets, width, rng):
    features = rng.normal(0, 1, (sheets, width)) * np.arange(1, width + 1)
    labels = rng.integers(0, 3, sheets)
    space = fit_feature_space(features, labels)
    means = np.stack([features[labels == c].mean(axis=0) for c in range(3)])
    reference = LedoitWolf(assume_centered=True).fit(features - means[labels])
    assert space.precision == pytest.approx(reference.precision_, rel=1e-6, abs=1e-12)
    new = rng.normal(0, 5, (20, width))
    slow = [min(np.sqrt((x - mean) @ reference.precision_ @ (x - mean)) for mean in means) for x in new]
    assert space.distance(new) == pytest.approx(slow)
    assert space.distance(means) == pytest.approx(np.zeros(3), abs=1e-6)


@pytest.mark.parametrize("k", [1, 10, 60])
def test_neighbours_against_scikit_learn(k, rng, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 60 * 7)  # several pieces, the last one smaller
    features, new = rng.normal(1, 1, (60, 8)), rng.normal(1, 1, (25, 8))
    space = fit_feature_space(features, np.zeros(60, dtype=int))
    found = NearestNeighbors(n_neighbors=k).fit(normalize(features)).kneighbors(normalize(new))[0]
    # The root of a difference of squares loses half the digits near 0.
    assert space.knn_distance(new, k) == pytest.approx(found[:, -1], abs=1e-7)
    assert space.knn_distance(3 * new, k) == pytest.approx(found[:, -1], abs=1e-7)


def test_outsiders_are_farther_than_sheets(rng):
    labels = rng.integers(0, 2, 300)
    inside = rng.normal(0, 1, (300, 5)) + 6 * np.eye(5)[labels]
    space = fit_feature_space(inside[:200], labels[:200])
    strangers = rng.normal(0, 1, (50, 5)) + 6 * np.eye(5)[4]
    assert space.distance(strangers).min() > np.median(space.distance(inside[200:]))
    assert np.median(space.knn_distance(strangers)) > 2 * np.median(space.knn_distance(inside[200:]))


def test_a_class_with_one_sheet_has_its_mean_there(rng):
    features = np.vstack([rng.normal(0, 1, (30, 4)), np.full((1, 4), 9.0)])
    space = fit_feature_space(features, np.array([0] * 30 + [7]))
    assert space.means.shape == (2, 4)
    assert space.distance(np.full((1, 4), 9.0)) == pytest.approx([0])


def test_a_singular_covariance_is_shrunk_until_it_has_an_inverse():
    twins = fit_feature_space(np.array([[1.0, 2.0, 0.0], [3.0, 2.0, 0.0]]), np.zeros(2, dtype=int))
    assert np.isfinite(twins.precision).all()
    assert np.isfinite(twins.distance(np.array([[2.0, 5.0, 1.0]]))).all()
    line = fit_feature_space(np.array([[1.0], [2.0], [4.0]]), np.zeros(3, dtype=int))
    assert line.distance(np.array([[7 / 3 + np.sqrt(14 / 9)]])) == pytest.approx([1])


def test_a_black_frames_zero_features_have_a_distance(rng):
    space = fit_feature_space(rng.normal(0, 1, (30, 4)), np.zeros(30, dtype=int))
    assert space.knn_distance(np.zeros((1, 4))) == pytest.approx([1])


def test_references_keep_every_class_in_proportion(rng):
    features = rng.normal(0, 0.01, (1000, 2)) + np.repeat([[1, 0], [0, 1]], [900, 100], axis=0)
    shuffled = rng.permutation(1000)
    labels = np.repeat([0, 1], [900, 100])
    space = fit_feature_space(features[shuffled], labels[shuffled], references=50)
    assert space.reference.shape == (50, 2)
    assert (space.reference[:, 1] > space.reference[:, 0]).sum() == pytest.approx(5, abs=1)


def test_every_score_has_a_title():
    functions = {"max_probability", "margin", "negative_entropy", "energy", "agreement"}
    assert functions <= set(module.__all__)
    assert set(SCORES) == functions | {"distance", "knn_distance"}
    assert all(hasattr(FeatureSpace, name) for name in set(SCORES) - functions)
    assert len(set(SCORES.values())) == len(SCORES)


SPACE = fit_feature_space(np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.zeros(3, dtype=int))
NONE = np.zeros(0, dtype=int)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        *((lambda score=score: score(np.array([[0.5, 0.6]])), "sum") for score in OF_PROBABILITIES.values()),
        *((lambda score=score: score(np.ones((3, 1))), "two") for score in OF_PROBABILITIES.values()),
        (lambda: max_probability(np.array([[0.5, np.nan]])), "finite"),
        (lambda: energy(np.array([[0.0, 1.0], [np.nan, 0.0]])), "row 1"),
        (lambda: energy(np.zeros((1, 2)), 0.0), "temperature"),
        (lambda: energy(np.zeros((1, 2)), float("nan")), "temperature"),
        (lambda: agreement(np.zeros((0, 3, 2))), "view"),
        (lambda: agreement(np.full((2, 3, 2), 0.4)), "sum"),
        (lambda: fit_feature_space(np.zeros((0, 2)), NONE), "expected sheets"),
        (lambda: fit_feature_space(np.ones((4, 2)), np.zeros(4, dtype=int)), "two sheets"),
        (lambda: fit_feature_space(np.eye(3), np.arange(3)), "two sheets"),
        (lambda: fit_feature_space(np.eye(3), np.arange(2)), "one a row"),
        (lambda: fit_feature_space(np.full((2, 2), np.inf), np.zeros(2, dtype=int)), "finite"),
        (lambda: fit_feature_space(np.eye(2), np.zeros(2, dtype=int), references=0), "references"),
        (lambda: SPACE.distance(np.zeros((1, 3))), "same model"),
        (lambda: SPACE.distance(np.array([[np.nan, 0.0]])), "finite"),
        (lambda: SPACE.knn_distance(np.zeros((1, 2)), 4), "from 1 to 3"),
        (lambda: SPACE.knn_distance(np.zeros((1, 2)), 0), "from 1 to 3"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(BadInput, match=message):
        call()
