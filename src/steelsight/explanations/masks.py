"""From heatmaps to masks: which sign of the map counts, how it is blurred, and its threshold.

A rule uses the heatmap only, never the true mask; its parameters are chosen by the league on validation
sheets. Torch-free.

    deviations  above mean + amount · std of the blurred map; the study's rule, amount 2 or 3
    otsu        above the threshold that best separates the blurred map's values; `amount` is not used
    share       the `amount` hottest share of the pixels
    peak        above `amount` times the blurred map's highest value
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32
from scipy.ndimage import gaussian_filter

from steelsight.errors import BadRecipe
from steelsight.types import Heatmaps

__all__ = [
    "Cut",
    "MaskRule",
    "Sign",
    "blur_maps",
    "make_masks",
    "rule_thresholds",
    "thresholds",
]

Cut = Literal["deviations", "otsu", "share", "peak"]
Sign = Literal["positive", "absolute"]

OTSU_BINS = 256
FLAT = 1e-6  # a blurred map with a range below this share of its largest value counts as constant


@dataclass(frozen=True, order=True)
class MaskRule:
    """A rule that makes a mask of a heatmap."""

    cut: Cut = "deviations"
    amount: float = 2.0
    sigma: float = 2.0  # of the Gaussian blur, px at model size; 0 = no blur
    sign: Sign = "positive"  # positive: evidence against the class counts as 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.sigma) and self.sigma >= 0 and math.isfinite(self.amount)):
            raise BadRecipe(
                f"mask rule: expected a blur of 0 px or more and a finite amount, "
                f"got {self.sigma}, {self.amount}"
            )
        if self.cut in ("share", "peak") and not 0 < self.amount < 1:
            raise BadRecipe(f"mask rule {self.cut}: expected an amount between 0 and 1, got {self.amount}")

    def __str__(self) -> str:
        """The rule in words.

        >>> str(MaskRule()), str(MaskRule("share", 0.05, 4.0, "absolute"))
        ('blur 2 px, above mean + 2 std', 'absolute map, blur 4 px, hottest 5 % of the pixels')
        """
        cut = {
            "deviations": f"above mean + {self.amount:g} std",
            "otsu": "above Otsu's threshold",
            "share": f"hottest {100 * self.amount:g} % of the pixels",
            "peak": f"above {self.amount:g} of the peak",
        }[self.cut]
        return ("absolute map, " if self.sign == "absolute" else "") + f"blur {self.sigma:g} px, {cut}"

    @property
    def key(self) -> str:
        """The rule as one word, CUT[:AMOUNT]@SIGMA[abs], such as deviations:3@2."""
        amount = "" if self.cut == "otsu" else f":{self.amount:g}"
        return f"{self.cut}{amount}@{self.sigma:g}" + ("abs" if self.sign == "absolute" else "")


def make_masks(maps: Heatmaps, rule: MaskRule) -> Bool[np.ndarray, "n h w"]:
    """The pixels a rule marks; a map that is constant after the blur has none."""
    blurred = blur_maps(maps, rule.sigma, rule.sign)
    masks: Bool[np.ndarray, "n h w"] = blurred > thresholds(blurred, rule)[:, None, None]
    return masks


def blur_maps(maps: Heatmaps, sigma: float, sign: Sign = "positive") -> Heatmaps:
    """The part of the maps that counts, blurred; edge pixels are repeated outside the image."""
    counted: Heatmaps = np.abs(maps) if sign == "absolute" else np.maximum(maps, 0)
    if sigma == 0:
        return counted
    blurred: Heatmaps = gaussian_filter(counted, (0, sigma, sigma), mode="nearest")
    return blurred


def thresholds(blurred: Heatmaps, rule: MaskRule) -> Float32[np.ndarray, " n"]:
    """Threshold of a rule on each blurred map: pixels above are marked; infinite for a constant map."""
    return rule_thresholds(blurred, [rule])[:, 0]


def rule_thresholds(blurred: Heatmaps, rules: Sequence[MaskRule]) -> Float32[np.ndarray, "n r"]:
    """As `thresholds`, for several rules at once; shared statistics are computed once."""
    flat = blurred.reshape(len(blurred), -1).astype(np.float64)
    mean, std = flat.mean(axis=1), flat.std(axis=1)
    high, low = flat.max(axis=1, initial=-np.inf), flat.min(axis=1, initial=np.inf)
    shares = sorted({rule.amount for rule in rules if rule.cut == "share"})
    quantiles = dict(zip(shares, np.quantile(flat, [1 - share for share in shares], axis=1), strict=True))
    levels = np.empty((len(blurred), len(rules)))
    for place, rule in enumerate(rules):
        match rule.cut:
            case "deviations":
                levels[:, place] = mean + rule.amount * std
            case "otsu":
                levels[:, place] = [_otsu(values) for values in flat]
            case "share":
                levels[:, place] = quantiles[rule.amount]
            case "peak":
                levels[:, place] = rule.amount * high
    levels[high - low <= FLAT * np.maximum(np.abs(high), np.abs(low))] = np.inf
    return levels.astype(np.float32)


def _otsu(values: Float[np.ndarray, " p"]) -> float:
    """The centre of the last bin of the lower class that makes the variance between classes largest.

    source  Otsu 1979
    """
    counts, edges = np.histogram(values, OTSU_BINS)
    centres = (edges[1:] + edges[:-1]) / 2
    below, above = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
    mean_below = np.cumsum(counts * centres) / np.maximum(below, 1)
    mean_above = np.cumsum((counts * centres)[::-1])[::-1] / np.maximum(above, 1)
    between = below[:-1] * above[1:] * (mean_below[:-1] - mean_above[1:]) ** 2
    return float(centres[int(between.argmax())])
