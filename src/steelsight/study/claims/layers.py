"""The study's claims about layers, judged on probes and maps: depth separates, maps show little."""

from __future__ import annotations

from steelsight.inspection.probes.controls import IMAGENET, TRAINED
from steelsight.inspection.probes.outputs import KINDS
from steelsight.inspection.probes.separability import Separability
from steelsight.inspection.probes.trends import rise, trend
from steelsight.reports.cells import cell_text
from steelsight.study.verdict import Answer, ClaimVerdict, decide
from steelsight.types import Interval

__all__ = ["layers_separate", "multiclass_layers_separate"]


def layers_separate(looked: Separability | str) -> ClaimVerdict:
    """Accuracy of probes grows from layer to layer, whichever way a layer is described.

    looked  what was found, or why nothing was
    """
    if isinstance(looked, str):
        return ClaimVerdict("undecided here", f"{looked[0].upper()}{looked[1:]}.")
    answer, because, gain = _grows(looked)
    return ClaimVerdict(answer, because, gain)


def multiclass_layers_separate(looked: Separability | str) -> ClaimVerdict:
    """The same of the multi-class model, and on none of its maps do neighbours mostly agree."""
    if isinstance(looked, str):
        return ClaimVerdict("undecided here", f"{looked[0].upper()}{looked[1:]}.")
    grows, because, gain = _grows(looked)
    if not looked.maps:
        return ClaimVerdict("undecided here", f"No map was drawn. {because}", gain)
    best = max(looked.maps, key=lambda each: each.agreement.estimate)
    halfway = (1 + looked.map_chance) / 2
    shown = best.agreement
    because += (
        f" Neighbours on the best map, {best.layer}, agree in {cell_text(shown, 2)}; a map shows little "
        f"where that is below {halfway:.2f}, halfway from chance to all."
    )
    holds = grows == "holds" and shown.high < halfway
    fails = grows == "does not hold" or shown.low > halfway
    return ClaimVerdict(decide(holds, fails), because, gain)


def _grows(looked: Separability) -> tuple[Answer, str, Interval]:
    """Whether accuracy rises with depth on both inputs, why, and from the first layer to the last feature."""
    curves = [looked.curves[TRAINED, kind] for kind in KINDS]
    trends = [trend(looked, curve) for curve in curves]
    gains = [rise(looked, curve) for curve in curves]
    holds = all(each.low > 0 for each in (*trends, *gains))
    fails = any(each.high < 0 for each in (*trends, *gains))
    because = (
        "Accuracy of the probe at the end of the features minus that at the first layer, by averages over "
        f"places; by random projection {cell_text(gains[1], 2)}. Rank correlations with depth: "
        f"{cell_text(trends[0], 2)} and {cell_text(trends[1], 2)}; all four are held to be above 0."
    )
    control = looked.curve(IMAGENET, "pooled")
    if control is not None:
        because += (
            f" With ImageNet's weights, not fine-tuned, it rises by {cell_text(rise(looked, control), 2)}."
        )
    return decide(holds, fails), because, gains[0]
