"""Labels that a head cannot be fitted to and judged on: too few of a class, one class, one group.

Nor can a bundle that was adapted before be judged on sheets that its own head was fitted to.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np

from steelsight.adaptation.classes import ClassPlan
from steelsight.adaptation.sheets import LabelledSheets, SheetLabels
from steelsight.errors import BadData
from steelsight.groups import group_keys
from steelsight.runtime.bundle.card import BundleCard
from steelsight.types import GrayBatch

__all__ = ["picture_marks", "refuse_refitted", "refuse_unsuitable"]

FEWEST_GROUPS_A_CLASS: Final = 3  # one to test on, and two for the folds that choose the penalty


def refuse_unsuitable(sheets: LabelledSheets, labels: SheetLabels, plan: ClassPlan) -> None:
    """Raise BadData, naming the class and what to bring."""
    groups = np.array(group_keys(sheets.groups))
    if len(plan.names) < 2:
        raise BadData(f"expected at least two classes, got {plan.names[0]} alone; bring sheets of others")
    if np.unique(groups).size == 1:
        raise BadData(
            f"all {len(sheets.ids)} sheets are of one group ({sheets.groups[0]}), so nothing can be judged "
            "on sheets of another; bring sheets of further coils or tiles, or correct --groups"
        )
    for number, name in enumerate(plan.names):
        members = labels.single & (labels.labels == number)
        count, separate = int(members.sum()), np.unique(groups[members]).size
        if separate < FEWEST_GROUPS_A_CLASS:
            raise BadData(
                f"class {name}: {count} sheet{'s' * (count != 1)} of one type in {separate} "
                f"group{'s' * (separate != 1)}, expected at least {FEWEST_GROUPS_A_CLASS} sheets of "
                "different groups to fit it and judge it; label more, or leave the class out"
                + ("" if name in plan.new else f" with --drop '{name}'")
            )


def picture_marks(images: GrayBatch) -> list[str]:
    """A short hash of each picture, by which a card remembers what its head was fitted to."""
    return [hashlib.blake2b(image.tobytes(), digest_size=8).hexdigest() for image in images]


def refuse_refitted(sheets: LabelledSheets, card: BundleCard, where: str) -> None:
    """Raise BadData where the bundle's own head was fitted to some of the sheets."""
    entries = card.source.get("adapted")
    last = entries[-1] if isinstance(entries, list) and entries else None
    known = last.get("pictures") if isinstance(last, dict) else None
    if not isinstance(last, dict) or not isinstance(known, list):
        return
    met = set(map(str, known)) & set(picture_marks(sheets.images))
    if met:
        raise BadData(
            f"{where}: its head was fitted to {len(met)} of these {len(sheets.ids)} sheets, so its figures "
            "on them are optimistic and nothing can be compared; adapt the bundle it came from "
            f"({last.get('from_model_id')}) to all sheets together, or leave these out"
        )
