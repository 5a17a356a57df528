"""Maps the classes of a DATA folder onto those of a run, by name: DATA may lack some of them.

The defect-free class is matched by its role, so a folder may call it otherwise; pages show the run's name.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from steelsight.errors import BadData
from steelsight.models.card import Card
from steelsight.sheets.labels import label_sheets, renumber_types
from steelsight.training.dataset import SheetData

__all__ = ["match_classes"]


def match_classes(sheets: SheetData, card: Card, data: Path) -> SheetData:
    """The same sheets with the class indices and class names of the run.

    data    the folder in messages
    raises  BadData, naming the classes that the run does not have
    """
    known = sheets.labelled
    if known.class_names == card.class_names and known.clean == card.clean:
        return sheets
    if card.task == "binary":
        labelled = replace(known, class_names=card.class_names, clean_name=card.class_names[0])
        return replace(sheets, labelled=labelled, type_names=(card.class_names[0], *sheets.type_names[1:]))
    clean_name = card.no_defect if card.clean is None else card.class_names[card.clean]
    types = card.class_names if card.clean is None else card.class_names[1:]
    _refuse_unknown(sheets, card, types, data)
    index_of = {
        old: types.index(name) + 1 for old, name in enumerate(sheets.type_names[1:], 1) if name in types
    }
    items = tuple(renumber_types(item, index_of) for item in sheets.items)
    names = (clean_name, *types)
    without = card.task == "multiclass" and card.clean is None
    labelled = label_sheets(
        items, card.task, names, keep_multi_type=False, clean_name=None if without else clean_name
    )
    return replace(sheets, items=items, labelled=labelled, type_names=names)


def _refuse_unknown(sheets: SheetData, card: Card, types: tuple[str, ...], data: Path) -> None:
    """Raise BadData where DATA has a defect type, or defect-free sheets, that the run has no class for."""
    unknown = [name for name in sheets.type_names[1:] if name not in types]
    if card.clean is not None and card.class_names[card.clean] in unknown:
        name = card.class_names[card.clean]
        raise BadData(
            f"{data}: {name} is the defect-free class of the run, and a defect type here; say with "
            f"--defect-free {name} which class is defect-free"
        )
    without = card.task == "multiclass" and card.clean is None
    if without and any(not item.types for item in sheets.items):
        unknown.insert(0, sheets.type_names[0])
    if unknown:
        raise BadData(
            f"{data}: expected only classes of the run ({', '.join(card.class_names)}), "
            f"got {', '.join(unknown)}; "
            "leave these sheets out, name their folders as the run does, or train on this data"
        )
