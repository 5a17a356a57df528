"""Classes that the data or a part of them lacks: a note where training is possible, otherwise refused."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from steelsight.errors import BadData
from steelsight.sheets.grouping.splits import Split
from steelsight.training.dataset import SheetData

__all__ = ["class_members", "note_missing", "refuse_single_class"]


def class_members(data: SheetData) -> Bool[np.ndarray, "n k"]:
    """Membership of each sheet in each class.

    returns  (n, k); a multilabel sheet is in each of its types, a dropped sheet in no class
    """
    labels = data.labelled.labels
    members: Bool[np.ndarray, "n k"] = (
        labels > 0
        if data.task == "multilabel"
        else labels[:, None] == np.arange(len(data.labelled.class_names))
    )
    return members


def note_missing(data: SheetData, split: Split) -> list[str]:
    """One line for each class without training sheets, or without validation sheets.

    A class is named once; where there is no validation part, only training sheets are checked.
    """
    members = class_members(data)
    trained, validated = (members[part].any(axis=0) for part in (split.train, split.validation))
    names = np.array(data.labelled.class_names)
    notes = [
        f"class {name}: no training sheet, so the model can never predict it; bring more, "
        "or try split.method = stratified or another --seed"
        for name in names[~trained].tolist()
    ]
    if split.validation.size:
        notes += [
            f"class {name}: no validation sheet, so the best epoch is chosen without it"
            for name in names[trained & ~validated].tolist()
        ]
    return notes


def refuse_single_class(data: SheetData) -> None:
    """Raise BadData for a multiclass task with one class, or a multilabel task without a defect type."""
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
