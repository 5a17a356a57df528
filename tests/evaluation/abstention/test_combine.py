"""The combined score: against a general optimiser, its JSON form, and where nothing can be fitted."""

import json

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from steelsight.errors import BadInput
from steelsight.evaluation.abstention.combine import ConfidenceCombiner, fit_combiner
from steelsight.evaluation.curves.roc import roc_auc


def sheets(rng, count=300):
    """Two scores of very different units that each know a part of what makes a verdict right."""
    first, second = rng.normal(0, 1, count), rng.normal(0, 1, count)
    right = first + second + rng.logistic(0, 0.7, count) > -1
    return {"margin": 0.01 * first, "energy": 500 + 40 * second}, right


def minimum(table, right, penalty):
    """The formula's minimum by a general optimiser: weights, then the bias."""
    design, sign = np.column_stack([table, np.ones(len(table))]), np.where(right, 1.0, -1.0)
    ridge = np.append(np.full(table.shape[1], penalty), 0.0) / len(table)

    def loss(w):
        return np.logaddexp(0, -sign * (design @ w)).mean() + (ridge * w**2).sum() / 2

    def slope(w):
        return design.T @ (-sign * expit(-sign * (design @ w))) / len(design) + ridge * w

    def curvature(w):
        chance = expit(design @ w)
        return (design.T * (chance * (1 - chance))) @ design / len(design) + np.diag(ridge)

    start = np.zeros(design.shape[1])
    options = {"gtol": 1e-10}
    return minimize(loss, start, jac=slope, hess=curvature, method="trust-exact", options=options).x


@pytest.mark.parametrize("penalty", [0.1, 1.0, 30.0])
def test_against_the_formula(penalty, rng):
    columns, right = sheets(rng)
    table = np.column_stack(list(columns.values()))
    table = (table - table.mean(axis=0)) / table.std(axis=0)
    reference = minimum(table, right, penalty)
    found = fit_combiner(columns, right, penalty=penalty)
    # Slopes of 1e-9 over a least curvature of about 1e-2 leave weights that differ by 1e-7 at most.
    assert found.weights == pytest.approx(reference[:-1], abs=1e-7)
    assert found.bias == pytest.approx(reference[-1], abs=1e-7)
    assert found.score(columns) == pytest.approx(expit(table @ reference[:-1] + reference[-1]), abs=1e-7)


def test_two_scores_combined_are_better_than_each(rng):
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


def test_a_score_without_spread_gets_weight_0(rng):
    columns, right = sheets(rng)
    constant = np.full(right.size, 0.1)
    assert constant.std() > 0  # by rounding alone, which must not be taken for a spread
    found = fit_combiner({**columns, "constant": constant}, right)
    assert found.weights[2] == pytest.approx(0, abs=1e-6)
    assert found.weights[:2] == pytest.approx(fit_combiner(columns, right).weights, abs=1e-4)
    moved = found.score({**columns, "constant": constant + 0.1})
    assert moved == pytest.approx(found.score({**columns, "constant": constant}))


def test_columns_are_taken_by_name(rng):
    columns, right = sheets(rng)
    found = fit_combiner(columns, right)
    turned = {"other": np.zeros(1), **dict(reversed(columns.items()))}
    assert np.array_equal(found.score(turned), found.score(columns))


def test_the_json_form_holds_every_number(rng):
    columns, right = sheets(rng)
    found = fit_combiner(columns, right)
    stored = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert list(stored) == ["names", "centre", "scale", "weights", "bias"]
    assert stored["names"] == list(columns)
    arrays = {name: np.array(stored[name]) for name in ("centre", "scale", "weights")}
    again = ConfidenceCombiner(tuple(stored["names"]), **arrays, bias=stored["bias"])
    assert np.array_equal(again.score(columns), found.score(columns))


TWO = np.array([True, False])
ON_MARGIN = ConfidenceCombiner(("margin",), np.zeros(1), np.ones(1), np.ones(1), 0.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_combiner({}, TWO), "at least one score"),
        (lambda: fit_combiner({"margin": np.zeros(0)}, np.zeros(0, bool)), "calibration sheet"),
        (lambda: fit_combiner({"margin": np.zeros(3)}, TWO), "margin.*expected 2"),
        (lambda: fit_combiner({"margin": np.array([0.5, np.nan])}, TWO), "margin.*finite"),
        (lambda: fit_combiner({"margin": np.zeros(2)}, TWO, penalty=0.0), "penalty"),
        (lambda: ON_MARGIN.score({"energy": np.zeros(2)}), r"expected the scores \['margin'\]"),
        (lambda: ON_MARGIN.score({"margin": np.array([np.inf])}), "margin.*finite"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(BadInput, match=message):
        call()
