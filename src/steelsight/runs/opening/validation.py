"""Refuse runs without validation sheets where a verb needs them, before DATA is read, with what to do.

The recipe `parts` takes none: every sheet of such a run is training or test.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from steelsight.errors import BadData
from steelsight.models.card import Card
from steelsight.training.recipe import SplitRecipe
from steelsight.training.records import read_splits

__all__ = ["refuse_without_validation", "split_with_validation"]

OF_TRAINING = 8  # one sheet in so many of the training share becomes a validation sheet


def refuse_without_validation(run: Path, card: Card, purpose: str) -> None:
    """Raise BadData for a run whose split has no validation sheet.

    purpose  what the verb needs them for, such as "to choose a method on"
    """
    if any(row.split == "validation" for row in read_splits(run)):
        return
    try:
        options = split_with_validation(SplitRecipe.model_validate(card.recipe.get("split")))
    except ValidationError:  # a recipe of another version
        options = "--set split.validation=SHARE"
    raise BadData(
        f"{run}: expected a run with validation sheets {purpose}, got one that was trained without any, as "
        f"the recipe parts does; train again with `steelsight train DATA {options}` and the run's other "
        "options"
    )


def split_with_validation(split: SplitRecipe) -> str:
    """Options of `train` that give a part of the training share to validation, or more of it.

    split  of the run that has no validation sheet
    """
    share = max((split.train + split.validation) / OF_TRAINING, 2 * split.validation)
    validation = round(min(share, split.train / 2), 3)
    train = round(1 - split.test - validation, 6)
    return f"--set split.train={train:g} --set split.validation={validation:g}"
