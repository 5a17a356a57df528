"""Operating points, and McNemar's test."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar

from steelsight.errors import BadInput
from steelsight.evaluation.curves.operating import operating_point, threshold_for_escape
from steelsight.evaluation.intervals.paired import mcnemar


def test_rates_by_hand(rng):
    defective = np.array([True] * 10 + [False] * 40)
    scores = np.concatenate([np.full(8, 0.9), np.full(2, 0.1), np.full(4, 0.8), np.full(36, 0.2)])
    found = operating_point(defective, scores, 0.5, rng=rng, prevalence=0.01)
    assert found.escape.estimate == pytest.approx(0.2)
    assert found.overkill.estimate == pytest.approx(0.1)
    assert found.escape.low < 0.2 < found.escape.high
    assert found.escaped_per_1000 == pytest.approx(2.0)
    assert found.stopped_per_1000 == pytest.approx(8 + 99)
    assert found.overkilled_per_1000 == pytest.approx(99)
    assert found.precision == pytest.approx(8 / 107)


def test_prevalence_changes_counts_not_rates(rng):
    defective = np.array([True, True, False, False, False])
    scores = np.array([0.9, 0.2, 0.6, 0.1, 0.1])
    own = operating_point(defective, scores, 0.5, rng=rng)
    rare = operating_point(defective, scores, 0.5, rng=rng, prevalence=0.001)
    assert own.prevalence == pytest.approx(0.4)
    assert own.escape.estimate == rare.escape.estimate
    assert own.overkill.estimate == rare.overkill.estimate
    assert rare.precision < own.precision


def test_rates_of_0_and_1_keep_a_bound(rng):
    defective = np.array([True] * 30 + [False] * 30)
    found = operating_point(defective, defective.astype(float), 0.5, rng=rng)
    assert found.escape.estimate == 0
    assert 0.05 < found.escape.high < 0.2  # none of thirty does not prove none


@given(st.integers(2, 40), st.floats(0, 0.9), st.integers(0, 10**6))
def test_the_threshold_keeps_the_share_of_escapes(count, most, seed):
    rng = np.random.default_rng(seed)
    scores = rng.random(count).round(1)
    defective = np.arange(count) % 2 == 0
    chosen = threshold_for_escape(defective, scores, most)
    assert (scores[defective] < chosen).mean() <= most + 1e-9
    higher = scores[defective][scores[defective] > chosen]
    if higher.size:  # it is the highest such threshold
        assert (scores[defective] < higher.min()).mean() > most - 1e-9


def test_a_weight_of_three_is_three_sheets():
    rng = np.random.default_rng(2)
    defective, scores, times = rng.random(60) < 0.4, rng.random(60), rng.integers(1, 4, 60)
    rows = np.repeat(np.arange(60), times)
    weighted = operating_point(
        defective, scores, 0.4, rng=np.random.default_rng(5), weights=times.astype(np.float64), resamples=200
    )
    repeated = operating_point(
        defective[rows], scores[rows], 0.4, rng=np.random.default_rng(5), groups=rows, resamples=200
    )
    for name in ("prevalence", "escaped_per_1000", "stopped_per_1000", "precision"):
        assert getattr(weighted, name) == pytest.approx(getattr(repeated, name))
    for name in ("escape", "overkill"):
        for bound in ("estimate", "low", "high"):
            found, expected = (getattr(getattr(point, name), bound) for point in (weighted, repeated))
            assert found == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_mcnemar_against_statsmodels(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.random(60) < 0.8, rng.random(60) < 0.7
    table = [
        [(first & second).sum(), (first & ~second).sum()],
        [(~first & second).sum(), (~first & ~second).sum()],
    ]
    assert mcnemar(first, second).p_value == pytest.approx(reference_mcnemar(table, exact=True).pvalue)


def test_models_that_agree_do_not_differ():
    right = np.array([True, False, True])
    assert mcnemar(right, right).p_value == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: operating_point(np.ones(3, bool), np.ones(3), 0.5, rng=rng), "no good"),
        (lambda rng: operating_point(np.zeros(3, bool), np.ones(3), 0.5, rng=rng), "no defective"),
        (
            lambda rng: operating_point(np.arange(3) > 1, np.ones(3), 0.5, rng=rng, prevalence=1.0),
            "prevalence",
        ),
        (lambda rng: operating_point(np.arange(3) > 1, np.full(3, np.nan), 0.5, rng=rng), "NaN|finite"),
        (lambda _: threshold_for_escape(np.arange(3) > 1, np.ones(3), 1.0), "escape"),
        (lambda rng: operating_point(np.arange(3) > 1, np.ones(3), np.nan, rng=rng), "from 0 to 1, got nan"),
        (lambda rng: operating_point(np.arange(3) > 1, np.ones(3), 7.0, rng=rng), "from 0 to 1, got 7.0"),
        (lambda rng: operating_point(np.arange(3) > 1, np.full(3, 2.5), 0.5, rng=rng), "row 0: .* got 2.5"),
        (lambda _: threshold_for_escape(np.arange(3) > 1, np.full(3, -1.0), 0.1), "row 0: .* got -1"),
        (
            lambda rng: operating_point(
                np.arange(3) > 1, np.ones(3), 0.5, rng=rng, weights=np.array([1.0, 1.0, 0.0])
            ),
            "no defective",
        ),
        (lambda _: mcnemar(np.ones(2, bool), np.ones(3, bool)), "two values"),
    ],
)
def test_bad_input_is_refused(call, message, rng):
    with pytest.raises(BadInput, match=message):
        call(rng)
