"""Cuts sheets into patches along their length; each patch is labelled by its part of the mask.

The study cut six. Patches without metal are dropped, and so are patches of defective sheets without a known
mask, whose label is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int

from steelsight.errors import BadRecipe
from steelsight.models.patches import patch_starts
from steelsight.training.dataset import Masks, TrainingData
from steelsight.training.recipe import PatchesRecipe
from steelsight.types import GrayBatch

__all__ = ["Patches", "cut_training_patches"]

Positions = Int[np.ndarray, "_"]  # parts differ in length


@dataclass(frozen=True)
class Patches:
    """Training data of patches, and the number of patches that were dropped."""

    data: TrainingData
    black: int  # patches without metal
    unknown: int  # patches of defective sheets without a known mask
    counts: Int[np.ndarray, " k"]  # training patches of each class


def cut_training_patches(data: TrainingData, recipe: PatchesRecipe, *, classes: int) -> Patches:
    """Patches of the training and validation sheets, in the sheets' order.

    data  with masks, and targets of one class a sheet
    raises  BadRecipe without masks or a defect-free class, for multilabel targets, or when no patch is left
            to train on
    """
    if data.masks is None or data.targets.ndim != 1:
        why = "no masks" if data.masks is None else "task multilabel"
        raise BadRecipe(
            f"patches.count: expected masks and one class a sheet to label patches by, got {why}; set it to 1"
        )
    if data.clean is None:
        raise BadRecipe(
            "patches.count: expected a defect-free class, which a patch beside the defect belongs to, but no "
            "sheet is defect-free; set it to 1"
        )
    starts, width = patch_starts(data.images.shape[2], recipe.count)
    parts = [_cut(data, data.masks, rows, starts, width, recipe) for rows in _parts(data)]
    sizes = [len(part.targets) for part in parts]
    if not sizes[0]:
        raise BadRecipe("patches.count: no patch with metal and a known mask is left to train on")
    whole = replace(
        data,
        images=np.concatenate([part.images for part in parts]),
        targets=np.concatenate([part.targets for part in parts]),
        train=np.arange(sizes[0]),
        validation=np.arange(sizes[0], sum(sizes)),
        masks=Masks(
            np.concatenate([part.shares for part in parts]),
            np.ones(sum(sizes), dtype=bool),
        ),
        groups=np.concatenate([part.groups for part in parts]),
    )
    counts = np.bincount(parts[0].targets, minlength=classes)
    return Patches(whole, sum(p.black for p in parts), sum(p.unknown for p in parts), counts)


@dataclass(frozen=True)
class _PatchPart:
    images: GrayBatch
    shares: GrayBatch
    targets: Int[np.ndarray, " m"]
    groups: Int[np.ndarray, " m"]
    black: int
    unknown: int


def _parts(data: TrainingData) -> tuple[Positions, Positions]:
    return data.train, data.validation


def _cut(
    data: TrainingData,
    masks: Masks,
    rows: Positions,
    starts: Int[np.ndarray, " p"],
    width: int,
    recipe: PatchesRecipe,
) -> _PatchPart:
    images, shares = (
        np.stack([np.asarray(pixels[rows])[:, :, start : start + width] for start in starts.tolist()], axis=1)
        for pixels in (data.images, masks.shares)
    )  # (n, p, h, width)
    count = starts.size
    metal = (images > recipe.black_level).mean(axis=(2, 3)) >= recipe.least_metal  # (n, p)
    covered = (shares > 127).mean(axis=(2, 3)) >= recipe.least_mask
    sheet = data.targets[rows].astype(np.int64)
    known = np.repeat(masks.known[rows][:, None] | (sheet == data.clean)[:, None], count, axis=1)
    keep = metal & known
    targets = np.where(covered, sheet[:, None], data.clean)
    groups = rows if data.groups is None else data.groups[rows]
    return _PatchPart(
        images[keep],
        shares[keep],
        targets[keep],
        np.repeat(groups[:, None], count, axis=1)[keep],
        int((~metal).sum()),
        int((metal & ~known).sum()),
    )
