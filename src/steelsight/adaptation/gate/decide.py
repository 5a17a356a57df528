"""Decide whether a proof and the metrics of a bundle are within the limits of a policy.

Bounds are compared, never estimates: an upper bound of flips at most the limit, a lower bound of a metric at
least the limit. What lies between the bounds is inconclusive, and too few sheets or groups are underpowered:
both fail.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import numpy as np

from steelsight.adaptation.gate.policy import QualityLimits, ShortcutLimit
from steelsight.counterfactuals.decision import FINDABLE_DELTA, POWER, detects_nuisance
from steelsight.counterfactuals.proof import ShortcutProof
from steelsight.evaluation.intervals.bounds import FEWEST_GROUPS
from steelsight.evaluation.intervals.two_groups import power_for
from steelsight.groups import group_keys
from steelsight.runtime.bundle.gate_record import GatedMetric, GatedShortcut
from steelsight.types import Interval

__all__ = ["count_metric", "decide_metric", "decide_shortcut"]

LONGEST: Final = 10_000  # characters of a reason, as a card holds
Outcome = Literal["passed", "exceeded", "inconclusive", "underpowered"]


def decide_shortcut(limit: ShortcutLimit, proof: ShortcutProof, groups: tuple[str, ...]) -> GatedShortcut:
    """Compare one proof with its limit.

    groups  the group of each sheet of the proof; "" = its own
    """
    pasted, outputs = proof.pasted, proof.outputs
    count, units = 0, 0
    if pasted is not None and outputs is not None:
        keys = group_keys(groups)
        count, units = pasted.receivers, len({keys[row] for row in outputs.rows.tolist()})
    outcome, why = _outcome(limit, proof, count, units)
    return GatedShortcut(
        nuisance=limit.nuisance,
        suspect=proof.suspected_class,
        most_flipped=limit.most_flipped,
        most_excess=limit.most_excess,
        flipped=None if pasted is None else _bounds(pasted.flips),
        excess=None if pasted is None else _bounds(pasted.excess),
        pasted=count,
        groups=units,
        outcome=outcome,
        why=f"{limit.nuisance} → {proof.suspected_class}: {outcome}: {why}"[:LONGEST],
    )


def _outcome(limit: ShortcutLimit, proof: ShortcutProof, count: int, units: int) -> tuple[Outcome, str]:
    pasted = proof.pasted
    if pasted is None:
        return "underpowered", "; ".join(proof.notes) or proof.because
    if count < limit.least_pasted:
        return "underpowered", f"pasted on {count} sheets, the policy needs {limit.least_pasted}"
    if units < FEWEST_GROUPS:
        return "underpowered", f"pasted on sheets of {units} independent groups, expected {FEWEST_GROUPS}"
    parts = [
        _compare(share, most, what)
        for share, most, what in (
            (pasted.flips, limit.most_flipped, "of the right verdicts flip"),
            (pasted.excess, limit.most_excess, "flip beyond the control"),
        )
        if most is not None
    ]
    if limit.require_test:
        parts.append(_judge_test(proof))
    order: tuple[Outcome, ...] = ("exceeded", "underpowered", "inconclusive", "passed")
    worst = min((outcome for outcome, _ in parts), key=order.index)
    return worst, "; ".join(words for _, words in parts) + f"; pasted on {count} sheets"


def _compare(share: Interval, most: float, what: str) -> tuple[Outcome, str]:
    words = f"{_percent(share)} {what}, the policy allows an upper bound of {most:.1%}"
    if math.isnan(share.high):
        return "underpowered", f"{words}; there are too few groups for bounds"
    if share.high <= most:
        return "passed", words
    return ("exceeded" if share.low > most else "inconclusive"), words


def _judge_test(proof: ShortcutProof) -> tuple[Outcome, str]:
    """The two-group test, which must have the power to detect a medium effect, and detect none."""
    test = proof.on_margins
    if test is None:
        return "underpowered", "the two-group test has no two groups"
    if detects_nuisance(test):
        return (
            "exceeded",
            f"the two-group test detects it (p {test.p_value:.2g}, delta {test.delta.estimate:.2f})",
        )
    power = power_for(FINDABLE_DELTA, test.without, test.with_it)
    if power < POWER:
        return "underpowered", f"the two-group test has a power of {power:.2f}, expected {POWER:.2f}"
    return "passed", f"the two-group test detects nothing (p {test.p_value:.2g})"


def decide_metric(
    metric: Literal["accuracy", "balanced accuracy"], value: Interval, least: float
) -> GatedMetric:
    """Compare the lower bound of a metric with its limit."""
    outcome: Literal["passed", "below", "inconclusive", "underpowered"]
    if math.isnan(value.low):
        outcome = "underpowered"
    elif value.low >= least:
        outcome = "passed"
    else:
        outcome = "below" if value.high < least else "inconclusive"
    why = f"{metric}: {outcome}: {_percent(value)}, the policy needs a lower bound of {least:.1%}"
    return GatedMetric(metric=metric, least=least, value=_bounds(value), outcome=outcome, why=why)


def count_metric(limits: QualityLimits, sheets: int) -> GatedMetric:
    """Compare the number of sheets with the policy's."""
    outcome: Literal["passed", "underpowered"]
    outcome = "passed" if sheets >= limits.least_sheets else "underpowered"
    why = f"sheets: {outcome}: {sheets}, the policy needs {limits.least_sheets}"
    return GatedMetric(metric="sheets", least=limits.least_sheets, value=None, outcome=outcome, why=why)


def _percent(share: Interval) -> str:
    return f"{share.estimate:.1%} [{share.low:.1%}, {share.high:.1%}]"


def _bounds(share: Interval) -> tuple[float | None, float | None, float | None]:
    """Estimate and bounds for the card; None where undefined."""
    low, middle, high = (
        None if np.isnan(value) else float(value) for value in (share.low, share.estimate, share.high)
    )
    return middle, low, high
