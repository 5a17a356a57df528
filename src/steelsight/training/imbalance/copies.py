"""Flipped copies of rare classes: how many each class gets, and the training data with them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from steelsight.errors import BadRecipe
from steelsight.training.dataset import Masks, TrainingData
from steelsight.training.imbalance.flips import draw_flips, duplicate_share, enumerate_flips, flip
from steelsight.training.loop.batches import rarest_types
from steelsight.training.recipe import FlipsRecipe

__all__ = ["CopiedData", "add_flips", "append_sheets", "class_counts", "copies_by_class"]

# The study gave its types 1 and 4 (6 and 4 % of the sheets) two copies a sheet, its type 2 (1.6 %) six, the
# other types none; these limits extend its choice to other data.
RARE, VERY_RARE = 0.10, 0.03
RARE_COPIES, VERY_RARE_COPIES = 2, 6

Counts = Int[np.ndarray, " k"]


@dataclass(frozen=True)
class CopiedData:
    """Training data with added sheets, and what was added."""

    data: TrainingData
    added: Counts  # sheets a class
    duplicate_share: float  # of the added sheets: equal to another training sheet


def class_counts(data: TrainingData) -> Counts:
    """Training sheets of each class, (k,); a multilabel sheet counts as its rarest type, 0 = no type."""
    labels = rarest_types(data.targets)[data.train]
    classes = data.targets.shape[1] + 1 if data.targets.ndim == 2 else int(data.targets.max()) + 1
    return np.bincount(labels[labels >= 0], minlength=classes).astype(np.int64)


def copies_by_class(counts: Counts, recipe: FlipsRecipe) -> Counts:
    """The number of copies of each sheet, by class.

    raises  BadRecipe where the recipe lists another number of classes, or fewer than no copies
    """
    if recipe.added == "auto":
        share = counts / max(1, counts.sum())
        rare = np.where(share < VERY_RARE, VERY_RARE_COPIES, np.where(share < RARE, RARE_COPIES, 0))
        chosen: Counts = np.where(counts > 0, rare, 0).astype(np.int64)
        return chosen
    if len(recipe.added) != counts.size:
        raise BadRecipe(
            f"flips.added: expected {counts.size} numbers, one a class in the classes' order, "
            f"got {list(recipe.added)}"
        )
    return np.array(recipe.added, dtype=np.int64)


def add_flips(data: TrainingData, recipe: FlipsRecipe, rng: np.random.Generator) -> CopiedData:
    """Append flipped copies of the training sheets of rare classes.

    raises  BadRecipe as `copies_by_class`
    """
    counts = class_counts(data)
    copies = copies_by_class(counts, recipe)
    labels = rarest_types(data.targets)[data.train]
    rows, codes, repeated = [], [], 0.0
    for kind in np.flatnonzero(copies):
        sheets = data.train[labels == kind]
        draw = (
            enumerate_flips(sheets.size, int(copies[kind]), rng)
            if recipe.exact
            else draw_flips(sheets.size, int(copies[kind]), recipe.chance, rng)
        )
        rows.append(np.repeat(sheets, copies[kind]))
        codes.append(draw.reshape(-1))
        repeated += duplicate_share(draw) * draw.size
    if not rows:
        return CopiedData(data, np.zeros_like(counts), 0.0)
    chosen, flips = np.concatenate(rows), np.concatenate(codes)
    shares = None if data.masks is None else flip(data.masks.shares[chosen], flips)
    larger = append_sheets(data, flip(data.images[chosen], flips), chosen, shares)
    return CopiedData(larger, counts * copies, repeated / max(1, chosen.size))


def append_sheets(
    data: TrainingData,
    images: UInt8[np.ndarray, "m h w"],
    like: Int[np.ndarray, " m"],
    shares: UInt8[np.ndarray, "m h w"] | None = None,
    known: Bool[np.ndarray, " m"] | None = None,
) -> TrainingData:
    """Append training sheets, each with the target and the group of an existing one.

    like    (m,) positions they take target and group from
    shares  (m, h, w) their masks, where the data have masks; None = as those of `like`
    known   (m,) whether their masks are known; None = as those of `like`
    """
    if not like.size:
        return data
    count = len(data.images)
    masks = None
    if data.masks is not None:
        extra = data.masks.shares[like] if shares is None else shares
        is_known = data.masks.known[like] if known is None else known
        masks = Masks(
            np.concatenate([data.masks.shares, extra]), np.concatenate([data.masks.known, is_known])
        )
    targets: Int[np.ndarray, " n"] | Float[np.ndarray, "n k"] = np.concatenate(
        [data.targets, data.targets[like]]
    )
    return replace(
        data,
        images=np.concatenate([np.asarray(data.images), images]),
        targets=targets,
        train=np.concatenate([data.train, np.arange(count, count + like.size)]),
        masks=masks,
        groups=None if data.groups is None else np.concatenate([data.groups, data.groups[like]]),
    )
