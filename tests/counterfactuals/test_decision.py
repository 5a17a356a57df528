"""The decision rule: conditions of the verdicts proven and not found, and reasons of inconclusive ones."""

from __future__ import annotations

import numpy as np
import pytest

from steelsight.counterfactuals.decision import (
    FEWEST_PASTED,
    LEAST_EXCESS,
    SENSITIVITY,
    decide_verdict,
    detects_nuisance,
)
from steelsight.counterfactuals.pasting.counterfactual import PasteEffect
from steelsight.evaluation.intervals.two_groups import TwoGroups, compare_groups
from steelsight.types import Interval


def _test(apart: float, size: int = 100) -> TwoGroups:
    """Two groups whose scores differ by so many standard deviations, evenly spread."""
    x = np.linspace(-2, 2, size)
    return compare_groups(x, x + apart + 1e-3, rng=np.random.default_rng(0))


def _pasted(low: float, high: float, receivers: int = 200) -> PasteEffect:
    nothing = Interval(0.0, 0.0, 0.0, 0.95)
    return PasteEffect(
        receivers=receivers,
        no_room=0,
        wrong=0,
        unlocated=0,
        material="32 drawn",
        flips=nothing,
        control_flips=nothing,
        excess=Interval((low + high) / 2, low, high, 0.95),
        shift=nothing,
        control_shift=nothing,
        excess_shift=nothing,
        becomes={},
        doses=(),
    )


@pytest.mark.parametrize(
    ("test", "pasted", "verdict", "because"),
    [
        (_test(1), _pasted(0.05, 0.2), "proven", "lower bound is above 2%"),
        (_test(0), _pasted(0.05, 0.2), "proven", "detects nothing"),  # the paste decides
        (None, _pasted(0.05, 0.2), "proven", "the test had no two groups"),
        (_test(0), _pasted(-0.01, 0.01), "not found at this power", "would have detected a delta of 0.33"),
        (_test(0), _pasted(0.0, LEAST_EXCESS), "not found at this power", "detects nothing"),
        (_test(1), _pasted(-0.01, 0.01), "inconclusive", "the margins differ and the verdicts do not flip"),
        (_test(0, 12), _pasted(-0.01, 0.01), "inconclusive", "and the test could not have detected a delta"),
        (None, _pasted(-0.01, 0.01), "inconclusive", "power 0.00"),
        (_test(1), _pasted(LEAST_EXCESS, 0.2), "inconclusive", "bounds on both sides"),
        (_test(1), _pasted(-0.05, 0.2), "inconclusive", "paste on more sheets"),
        (_test(1), _pasted(0.5, 1.0, FEWEST_PASTED - 1), "inconclusive", "pasted on 19 sheets only"),
        (_test(1), None, "inconclusive", "without a paste there is no evidence of a cause"),
        (_test(0), None, "inconclusive", "nothing could be pasted"),
        (None, None, "inconclusive", "the test had no two groups"),
    ],
)
def test_the_verdict_and_its_reason(
    test: TwoGroups | None, pasted: PasteEffect | None, verdict: str, because: str
) -> None:
    decision = decide_verdict(test, pasted)
    assert decision.verdict == verdict
    assert because in decision.because


def test_a_detection_needs_both_p_values_and_an_effect() -> None:
    assert detects_nuisance(_test(1))
    assert not detects_nuisance(_test(0))
    assert not detects_nuisance(_test(-1))
    rng = np.random.default_rng(0)
    tiny = compare_groups(rng.normal(0, 1, 20_000), rng.normal(0.1, 1, 20_000), rng=rng)
    assert tiny.p_value < 1e-6
    assert not detects_nuisance(tiny)  # significant, but negligible
    lone = compare_groups(np.zeros(1), np.ones(1), rng=rng)
    assert not detects_nuisance(lone)


@pytest.mark.parametrize("test", [None, _test(1)])
def test_a_proof_from_drawn_stains_alone_is_called_a_sensitivity(test: TwoGroups | None) -> None:
    shown, drawn = (decide_verdict(test, _pasted(0.05, 0.2), occurs=occurs) for occurs in (True, False))
    assert drawn.verdict == shown.verdict == "proven"
    assert drawn.because == SENSITIVITY + shown.because
    assert "sensitivity" not in shown.because


def test_other_verdicts_claim_no_sensitivity() -> None:
    for pasted in (_pasted(-0.01, 0.01), _pasted(-0.05, 0.2), None):
        assert "sensitivity" not in decide_verdict(_test(0), pasted, occurs=False).because
