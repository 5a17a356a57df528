"""The study's claims about layers: separability grows with depth, and t-SNE maps show little."""

from __future__ import annotations

from steelsight.inspection.probes.controls import IMAGENET, TRAINED
from steelsight.inspection.probes.outputs import KINDS
from steelsight.inspection.probes.separability import Separability
from steelsight.inspection.probes.trends import rise, trend
from steelsight.reports.cells import cell_text
from steelsight.study.claims.verdict import Answer, ClaimVerdict, decide
from steelsight.types import Interval

__all__ = ["layers_separate", "multiclass_layers_separate"]


def layers_separate(separability: Separability | str) -> ClaimVerdict:
    """Probe accuracy grows from layer to layer, for both descriptions of a layer.

    separability  measured, or why it was not
    """
    if isinstance(separability, str):
        return ClaimVerdict("undecided here", f"{separability[0].upper()}{separability[1:]}.")
    answer, reason, gain = _grows(separability)
    return ClaimVerdict(answer, reason, gain)


def multiclass_layers_separate(separability: Separability | str) -> ClaimVerdict:
    """The same for the multi-class model, and neighbours agree little on all of its t-SNE maps."""
    if isinstance(separability, str):
        return ClaimVerdict("undecided here", f"{separability[0].upper()}{separability[1:]}.")
    grows, reason, gain = _grows(separability)
    if not separability.maps:
        return ClaimVerdict("undecided here", f"No t-SNE map was made. {reason}", gain)
    best = max(separability.maps, key=lambda each: each.agreement.estimate)
    halfway = (1 + separability.map_chance) / 2
    shown = best.agreement
    reason += (
        f" On the best map, {best.layer}, the share of neighbours of the same class is "
        f"{cell_text(shown, 2)}; a map shows little if it is below {halfway:.2f}, halfway from chance "
        "to 1."
    )
    holds = grows == "holds" and shown.high < halfway
    fails = grows == "does not hold" or shown.low > halfway
    return ClaimVerdict(decide(holds, fails), reason, gain)


def _grows(separability: Separability) -> tuple[Answer, str, Interval]:
    """Whether accuracy rises with depth for both descriptions, the reason, and the rise over the features."""
    curves = [separability.curves[TRAINED, kind] for kind in KINDS]
    trends = [trend(separability, curve) for curve in curves]
    gains = [rise(separability, curve) for curve in curves]
    holds = all(each.low > 0 for each in (*trends, *gains))
    fails = any(each.high < 0 for each in (*trends, *gains))
    reason = (
        "Probe accuracy at the last feature layer minus that at the first layer, on averages over places; on "
        f"random projections it is {cell_text(gains[1], 2)}. Rank correlations with depth: "
        f"{cell_text(trends[0], 2)} and {cell_text(trends[1], 2)}. All four should be above 0."
    )
    control = separability.curve(IMAGENET, "pooled")
    if control is not None:
        reason += (
            " With ImageNet weights, not fine-tuned, the rise is "
            f"{cell_text(rise(separability, control), 2)}."
        )
    return decide(holds, fails), reason, gains[0]
