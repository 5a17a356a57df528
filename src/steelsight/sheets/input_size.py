"""Proposes a model input for the shape of the sheets, where the usual one would stretch them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from steelsight.types import InputSpec

__all__ = ["MOST_STRETCH", "propose_input", "stretch_of"]

MOST_STRETCH: Final = 1.5  # from a larger distortion of the median sheet on, another input is proposed
STEP: Final = 16
LEAST: Final = 48  # px: sides are multiples of STEP and at least LEAST, which all networks take


def stretch_of(sizes: Sequence[tuple[int, int]], spec: InputSpec) -> float:
    """By which factor an input distorts the median sheet; 1 = not at all, as where the fit is not `stretch`.

    sizes  (height, width) of the sheets, at least one
    """
    if spec.fit != "stretch":
        return 1.0
    factor = (spec.width / spec.height) / _aspect(sizes)
    return max(factor, 1 / factor)


def propose_input(sizes: Sequence[tuple[int, int]], spec: InputSpec) -> tuple[int, int] | None:
    """(height, width) of an input of about as many pixels in the median sheet's shape.

    No side is larger than the median sheet's, because enlarging adds no detail.

    sizes    (height, width) of the sheets
    returns  None where there are no sheets, or the input distorts them by at most MOST_STRETCH

    >>> propose_input([(128, 128)] * 9, InputSpec(64, 400))
    (128, 128)
    >>> propose_input([(1000, 2000)], InputSpec(64, 400))
    (112, 224)
    >>> propose_input([(256, 1600)], InputSpec(64, 400))
    """
    if not sizes or stretch_of(sizes, spec) <= MOST_STRETCH:
        return None
    aspect = _aspect(sizes)
    height = math.sqrt(spec.height * spec.width / aspect)
    tallest, widest = (float(np.median([size[side] for size in sizes])) for side in (0, 1))
    scale = min(1.0, tallest / height, widest / (height * aspect))
    sides = (height * scale, height * aspect * scale)
    rounded = [max(LEAST, STEP * round(side / STEP)) for side in sides]
    return rounded[0], rounded[1]


def _aspect(sizes: Sequence[tuple[int, int]]) -> float:
    """Median width : height."""
    return float(np.exp(np.median([math.log(width / height) for height, width in sizes])))
