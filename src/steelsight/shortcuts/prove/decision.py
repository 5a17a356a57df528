"""From a test and a counterfactual to one of three verdicts, by rules that are printed with them.

The paste decides, because it changes one thing and nothing else; the test of two groups only shows that two
things go together. A shortcut is

    proven                  the paste flips verdicts beyond its control: the lower 95 % bound of (nuisance -
                            control) is above LEAST_EXCESS, on at least FEWEST_PASTED sheets
    not found at this power the upper bound is not above LEAST_EXCESS, and the test, had there been a delta of
                            FINDABLE_DELTA, would have found it with POWER, and found nothing
    inconclusive            everything else, with the reason
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from steelsight.evaluation.intervals.two_groups import TwoGroups, power_for, sheets_needed
from steelsight.shortcuts.pasting.counterfactual import PasteEffect
from steelsight.types import Interval

__all__ = [
    "ALPHA",
    "FINDABLE_DELTA",
    "LEAST_DELTA",
    "LEAST_EXCESS",
    "RULE",
    "ProofDecision",
    "Verdict",
    "found_by",
    "rule",
]

Verdict = Literal["proven", "not found at this power", "inconclusive"]

ALPHA = 0.05
LEAST_DELTA = 0.147  # below it Cliff's delta is called negligible (Romano et al. 2006)
FINDABLE_DELTA = 0.33  # from here on medium
POWER = 0.8
LEAST_EXCESS = 0.02  # of verdicts that flip beyond the control: two in a hundred sheets
FEWEST_PASTED = 20
RULE = {
    "alpha": ALPHA,
    "least_delta": LEAST_DELTA,
    "findable_delta": FINDABLE_DELTA,
    "needed_for_it": sheets_needed(FINDABLE_DELTA),  # sheets a group
    "power": POWER,
    "least_excess": LEAST_EXCESS,
    "fewest_pasted": FEWEST_PASTED,
}


@dataclass(frozen=True)
class ProofDecision:
    """A verdict and the rule that gave it."""

    verdict: Verdict
    because: str


def found_by(test: TwoGroups) -> bool:
    """Whether the test finds the nuisance: both p-values at ALPHA, and a delta that is not negligible."""
    other = test.brunner_munzel_p
    return (
        test.p_value <= ALPHA
        and (other is None or other <= ALPHA)
        and test.delta.low > 0
        and test.delta.estimate >= LEAST_DELTA
    )


def rule(test: TwoGroups | None, pasted: PasteEffect | None) -> ProofDecision:
    """The verdict on a nuisance.

    test    on margins; None where a group is empty
    pasted  None where nothing could be pasted
    """
    if pasted is None:
        return ProofDecision("inconclusive", _without_paste(test))
    excess, count = pasted.excess, pasted.receivers
    if count < FEWEST_PASTED:
        return ProofDecision(
            "inconclusive",
            f"pasted on {count} sheets only, at least {FEWEST_PASTED} are needed; flips beyond the control "
            f"{_percent(excess)}; {_tell_test(test)}",
        )
    if excess.low > LEAST_EXCESS:
        return ProofDecision(
            "proven",
            f"pasted on {count} sheets it flips {_percent(excess)} more verdicts than its control, and the "
            f"lower bound is above {LEAST_EXCESS:.0%}; {_tell_test(test)}",
        )
    if excess.high > LEAST_EXCESS:
        return ProofDecision(
            "inconclusive",
            f"pasted on {count} sheets it flips {_percent(excess)} more verdicts than its control, bounds on "
            f"both sides of {LEAST_EXCESS:.0%}; paste on more sheets; {_tell_test(test)}",
        )
    return _hardly_flips(test, pasted)


def _hardly_flips(test: TwoGroups | None, pasted: PasteEffect) -> ProofDecision:
    flips = f"flips beyond the control {_percent(pasted.excess)}, not above {LEAST_EXCESS:.0%}"
    if test is not None and found_by(test):
        return ProofDecision(
            "inconclusive",
            f"{flips}, but {_tell_test(test)}: the margins differ and the verdicts do not flip; look at the "
            "margin's shift, and at what else the two groups differ in",
        )
    power = 0.0 if test is None else power_for(FINDABLE_DELTA, test.without, test.with_it, alpha=ALPHA)
    if power < POWER:
        return ProofDecision(
            "inconclusive",
            f"{flips}, and the test could not have found a delta of {FINDABLE_DELTA:.2f}: power {power:.2f}, "
            f"{sheets_needed(FINDABLE_DELTA, alpha=ALPHA, power=POWER)} sheets are needed in each group",
        )
    return ProofDecision(
        "not found at this power",
        f"{flips}; {_tell_test(test)}, which would have found a delta of {FINDABLE_DELTA:.2f} with power "
        f"{power:.2f}",
    )


def _without_paste(test: TwoGroups | None) -> str:
    if test is not None and found_by(test):
        return f"{_tell_test(test)}: they go together, but without a paste nothing shows a cause"
    return f"nothing could be pasted; {_tell_test(test)}"


def _tell_test(test: TwoGroups | None) -> str:
    if test is None:
        return "the test had no two groups"
    found = "finds it" if found_by(test) else "finds nothing"
    return (
        f"the test of {test.without} sheets without and {test.with_it} with {found} "
        f"(p {test.p_value:.2g}, delta {test.delta.estimate:.2f})"
    )


def _percent(share: Interval) -> str:
    return f"{share.estimate:.1%} [{share.low:.1%}, {share.high:.1%}]"
