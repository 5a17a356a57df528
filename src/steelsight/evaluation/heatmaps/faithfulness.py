"""Faithfulness of a heatmap to its model; no true mask is needed.

A map may mark a defect because defects are conspicuous, while the model used something else. Three tests:
whether the probability falls when the hottest pixels are removed and rises when they are added (deletion,
insertion), whether the map stays when the sheet changes little (stability), and whether it changes with the
model (rank similarity of the maps of a trained and a randomised model). The model is a function of gray
sheets; torch is not used here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt8
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from steelsight.errors import BadInput
from steelsight.types import GrayBatch, GrayImage, Heatmaps

__all__ = [
    "DeletionCurves",
    "Explain",
    "Predict",
    "blurred_sheet",
    "delete_insert",
    "rank_similarity",
    "stability",
]

Predict = Callable[[GrayBatch], Float[np.ndarray, " m"]]  # probability of the explained class, a sheet
Explain = Callable[[GrayBatch], Heatmaps]

BLANK_SIGMA = 12.0  # px: keeps the lighting of a sheet and removes its detail


@dataclass(frozen=True)
class DeletionCurves:
    """The probability of the explained class while pixels are removed and added, hottest first."""

    share: Float[np.ndarray, " s"]  # of pixels removed or added, 0..1
    deleted: Float[np.ndarray, " s"]
    inserted: Float[np.ndarray, " s"]

    @property
    def deletion(self) -> float:
        """Area under the deletion curve, 0..1; lower is more faithful."""
        return float(np.trapezoid(self.deleted, self.share))

    @property
    def insertion(self) -> float:
        """Area under the insertion curve, 0..1; higher is more faithful."""
        return float(np.trapezoid(self.inserted, self.share))


def delete_insert(
    predict: Predict,
    image: GrayImage,
    heat: Float32[np.ndarray, "map_h map_w"],
    *,
    blank: GrayImage | None = None,
    steps: int = 20,
) -> DeletionCurves:
    """Replace the sheet's pixels by those of a blank sheet, hottest first, and the blank sheet's by its own.

    predict  (m, h, w) uint8 -> (m,) probability of the explained class
    blank    the sheet of removed pixels; None = `blurred_sheet`
    steps    number of equal shares of pixels, at least 1
    raises   BadInput for maps of another size, and for fewer than one step
    source   Petsiuk et al. 2018
    """
    if heat.shape != image.shape or steps < 1:
        raise BadInput(
            f"deletion: expected a map of the sheet's size {image.shape} and at least 1 step, "
            f"got {heat.shape} and {steps}"
        )
    empty = blurred_sheet(image) if blank is None else blank
    place = np.empty(heat.size, dtype=np.int64)
    place[np.argsort(-heat.ravel(), kind="stable")] = np.arange(heat.size)
    bounds = np.round(np.linspace(0, heat.size, steps + 1)).astype(np.int64)
    removed = (place[None] < bounds[:, None]).reshape(steps + 1, *image.shape)
    deleted, inserted = np.where(removed, empty, image), np.where(removed, image, empty)
    answers = predict(np.concatenate([deleted, inserted]))
    return DeletionCurves(bounds / heat.size, answers[: steps + 1], answers[steps + 1 :])


def blurred_sheet(image: GrayImage, sigma: float = BLANK_SIGMA) -> UInt8[np.ndarray, "h w"]:
    """The sheet without details smaller than about `sigma` px; the lighting stays."""
    smooth: UInt8[np.ndarray, "h w"] = np.rint(
        gaussian_filter(image.astype(np.float32), sigma, mode="nearest")
    ).astype(np.uint8)
    return smooth


def rank_similarity(first: Float32[np.ndarray, "h w"], second: Float32[np.ndarray, "h w"]) -> float:
    """Spearman's rank correlation of two maps, -1..1; 0 where either is constant or holds NaN.

    returns  rounded to 12 digits, beyond which the order of summation shows

    >>> rising = np.arange(6, dtype=np.float32).reshape(2, 3)
    >>> rank_similarity(rising, rising**3), rank_similarity(rising, -rising)
    (1.0, -1.0)
    """
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    correlation = float(spearmanr(first.ravel(), second.ravel()).statistic)
    return round(correlation, 12) if np.isfinite(correlation) else 0.0


def stability(
    explain: Explain, image: GrayImage, *, noise_levels: float, draws: int, rng: np.random.Generator
) -> float:
    """Mean rank similarity between a sheet's map and its maps with small noise; 1 = the map does not change.

    noise_levels  standard deviation of the noise, gray levels of 255
    draws         noisy copies, at least 1
    raises        BadInput for fewer than one draw, or noise below 0
    """
    if draws < 1 or noise_levels < 0:
        raise BadInput(
            f"stability: expected at least 1 draw and no negative noise, got {draws} and {noise_levels}"
        )
    noise = rng.normal(0, noise_levels, (draws, *image.shape))
    noisy = np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
    maps = explain(np.concatenate([image[None], noisy]))
    return float(np.mean([rank_similarity(maps[0], each) for each in maps[1:]]))
