"""Separate random streams for every ingredient of every sheet.

A sheet's streams depend on (seed, index, ingredient) alone: not on the count, the order, or the worker that
draws it, and drawing more of one ingredient leaves all others as they were. That makes counterfactual pairs
possible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

__all__ = ["Ingredient", "Streams"]

# Order is part of the format: new ingredients go at the end, or every sheet of every seed changes.
Ingredient = Literal[
    "class",
    "light",
    "grain",
    "pattern",
    "harmless",
    "checker",
    "layout",
    "end",
    "defect",
    "outline",
    "stain",
    "camera",
    "texture",
    "plate",
    "side",
]
_NUMBERS = {name: number for number, name in enumerate(get_args(Ingredient))}


@dataclass(frozen=True)
class Streams:
    """The random streams of one sheet."""

    seed: int
    index: int

    def of(self, ingredient: Ingredient, part: int = 0) -> np.random.Generator:
        """A generator at the start of an ingredient's stream; `part` numbers equals, such as defects."""
        key = (self.index, _NUMBERS[ingredient], part)
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(self.seed, spawn_key=key)))
