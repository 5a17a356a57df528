"""Labels that a head cannot be fitted to and judged on: too few of a class, one class, one group."""

from __future__ import annotations

from typing import Final

import numpy as np

from steelsight.adaptation.classes import ClassPlan
from steelsight.adaptation.sheets import LabelledSheets, SheetLabels
from steelsight.errors import BadData
from steelsight.groups import group_keys

__all__ = ["FEWEST_GROUPS_A_CLASS", "refuse_unsuitable"]

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
