"""From the defect types of sheets to the labels of a task, and what becomes of sheets with several types.

Binary work keeps them. Multi-class training drops them by default, as the study did (427 of its 12,568
images); in a test any of a sheet's types is a right answer. A multilabel task asks yes or no per type and
keeps all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from steelsight.errors import BadData
from steelsight.types import Labels, SheetItem, Task

__all__ = ["Labelled", "class_names_of", "label_sheets", "renumber_types"]

Flags = Float[np.ndarray, "n k"]


@dataclass(frozen=True)
class Labelled:
    """The labels of a list of sheets, in its order."""

    class_names: tuple[str, ...]
    labels: Labels | Flags  # class index, -1 = dropped; multilabel: 0 or 1
    alternatives: tuple[tuple[int, ...], ...]  # every right answer, as class indices
    clean: int | None = 0  # the output for defect-free sheets; None = no output is for them
    clean_name: str = "none"  # how defect-free sheets are called

    @property
    def defective(self) -> tuple[bool, ...]:
        """Which sheets have a defect."""
        without = () if self.clean is None else (self.clean,)
        return tuple(answers != without for answers in self.alternatives)

    @property
    def multi_type(self) -> tuple[bool, ...]:
        """Which sheets have more than one right answer; a report counts them apart."""
        return tuple(len(answers) > 1 for answers in self.alternatives)


def class_names_of(task: Task, type_names: Sequence[str], clean_name: str | None = "none") -> tuple[str, ...]:
    """The outputs of a model for a task.

    type_names  one for defect-free sheets, which `clean_name` replaces, then the defect types
    clean_name  of the defect-free class; None = no output for it, in a multiclass task
    """
    types = tuple(type_names[1:])
    if task == "binary":
        return (clean_name or "none", "defect" if clean_name != "defect" else "defective")
    return types if task == "multilabel" or clean_name is None else (clean_name, *types)


def label_sheets(
    items: Sequence[SheetItem],
    task: Task,
    type_names: Sequence[str],
    *,
    keep_multi_type: bool,
    clean_name: str | None = "none",
) -> Labelled:
    """Label sheets for a task.

    keep_multi_type  multiclass only: False gives sheets of several types the label -1, True their lowest type
    clean_name       how defect-free sheets are called; None = there are none, so that a multiclass task has
                     no class for them
    returns          for `multilabel` a float32 (n, k) of zeros and ones, else int64 (n,)
    raises           BadData when a sheet has a type that `type_names` lacks, or none where none may be
                     defect-free
    """
    _refuse_unknown_types(items, type_names)
    names = class_names_of(task, type_names, clean_name)
    called = clean_name or "none"
    if task == "multilabel":
        flags = np.zeros((len(items), len(names)), dtype=np.float32)
        for row, item in enumerate(items):
            flags[row, [defect_type - 1 for defect_type in item.types]] = 1
        answers = tuple(tuple(t - 1 for t in item.types) for item in items)
        return Labelled(names, flags, answers, None, called)
    if task == "binary":
        defect = [int(bool(item.types)) for item in items]
        labels = np.array(defect, dtype=np.int64)
        return Labelled(names, labels, tuple((answer,) for answer in defect), 0, called)
    if clean_name is None:
        _refuse_defect_free(items)
        alternatives = tuple(tuple(t - 1 for t in item.types) for item in items)
    else:
        alternatives = tuple(item.types or (0,) for item in items)
    single = [answers[0] if keep_multi_type or len(answers) == 1 else -1 for answers in alternatives]
    clean = None if clean_name is None else 0
    return Labelled(names, np.array(single, dtype=np.int64), alternatives, clean, called)


def renumber_types(item: SheetItem, index_of: Mapping[int, int]) -> SheetItem:
    """A sheet with its defect types and their masks numbered otherwise.

    index_of  the new number of every type that it has
    """
    masks = tuple(
        replace(mask, defect_type=index_of[mask.defect_type]) if mask.defect_type else mask
        for mask in item.masks
    )
    return replace(item, types=tuple(sorted(index_of[type_] for type_ in item.types)), masks=masks)


def _refuse_defect_free(items: Sequence[SheetItem]) -> None:
    for item in items:
        if not item.types:
            raise BadData(f"{item.id}: is defect-free, expected defective sheets only")


def _refuse_unknown_types(items: Sequence[SheetItem], type_names: Sequence[str]) -> None:
    for item in items:
        if item.types and not 1 <= min(item.types) <= max(item.types) < len(type_names):
            raise BadData(
                f"{item.id}: has defect types {item.types}, expected 1 to {len(type_names) - 1} "
                f"({', '.join(type_names[1:])})"
            )
