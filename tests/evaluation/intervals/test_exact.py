"""Exact bounds of a share: against SciPy's beta distribution."""

import numpy as np
import pytest
from scipy.stats import beta

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.exact import beta_cdf, beta_quantile, clopper_pearson

SHAPES = [(1, 300), (0.5, 0.5), (3.2, 290.1), (300, 1), (5000, 20000), (1e5, 3.5), (0.02, 40.0)]


@pytest.mark.parametrize(("a", "b"), SHAPES)
def test_the_distribution_and_its_quantiles_are_those_of_scipy(a, b):
    for probability in (0.001, 0.025, 0.5, 0.975, 0.999):
        value = float(beta.ppf(probability, a, b))
        assert beta_quantile(probability, a, b) == pytest.approx(value, rel=1e-8, abs=1e-59)  # 200 halvings
        assert beta_cdf(value, a, b) == pytest.approx(float(beta.cdf(value, a, b)), rel=1e-9)


def test_bounds_of_none_of_all_and_of_no_trials():
    low, high = clopper_pearson(0, 300)
    assert (low, high) == (0, pytest.approx(1 - 0.025 ** (1 / 300)))
    assert clopper_pearson(300, 300) == (pytest.approx(0.025 ** (1 / 300)), 1)
    assert clopper_pearson(0, 0) == (0, 1)


def test_bounds_of_effective_counts_lie_between_those_of_whole_ones():
    lows = [clopper_pearson(found, 100)[0] for found in np.arange(1, 9, 0.25)]
    assert lows == sorted(lows)


@pytest.mark.parametrize(("found", "count"), [(-1, 5), (6, 5), (float("nan"), 5)])
def test_impossible_counts_are_refused(found, count):
    with pytest.raises(BadInput, match="expected 0 <= found <= count"):
        clopper_pearson(found, count)
