"""Without an effect, both groups are from one distribution and p is at most α no more often than α."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from steelsight.counterfactuals.decision import detects_nuisance
from steelsight.evaluation.intervals import two_groups
from steelsight.evaluation.intervals.two_groups import compare_groups

REPEATS = 2500
ALPHAS = (0.01, 0.05, 0.10)

Draw = Callable[[np.random.Generator, int], np.ndarray]


def _margins(rng: np.random.Generator, count: int) -> np.ndarray:
    return 4 + 3 * rng.standard_t(4, count)  # logit margins: heavy tails, no ties


def _saturated(rng: np.random.Generator, count: int) -> np.ndarray:
    """Probabilities in single precision, as the study scored them: many are 1."""
    return (1 / (1 + np.exp(-3 * _margins(rng, count)))).astype(np.float32).astype(np.float64)


def _coarse(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 4, count).astype(np.float64)


@pytest.mark.long
@pytest.mark.parametrize("draw", [_margins, _saturated, _coarse])
@pytest.mark.parametrize("sizes", [(50, 50), (120, 9), (25, 200)])
def test_p_values_keep_their_level(
    draw: Draw, sizes: tuple[int, int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(two_groups, "PERMUTATIONS", 499)  # a permutation test holds its level with any number
    rng = np.random.default_rng(71)
    repeats = REPEATS
    found = [compare_groups(draw(rng, sizes[0]), draw(rng, sizes[1]), rng=rng) for _ in range(repeats)]
    p = np.array([each.p_value for each in found])
    shares = ", ".join(f"{(p <= alpha).mean():.4f} at {alpha}" for alpha in ALPHAS)
    with capsys.disabled():
        print(f"\n{draw.__name__[1:]} {sizes}, {found[0].method}: {shares}; found {_found(found):.4f}")  # noqa: T201
    for alpha in ALPHAS:
        error = math.sqrt(alpha * (1 - alpha) / repeats)
        assert (p <= alpha).mean() <= alpha + 3 * error, (alpha, found[0].method)
        # A test that never rejects would keep its level too.
        if draw is _margins:
            assert (p <= alpha).mean() >= alpha - 4 * error - 1 / math.comb(sum(sizes), sizes[0])
    # `detects_nuisance` needs both tests and an effect: it detects no more often than its first p-value does.
    assert _found(found) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)


def _found(tests: list[two_groups.TwoGroups]) -> float:
    return float(np.mean([detects_nuisance(each) for each in tests]))


@pytest.mark.long
@pytest.mark.parametrize("draw", [_margins, _saturated, _coarse])
def test_power_and_level_agree_with_scipy(draw: Draw) -> None:
    rng = np.random.default_rng(72)
    for _ in range(300):
        x, y = draw(rng, int(rng.integers(20, 60))), draw(rng, int(rng.integers(20, 60)))
        found = compare_groups(x, y, rng=rng)
        method = "exact" if found.method == "exact" else "asymptotic"
        told = mannwhitneyu(x, y, alternative="less", method=method)
        assert found.p_value == pytest.approx(told.pvalue, rel=1e-12)
        assert x.size * y.size - found.u == told.statistic
