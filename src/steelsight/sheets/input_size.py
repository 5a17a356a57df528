"""Proposes a model input for the shape of the sheets, where the usual one would stretch them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from steelsight.sheets.defect_sizes import DefectSizes
from steelsight.types import InputSpec

__all__ = ["ACCURATE", "LEAST_DEFECT", "MOST_STRETCH", "input_words", "propose_input", "stretch_of"]

MOST_STRETCH: Final = 1.5  # from a larger distortion of the median sheet on, another input is proposed
STEP: Final = 16
ACCURATE: Final = InputSpec(128, 800)  # of the recipe `accurate`
LEAST_DEFECT: Final = (
    16  # px: one place of SqueezeNet's feature map; smaller defects share it with clean steel
)
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


def input_words(
    sizes: Sequence[tuple[int, int]], proposal: tuple[int, int] | None, defects: DefectSizes | None
) -> list[str]:
    """Which input the sheets ask for, in lines: by their shape, and by the smallest of their defects.

    sizes     (height, width) of the sheets
    proposal  as `propose_input` gives it for the usual input
    defects   in any input; None = unknown
    """
    lines, usual = [], InputSpec()
    height, width = proposal or (usual.height, usual.width)
    if proposal is not None:
        lines.append(
            f"the usual input {usual.height}x{usual.width} would stretch these sheets "
            f"{stretch_of(sizes, usual):.1f}-fold; {height}x{width} keeps their shape: "
            f"`steelsight train --set height={height} --set width={width}`"
        )
    if defects is None:
        return lines
    small = defects.at(height, width).smallest_px
    lines.append(
        f"at {height}x{width} (fit {usual.fit}) a tenth of the {defects.sheets} sheets with masks have "
        f"defects of less than {small:.0f} px across"
    )
    if small < LEAST_DEFECT:
        finer = propose_input(sizes, ACCURATE) or (ACCURATE.height, ACCURATE.width)
        setting = "" if proposal is None else f" --set height={finer[0]} --set width={finer[1]}"
        lines[-1] += (
            f", below one place of the default network's feature map, {LEAST_DEFECT} px; "
            f"`steelsight train --recipe accurate{setting}` shows them at "
            f"{defects.at(*finer).smallest_px:.0f} px, and takes about twenty times as long"
        )
    return lines


def _aspect(sizes: Sequence[tuple[int, int]]) -> float:
    """Median width : height."""
    return float(np.exp(np.median([math.log(width / height) for height, width in sizes])))
