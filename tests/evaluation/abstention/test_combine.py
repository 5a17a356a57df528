"""Trust against scikit-learn, through JSON, and in the answers it gives where nothing can be learnt."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from steelsight.errors import BadInput
from steelsight.evaluation.abstention.combine import ConfidenceCombiner, fit_combiner
from steelsight.evaluation.curves.roc import roc_auc


def sheets(rng, count=300):
    """Two scores of very different units that each know a part of what makes a verdict right."""
    first, second = rng.normal(0, 1, count), rng.normal(0, 1, count)
    right = first + second + rng.logistic(0, 0.7, count) > -1
    return {"margin": 0.01 * first, "energy": 500 + 40 * second}, right


@pytest.mark.parametrize("penalty", [0.1, 1.0, 30.0])
def test_against_scikit_learn(penalty, rng):
    columns, right = sheets(rng)
    table = StandardScaler().fit_transform(np.column_stack(list(columns.values())))
    reference = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=1000).fit(table, right)
    found = fit_combiner(columns, right, penalty=penalty)
    assert found.weights == pytest.approx(reference.coef_[0], abs=1e-4)
    assert found.bias == pytest.approx(reference.intercept_[0], abs=1e-4)
    assert found.score(columns) == pytest.approx(reference.predict_proba(table)[:, 1], abs=1e-4)


def test_two_scores_together_beat_each(rng):
    columns, right = sheets(rng, 600)
    new, truth = sheets(rng, 2000)
    joined = roc_auc(truth, fit_combiner(columns, right).score(new))
    assert joined > max(roc_auc(truth, new[name]) for name in new) + 0.03


def test_the_probabilities_are_calibrated_where_they_were_fitted(rng):
    columns, right = sheets(rng)
    # The unpenalised bias makes the mean right: its slope in the loss is their difference.
    assert fit_combiner(columns, right).score(columns).mean() == pytest.approx(right.mean(), abs=1e-6)


def test_the_units_of_a_score_change_nothing(rng):
    columns, right = sheets(rng)
    moved = {name: 1000 * column - 5 for name, column in columns.items()}
    assert fit_combiner(moved, right).score(moved) == pytest.approx(
        fit_combiner(columns, right).score(columns)
    )


def test_separable_sheets_keep_finite_weights():
    column = np.linspace(-1, 1, 40)
    found = fit_combiner({"margin": column}, column > 0)
    assert np.isfinite(found.weights).all()
    assert (np.diff(found.score({"margin": column})) > 0).all()


@pytest.mark.parametrize(("right", "prior"), [([True] * 8, 9 / 10), ([False] * 8, 1 / 10), ([True], 2 / 3)])
def test_all_right_or_all_wrong_is_a_constant(right, prior, rng):
    found = fit_combiner({"margin": rng.random(len(right))}, np.array(right))
    assert found.score({"margin": rng.normal(0, 100, 5)}) == pytest.approx([prior] * 5)


def test_a_score_without_spread_has_no_say(rng):
    columns, right = sheets(rng)
    constant = np.full(right.size, 0.1)
    assert constant.std() > 0  # by rounding alone, which must not be taken for a spread
    found = fit_combiner({**columns, "constant": constant}, right)
    assert found.weights[2] == pytest.approx(0, abs=1e-6)
    assert found.weights[:2] == pytest.approx(fit_combiner(columns, right).weights, abs=1e-4)
    moved = found.score({**columns, "constant": constant + 0.1})
    assert moved == pytest.approx(found.score({**columns, "constant": constant}))


def test_stored_and_read_back_it_scores_the_same(rng):
    columns, right = sheets(rng)
    found = fit_combiner(columns, right)
    again = ConfidenceCombiner.from_dict(json.loads(json.dumps(found.as_dict(), allow_nan=False)))
    assert np.array_equal(again.score(columns), found.score(columns))
    turned = {"other": np.zeros(1), **dict(reversed(columns.items()))}
    assert np.array_equal(again.score(turned), found.score(columns))


STORED = {"names": ["margin"], "centre": [0.0], "scale": [1.0], "weights": [1.0], "bias": 0.0}


@pytest.mark.parametrize(
    "change",
    [
        {"names": []},
        {"centre": [0.0, 1.0]},
        {"scale": [0.0]},
        {"weights": [float("nan")]},
        {"weights": ["x"]},
        {"bias": None},
        {"bias": float("inf")},
    ],
)
def test_a_damaged_store_is_refused(change):
    assert ConfidenceCombiner.from_dict(STORED).bias == 0
    with pytest.raises(BadInput, match="calibrate the run again"):
        ConfidenceCombiner.from_dict({**STORED, **change})


def test_a_store_with_a_missing_part_is_refused():
    with pytest.raises(BadInput, match="expected names"):
        ConfidenceCombiner.from_dict({"names": ["margin"]})


TWO = np.array([True, False])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_combiner({}, TWO), "at least one score"),
        (lambda: fit_combiner({"margin": np.zeros(0)}, np.zeros(0, bool)), "calibration sheet"),
        (lambda: fit_combiner({"margin": np.zeros(3)}, TWO), "margin.*expected 2"),
        (lambda: fit_combiner({"margin": np.array([0.5, np.nan])}, TWO), "margin.*finite"),
        (lambda: fit_combiner({"margin": np.zeros(2)}, TWO, penalty=0.0), "penalty"),
        (lambda: ConfidenceCombiner.from_dict(STORED).score({"energy": np.zeros(2)}), "margin"),
        (lambda: ConfidenceCombiner.from_dict(STORED).score({"margin": np.array([np.inf])}), "finite"),
    ],
)
def test_what_cannot_be(call, message):
    with pytest.raises(BadInput, match=message):
        call()
