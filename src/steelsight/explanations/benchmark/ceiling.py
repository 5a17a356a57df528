"""Upper bound of Dice for maps on a coarse grid: true masks averaged to the model's last grid and back.

A map with one number for each grid cell cannot outline a crack thinner than a cell, whatever the method. The
ceiling separates the grid's share of a low Dice from the method's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import nn
from torch.nn import functional

from steelsight.errors import BadInput
from steelsight.evaluation.heatmaps.localization import overlap_counts, overlap_scores
from steelsight.explanations.gradcam import upsample
from steelsight.explanations.masks import MaskRule, make_masks
from steelsight.models.capture import capture

__all__ = ["Ceiling", "find_grid", "oracle_ceiling", "oracle_maps"]

Truths = Bool[np.ndarray, "n h w"]
LEVELS = 64  # thresholds tried for the best one, evenly spaced over the map's range


@dataclass(frozen=True)
class Ceiling:
    """Dice of n true masks after averaging to the grid."""

    input_size: tuple[int, int]
    grid: tuple[int, int]
    rule: MaskRule
    by_rule: Float[np.ndarray, " n"]  # Dice an image, cut by the rule
    by_best: Float[np.ndarray, " n"]  # Dice an image, cut where that image's own Dice is best

    def as_dict(self, classes: Sequence[str]) -> dict[str, object]:
        """Means over all images and over those of each class; `classes` names each image's."""
        names = np.array(classes)
        rows = {"all": np.ones(len(names), dtype=bool)}
        rows |= {name: names == name for name in dict.fromkeys(classes)}
        return {
            "input": list(self.input_size),
            "grid": list(self.grid),
            "rule": str(self.rule),
            "dice": {
                name: {
                    "images": int(row.sum()),
                    "by_rule": float(self.by_rule[row].mean()) if row.any() else None,
                    "by_best_threshold": float(self.by_best[row].mean()) if row.any() else None,
                }
                for name, row in rows.items()
            },
        }


def find_grid(
    model: nn.Module, size: tuple[int, int], *, layer: str = "features", channels: int = 3
) -> tuple[int, int]:
    """Height and width of a layer's output for an image of `size`; raises BadInput where it is no map."""
    with torch.no_grad(), capture(model, [layer], gradients=False) as captured:
        model(torch.zeros(1, channels, *size, device=next(model.parameters()).device))
    output = captured.activations.get(layer)
    if output is None or output.ndim != 4:
        raise BadInput(
            f"layer {layer!r}: expected an output of shape (n, channels, height, width) whose grid can be "
            "read, found none; name a layer before the pooling"
        )
    return int(output.shape[2]), int(output.shape[3])


def oracle_maps(truths: Truths, grid: tuple[int, int]) -> Float32[np.ndarray, "n h w"]:
    """True masks averaged over the grid's cells, then enlarged bilinearly, as Grad-CAM's maps are."""
    masks = torch.from_numpy(np.ascontiguousarray(truths)).to(torch.float32)[:, None]
    cells = functional.adaptive_avg_pool2d(masks, grid)[:, 0]
    maps: Float32[np.ndarray, "n h w"] = upsample(cells, (truths.shape[1], truths.shape[2])).numpy()
    return maps


def oracle_ceiling(truths: Truths, grid: tuple[int, int], rule: MaskRule) -> Ceiling:
    """Dice of the oracle maps, by the rule and by the best threshold of each image.

    truths  at model size, none empty
    """
    by_rule, by_best = [], []
    for start in range(0, len(truths), 64):  # the maps of thousands of sheets would not fit memory
        some = truths[start : start + 64]
        maps = oracle_maps(some, grid)
        by_rule.append(overlap_scores(overlap_counts(make_masks(maps, rule), some))["dice"])
        by_best.append(_best_dice(maps, some))
    size = (truths.shape[1], truths.shape[2])
    empty = [np.zeros(0)]
    return Ceiling(size, grid, rule, np.concatenate(by_rule or empty), np.concatenate(by_best or empty))


def _best_dice(maps: Float32[np.ndarray, "n h w"], truths: Truths) -> Float[np.ndarray, " n"]:
    high = maps.max(axis=(1, 2), keepdims=True)
    found = [
        overlap_scores(overlap_counts(maps > high * level, truths))["dice"]
        for level in np.arange(LEVELS, dtype=np.float32) / LEVELS
    ]
    best: Float[np.ndarray, " n"] = np.max(found, axis=0)
    return best
