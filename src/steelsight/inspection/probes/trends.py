"""Whether probes get better with depth: by rank, and from the first layer to the last of the features.

The sheet itself is no layer and takes no part. All layers are judged on the same resamples. Bounds tell what
other judging sheets would change; what other fitting sheets or another training would, is not in them.
"""

from __future__ import annotations

from steelsight.inspection.probes.separability import ProbeCurve, Separability
from steelsight.types import Interval

__all__ = ["FIRST", "features_end", "rise", "trend"]

FIRST = 1  # number of the first layer; 0 is the sheet


def features_end(found: Separability) -> int:
    """Number of the last layer of the features, or of the last layer where none is looked at."""
    inside = [number for number, layer in enumerate(found.layers) if layer.name.startswith("features")]
    return inside[-1] if inside else len(found.layers) - 1


def trend(found: Separability, curve: ProbeCurve) -> Interval:
    """Rank correlation of accuracy with depth over all layers; NaN for a single layer or equal accuracies."""
    return found.resampled(curve.right).trend(FIRST)


def rise(found: Separability, curve: ProbeCurve) -> Interval:
    """Accuracy at the end of the features minus that at the first layer."""
    return found.resampled(curve.right).difference(features_end(found), FIRST)
