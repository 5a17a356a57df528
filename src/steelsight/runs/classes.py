"""Maps the classes of a DATA folder onto those of a run, by name: DATA may lack some of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from steelsight.errors import BadData
from steelsight.sheets.labels import label_sheets
from steelsight.training.dataset import SheetData
from steelsight.types import SheetItem, Task

__all__ = ["match_classes"]


def match_classes(sheets: SheetData, class_names: tuple[str, ...], task: Task, data: Path) -> SheetData:
    """The same sheets with the class indices of the run.

    class_names  of the run
    data         the folder in messages
    raises       BadData, naming the classes that the run does not have
    """
    if sheets.labelled.class_names == class_names:
        return sheets
    wanted = ("none", *class_names) if task == "multilabel" else class_names
    present = {type_ for item in sheets.items for type_ in item.types or (0,)}
    unknown = [
        name for index, name in enumerate(sheets.type_names) if name not in wanted and (index or 0 in present)
    ]
    if unknown or task == "binary" or (0 in present and wanted[0] != sheets.type_names[0]):
        raise BadData(
            f"{data}: expected only classes of the run ({', '.join(class_names)}), "
            f"got {', '.join(unknown or sheets.labelled.class_names)}; "
            "leave these sheets out, name their folders as the run does, or train on this data"
        )
    index_of = {old: wanted.index(name) for old, name in enumerate(sheets.type_names) if name in wanted}
    items = tuple(_renumbered(item, index_of) for item in sheets.items)
    labelled = label_sheets(items, task, wanted, keep_multi_type=False)
    return replace(sheets, items=items, labelled=labelled, type_names=wanted)


def _renumbered(item: SheetItem, index_of: dict[int, int]) -> SheetItem:
    masks = tuple(
        replace(mask, defect_type=index_of[mask.defect_type]) if mask.defect_type else mask
        for mask in item.masks
    )
    return replace(item, types=tuple(sorted(index_of[type_] for type_ in item.types)), masks=masks)
