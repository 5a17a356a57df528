"""The finished run that a training starts from: its weights, its origin, the sheets it has learnt from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import ConfigDict, Field, InstanceOf, JsonValue

from steelsight.models.card import Card
from steelsight.models.catalog import ModelSpec
from steelsight.models.starts import HeadFacts, StartWeights
from steelsight.sheets.grouping.splits import Split
from steelsight.training.dataset import SheetData
from steelsight.training.recipe import Recipe
from steelsight.training.records import SplitRow, pixel_hashes
from steelsight.types import InputSpec

__all__ = ["RunStart", "StartedRecipe", "note_learnt_before"]


@dataclass(frozen=True, eq=False)
class RunStart:
    """A finished run as the start of another training."""

    name: str  # of its folder
    card: Card
    weights: StartWeights
    learnt: tuple[SplitRow, ...]  # training and validation sheets of the run and of those before it

    def history(self, head: HeadFacts) -> tuple[dict[str, JsonValue], ...]:
        """The history of the card of a run that starts here.

        head    of that run
        returns the runs before, and as the last entry this one
        """
        card = self.card
        entry: dict[str, JsonValue] = {
            "run": self.name,
            "weights_sha256": card.weights_sha256,
            "data_name": card.data_name,
            "data_hash": card.data_hash,
            "task": card.task,
            "class_names": list(card.class_names),
            "seed": card.seed,
            "steelsight_version": card.steelsight_version,
            "head": "kept" if head == self.weights.head else "new",
            "learnt_sheets": len({row.pixels for row in self.learnt}),
        }
        return (*card.history, entry)


class StartedRecipe(Recipe):
    """A recipe whose training starts from the weights of a finished run; the input is that of the run."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    start: InstanceOf[RunStart] = Field(exclude=True)  # no part of the recipe as it is written

    def model_spec(self, outputs: int) -> ModelSpec:
        """The network of this recipe with the given number of outputs."""
        return super().model_spec(outputs).model_copy(update={"pretrained": "run"})

    def input_spec(self, bits: int | None = None) -> InputSpec:  # noqa: ARG002 - the run has its own
        """The input of the run, also the bits at which it reads files."""
        return self.start.card.input


def note_learnt_before(data: SheetData, split: Split, recipe: Recipe) -> list[str]:
    """One line where the run that a training starts from has learnt from its validation or test sheets."""
    if not isinstance(recipe, StartedRecipe):
        return []
    learnt = {row.pixels for row in recipe.start.learnt}
    apart = np.concatenate([split.validation, split.test])
    seen = sum(pixels in learnt for pixels in pixel_hashes(data.images[apart]))
    if not seen:
        return []
    return [
        f"{seen} of {apart.size} validation and test sheets have the pixels of sheets that "
        f"{recipe.start.name} learnt from, so figures on them are optimistic"
    ]
