"""How many flipped copies each class gets, and the lesson with them."""

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

# The study's shares, stated as a rule any data can follow: its types 1 and 4 (6 and 4 % of the sheets) got
# two copies a sheet, its type 2 (1.6 %) six, the rest none.
RARE, VERY_RARE = 0.10, 0.03
RARE_COPIES, VERY_RARE_COPIES = 2, 6

Counts = Int[np.ndarray, " k"]


@dataclass(frozen=True)
class CopiedData:
    """A lesson with more training sheets, and what was added."""

    lesson: TrainingData
    added: Counts  # sheets a class
    duplicate_share: float  # of the added sheets: they show what another training sheet shows already


def class_counts(lesson: TrainingData) -> Counts:
    """Training sheets a class; a multilabel sheet counts as its rarest type, class 0 = without any."""
    labels = rarest_types(lesson.targets)[lesson.train]
    classes = lesson.targets.shape[1] + 1 if lesson.targets.ndim == 2 else int(lesson.targets.max()) + 1
    return np.bincount(labels[labels >= 0], minlength=classes).astype(np.int64)


def copies_by_class(counts: Counts, recipe: FlipsRecipe) -> Counts:
    """How many copies each sheet of a class gets.

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


def add_flips(lesson: TrainingData, recipe: FlipsRecipe, rng: np.random.Generator) -> CopiedData:
    """The lesson with flipped copies of its rare training sheets behind its other sheets.

    raises  BadRecipe as `copies_by_class`
    """
    counts = class_counts(lesson)
    copies = copies_by_class(counts, recipe)
    labels = rarest_types(lesson.targets)[lesson.train]
    rows, codes, repeated = [], [], 0.0
    for kind in np.flatnonzero(copies):
        sheets = lesson.train[labels == kind]
        draw = (
            enumerate_flips(sheets.size, int(copies[kind]), rng)
            if recipe.exact
            else draw_flips(sheets.size, int(copies[kind]), recipe.chance, rng)
        )
        rows.append(np.repeat(sheets, copies[kind]))
        codes.append(draw.reshape(-1))
        repeated += duplicate_share(draw) * draw.size
    if not rows:
        return CopiedData(lesson, np.zeros_like(counts), 0.0)
    chosen, flips = np.concatenate(rows), np.concatenate(codes)
    shares = None if lesson.masks is None else flip(lesson.masks.shares[chosen], flips)
    larger = append_sheets(lesson, flip(lesson.images[chosen], flips), chosen, shares)
    return CopiedData(larger, counts * copies, repeated / max(1, chosen.size))


def append_sheets(
    lesson: TrainingData,
    images: UInt8[np.ndarray, "m h w"],
    like: Int[np.ndarray, " m"],
    shares: UInt8[np.ndarray, "m h w"] | None = None,
    known: Bool[np.ndarray, " m"] | None = None,
) -> TrainingData:
    """The lesson with further training sheets, each with the answer and the group of an existing one.

    like    (m,) positions they take target and group from
    shares  (m, h, w) their masks, where the lesson has masks
    known   (m,) whether their masks are known; None = as those of `like`
    """
    if not like.size:
        return lesson
    count = len(lesson.images)
    masks = None
    if lesson.masks is not None:
        extra = lesson.masks.shares[like] if shares is None else shares
        told = lesson.masks.known[like] if known is None else known
        masks = Masks(
            np.concatenate([lesson.masks.shares, extra]), np.concatenate([lesson.masks.known, told])
        )
    targets: Int[np.ndarray, " n"] | Float[np.ndarray, "n k"] = np.concatenate(
        [lesson.targets, lesson.targets[like]]
    )
    return replace(
        lesson,
        images=np.concatenate([np.asarray(lesson.images), images]),
        targets=targets,
        train=np.concatenate([lesson.train, np.arange(count, count + like.size)]),
        masks=masks,
        groups=None if lesson.groups is None else np.concatenate([lesson.groups, lesson.groups[like]]),
    )
