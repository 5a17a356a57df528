"""Agreement of a heatmap, or of a mask made from it, with the true mask: overlap, pointing, mass, ranking.

Scores are one number an image and are averaged over images, as in the study's tables. Images with an empty
true mask cannot be scored. Heatmaps are made into masks elsewhere (`explanations.masks`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import Groups, draw_weights, group_index, interval_of
from steelsight.evaluation.intervals.bounds import mean_bounds
from steelsight.types import AreaFractions, Interval, Mask

__all__ = [
    "MAP_SCORES",
    "OVERLAPS",
    "average_precision",
    "mass_inside",
    "mean_scores",
    "overlap_counts",
    "overlap_scores",
    "pointing_game",
    "reduce_mask",
    "score_maps",
]

OVERLAPS = ("recall", "precision", "iou", "dice")  # of a mask, in the order of the study's tables
MAP_SCORES = ("pointing", "mass_inside", "auprc")  # of a heatmap, before any threshold

RuleScores = dict[str, Float[np.ndarray, "n *rules"]]

HALF = 0.5  # a model pixel is defect where the mask covers more than this share of it


def reduce_mask(fractions: AreaFractions) -> Mask:
    """The true mask at model size: pixels of which the mask covers more than half.

    A mask that covers no more than half of any pixel keeps the pixel it covers most.

    >>> reduce_mask(np.array([[0.6, 0.5], [0.0, 0.1]], dtype=np.float32)).tolist()
    [[True, False], [False, False]]
    >>> reduce_mask(np.array([[0.2, 0.3]], dtype=np.float32)).tolist()
    [[False, True]]
    """
    mask: Mask = fractions > HALF
    if not mask.any() and fractions.any():
        mask.flat[int(fractions.argmax())] = True
    return mask


def overlap_counts(
    predicted: Bool[np.ndarray, "n h w"], truths: Bool[np.ndarray, "n h w"]
) -> Int[np.ndarray, "n 3"]:
    """Number of pixels in both masks, in the predicted one, and in the true one, for each image."""
    both = np.count_nonzero(predicted & truths, axis=(1, 2))
    return np.stack([both, np.count_nonzero(predicted, (1, 2)), np.count_nonzero(truths, (1, 2))], axis=1)


def overlap_scores(counts: Int[np.ndarray, "n *rules 3"]) -> RuleScores:
    """Recall, precision, IoU and Dice of counted pixels; an empty prediction scores 0 in all four.

    counts  as `overlap_counts` gives them: both, predicted, true
    raises  BadInput where a true mask is empty

    >>> {name: score.round(3).tolist() for name, score in overlap_scores(np.array([[2, 4, 3]])).items()}
    {'recall': [0.667], 'precision': [0.5], 'iou': [0.4], 'dice': [0.571]}
    """
    both, predicted, true = np.moveaxis(counts.astype(np.float64), -1, 0)
    if (true == 0).any():
        raise BadInput(
            f"localisation: expected defective images with masks, got {int((true == 0).sum())} empty true "
            "masks; leave those images out"
        )
    return {
        "recall": both / true,
        "precision": both / np.maximum(predicted, 1),
        "iou": both / (predicted + true - both),
        "dice": 2 * both / (predicted + true),
    }


def score_maps(
    maps: Float[np.ndarray, "n h w"], truths: Bool[np.ndarray, "n h w"]
) -> dict[str, Float[np.ndarray, " n"]]:
    """All of MAP_SCORES, one number an image; maps are not negative."""
    ranked = [average_precision(heat, truth) for heat, truth in zip(maps, truths, strict=True)]
    return {
        "pointing": pointing_game(maps, truths),
        "mass_inside": mass_inside(maps, truths),
        "auprc": np.array(ranked, dtype=np.float64),
    }


def pointing_game(
    maps: Float[np.ndarray, "n h w"], truths: Bool[np.ndarray, "n h w"]
) -> Float[np.ndarray, " n"]:
    """1 where the map's highest pixel lies in the true mask, else 0; of several highest, the share inside.

    A constant map scores the share of the image that is defect.
    source  Zhang et al. 2016, without their tolerance in pixels
    """
    flat = maps.reshape(len(maps), -1)
    highest = flat == flat.max(axis=1, keepdims=True)
    inside = highest & truths.reshape(len(truths), -1)
    shares: Float[np.ndarray, " n"] = inside.sum(axis=1) / highest.sum(axis=1)
    return shares


def mass_inside(
    maps: Float[np.ndarray, "n h w"], truths: Bool[np.ndarray, "n h w"]
) -> Float[np.ndarray, " n"]:
    """The share of the map's positive mass that lies in the true mask, 0..1; 0 for a map without any."""
    positive = np.maximum(maps, 0).astype(np.float64)
    total = positive.sum(axis=(1, 2))
    shares: Float[np.ndarray, " n"] = (positive * truths).sum(axis=(1, 2)) / np.where(total > 0, total, 1)
    return shares


def average_precision(heat: Float[np.ndarray, "h w"], truth: Mask) -> float:
    """Area under the precision-recall curve of the pixels, ranked by heat; equal heat counts together.

    AP = Σ (R_i - R_{i-1}) P_i over falling thresholds. A constant map scores the share of defect pixels.

    >>> heat = np.array([[0.9, 0.8, 0.1, 0.0]])
    >>> average_precision(heat, np.array([[True, False, True, False]])).__round__(3)
    0.833
    """
    order = np.argsort(-heat.ravel(), kind="stable")
    ranked, hits = heat.ravel()[order], truth.ravel()[order]
    last = np.flatnonzero(np.append(np.diff(ranked) != 0, True))  # the last pixel of each run of equal heat
    hits_above = np.cumsum(hits)[last]
    if not hits_above[-1]:
        raise BadInput("average precision: expected a true mask with defect pixels, got an empty one")
    gained = np.diff(hits_above, prepend=0) / hits_above[-1]
    return float((gained * hits_above / (last + 1)).sum())


def mean_scores(
    scores: Mapping[str, Float[np.ndarray, " n"]],
    groups: Groups | None,
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
    level: float = 0.95,
) -> dict[str, Interval]:
    """The mean of each score over images, with bounds from resampling whole groups.

    scores  each from 0 to 1; where all images agree, bounds are those of `mean_bounds`
    groups  one name a sheet; "" or None = a group of its own. A single group, or no image, gives no bounds
    """
    names = list(scores)
    values = np.stack([scores[name] for name in names], axis=1) if names else np.zeros((0, 0))
    count = len(values)
    group = group_index(groups, count)
    if count == 0 or group.max() == 0:
        means = values.mean(axis=0) if count else np.full(len(names), np.nan)
        return {
            name: Interval(float(mean), float("nan"), float("nan"), level)
            for name, mean in zip(names, means, strict=True)
        }
    drawn = [
        weights @ values / weights.sum(axis=1, keepdims=True)
        for weights in draw_weights(group, rng, resamples)
    ]
    spread = np.concatenate(drawn)
    units = int(group.max()) + 1
    found = {
        name: interval_of(float(values[:, i].mean()), spread[:, i], level=level)[0]
        for i, name in enumerate(names)
    }
    return {name: mean_bounds(interval, units) for name, interval in found.items()}
