"""Decides from the two-group test and the counterfactual test which of three verdicts a proof has.

The counterfactual decides, because a paste changes nothing but the nuisance; the two-group test shows only an
association. A shortcut is

    proven                  the paste flips verdicts beyond its control: the lower 95 % bound of (nuisance -
                            control) is above LEAST_EXCESS, on at least FEWEST_PASTED sheets
    not found at this power the upper bound is not above LEAST_EXCESS, and the test detects nothing although
                            its power for a delta of FINDABLE_DELTA is at least POWER
    inconclusive            everything else, with the reason

A paste proves what the model reacts to. Where no sheet has the nuisance, the stamps are drawn and the proof
is one of a sensitivity: the data do not show that the model met the nuisance in training. The
reason then says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from steelsight.counterfactuals.pasting.counterfactual import PasteEffect
from steelsight.evaluation.intervals.two_groups import TwoGroups, power_for, sheets_needed
from steelsight.types import Interval

__all__ = [
    "ALPHA",
    "FINDABLE_DELTA",
    "LEAST_DELTA",
    "LEAST_EXCESS",
    "RULE",
    "SENSITIVITY",
    "ProofDecision",
    "Verdict",
    "decide_verdict",
    "detects_nuisance",
]

Verdict = Literal["proven", "not found at this power", "inconclusive"]

ALPHA = 0.05
LEAST_DELTA = 0.147  # a smaller Cliff's delta is negligible (Romano et al. 2006)
FINDABLE_DELTA = 0.33  # from here on an effect is medium (Romano et al. 2006)
POWER = 0.8
LEAST_EXCESS = 0.02  # share of verdicts that flip beyond the control
FEWEST_PASTED = 20  # sheets
SENSITIVITY = (
    "a sensitivity, not a shortcut seen in these data: no sheet has the nuisance, so drawn ones were pasted; "
)
RULE = {
    "alpha": ALPHA,
    "least_delta": LEAST_DELTA,
    "findable_delta": FINDABLE_DELTA,
    "needed_for_it": sheets_needed(FINDABLE_DELTA),  # sheets per group
    "power": POWER,
    "least_excess": LEAST_EXCESS,
    "fewest_pasted": FEWEST_PASTED,
}


@dataclass(frozen=True)
class ProofDecision:
    """A verdict and its reason."""

    verdict: Verdict
    because: str  # the rule that gave it, in words with numbers


def detects_nuisance(test: TwoGroups) -> bool:
    """Whether the test is significant: both p-values at most ALPHA, and delta at least LEAST_DELTA."""
    other = test.brunner_munzel_p
    return (
        test.p_value <= ALPHA
        and (other is None or other <= ALPHA)
        and test.delta.low > 0
        and test.delta.estimate >= LEAST_DELTA
    )


def decide_verdict(
    test: TwoGroups | None, pasted: PasteEffect | None, *, occurs: bool = True, units: str = "sheets"
) -> ProofDecision:
    """Decide the verdict on a nuisance by the rules of this module.

    test    on margins; None where a group is empty
    pasted  None where nothing could be pasted
    occurs  whether a sheet of the data has the nuisance
    units   what the test compares: sheets, or groups of related sheets
    """
    if pasted is None:
        return ProofDecision("inconclusive", _without_paste(test, units))
    excess, count = pasted.excess, pasted.receivers
    if count < FEWEST_PASTED:
        return ProofDecision(
            "inconclusive",
            f"pasted on {count} sheets only, at least {FEWEST_PASTED} are needed; flips beyond the control "
            f"{_percent(excess)}; {_describe_test(test, units)}",
        )
    if excess.low > LEAST_EXCESS:
        return ProofDecision(
            "proven",
            f"{'' if occurs else SENSITIVITY}pasted on {count} sheets it flips {_percent(excess)} more "
            f"verdicts than its control, and the lower bound is above {LEAST_EXCESS:.0%}; "
            f"{_describe_test(test, units)}",
        )
    if excess.high > LEAST_EXCESS:
        return ProofDecision(
            "inconclusive",
            f"pasted on {count} sheets it flips {_percent(excess)} more verdicts than its control, bounds on "
            f"both sides of {LEAST_EXCESS:.0%}; paste on more sheets; {_describe_test(test, units)}",
        )
    return _without_flips(test, pasted, units)


def _without_flips(test: TwoGroups | None, pasted: PasteEffect, units: str) -> ProofDecision:
    flips = f"flips beyond the control {_percent(pasted.excess)}, not above {LEAST_EXCESS:.0%}"
    if test is not None and detects_nuisance(test):
        return ProofDecision(
            "inconclusive",
            f"{flips}, but {_describe_test(test, units)}: the margins differ and the verdicts do not flip; "
            "check the margin's shift, and other differences between the two groups",
        )
    power = 0.0 if test is None else power_for(FINDABLE_DELTA, test.without, test.with_it, alpha=ALPHA)
    if power < POWER:
        return ProofDecision(
            "inconclusive",
            f"{flips}, and the test could not have detected a delta of {FINDABLE_DELTA:.2f}: "
            f"power {power:.2f}, {sheets_needed(FINDABLE_DELTA, alpha=ALPHA, power=POWER)} {units} are "
            "needed on each side",
        )
    return ProofDecision(
        "not found at this power",
        f"{flips}; {_describe_test(test, units)}, which would have detected a delta of {FINDABLE_DELTA:.2f} "
        f"with power {power:.2f}",
    )


def _without_paste(test: TwoGroups | None, units: str) -> str:
    if test is not None and detects_nuisance(test):
        found = _describe_test(test, units)
        return f"{found}: an association, but without a paste there is no evidence of a cause"
    return f"nothing could be pasted; {_describe_test(test, units)}"


def _describe_test(test: TwoGroups | None, units: str) -> str:
    if test is None:
        return "the test had no two groups"
    outcome = "detects it" if detects_nuisance(test) else "detects nothing"
    return (
        f"the test of {test.without} {units} without and {test.with_it} with {outcome} "
        f"(p {test.p_value:.2g}, delta {test.delta.estimate:.2f})"
    )


def _percent(share: Interval) -> str:
    return f"{share.estimate:.1%} [{share.low:.1%}, {share.high:.1%}]"
