"""Change of probe accuracy with depth: rank correlation, and last feature layer minus first layer.

The sheet itself is not a layer and is left out. All layers share the same resamples. Intervals cover the
choice of judging sheets, not of fitting sheets or of the training.
"""

from __future__ import annotations

from steelsight.inspection.probes.separability import ProbeCurve, Separability
from steelsight.types import Interval

__all__ = ["FIRST", "features_end", "rise", "trend"]

FIRST = 1  # number of the first layer; 0 is the sheet


def features_end(results: Separability) -> int:
    """Number of the last layer of the features, or of the last layer where none is inspected."""
    inside = [number for number, layer in enumerate(results.layers) if layer.name.startswith("features")]
    return inside[-1] if inside else len(results.layers) - 1


def trend(results: Separability, curve: ProbeCurve) -> Interval:
    """Rank correlation of accuracy with depth over all layers; NaN for a single layer or equal accuracies."""
    return results.resampled(curve.right).trend(FIRST)


def rise(results: Separability, curve: ProbeCurve) -> Interval:
    """Accuracy at the end of the features minus that at the first layer."""
    return results.resampled(curve.right).difference(features_end(results), FIRST)
