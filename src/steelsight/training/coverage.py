"""Which classes a set of sheets covers, and what must be said or refused where one is missing."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from steelsight.errors import BadData
from steelsight.sheets.grouping.splits import Split
from steelsight.training.dataset import SheetData

__all__ = ["class_members", "note_missing", "refuse_single_class"]


def class_members(data: SheetData) -> Bool[np.ndarray, "n k"]:
    """Which sheets are of which class; a multilabel sheet is of each of its types, a dropped one of none."""
    labels = data.labelled.labels
    members: Bool[np.ndarray, "n k"] = (
        labels > 0
        if data.task == "multilabel"
        else labels[:, None] == np.arange(len(data.labelled.class_names))
    )
    return members


def note_missing(data: SheetData, split: Split) -> list[str]:
    """One line for each class that no training sheet teaches, or no validation sheet judges.

    A class without training sheets is not named again for validation; without validation sheets none is.
    """
    members = class_members(data)
    taught, judged = (members[part].any(axis=0) for part in (split.train, split.validation))
    names = np.array(data.labelled.class_names)
    notes = [
        f"class {name}: no training sheet, so a sheet of it can never be answered rightly; bring more, "
        "or try split.method = stratified or another --seed"
        for name in names[~taught].tolist()
    ]
    if split.validation.size:
        notes += [
            f"class {name}: no validation sheet, so the best epoch is chosen without regard to it"
            for name in names[taught & ~judged].tolist()
        ]
    return notes


def refuse_single_class(data: SheetData) -> None:
    """Raises BadData for a task whose answer could only be one; binary work always has two answers."""
    names = data.labelled.class_names
    if data.task == "multiclass" and len(names) < 2:
        raise BadData(
            f"{data.name}: expected sheets of at least two classes, got only {', '.join(map(repr, names))}; "
            "bring sheets of a defect type, or train with task = binary"
        )
    if data.task == "multilabel" and not names:
        raise BadData(
            f"{data.name}: expected sheets of at least one defect type, got only 'none'; "
            "bring sheets of a defect type, or train with task = binary"
        )
