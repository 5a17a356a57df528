"""Labels that a head cannot be fitted to and judged on: too few of a class, one class, one group.

Nor can a bundle that was adapted before be judged on sheets that its own head was fitted to. Of sheets that
its network was trained on, a note says how many there are; a certificate is refused on them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from steelsight.adaptation.classes import ClassPlan
from steelsight.adaptation.sheets import LabelledSheets, SheetLabels
from steelsight.errors import BadData
from steelsight.groups import group_keys
from steelsight.runtime.bundle.card import BundleCard
from steelsight.runtime.bundle.open import Bundle
from steelsight.runtime.bundle.seen import picture_marks, read_marks

__all__ = ["note_trained_on", "refuse_refitted", "refuse_trained_on", "refuse_unsuitable"]

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


def note_trained_on(sheets: LabelledSheets, bundle: Bundle) -> tuple[str, ...]:
    """What is to be known of labelled sheets that the bundle's network was trained on, in words."""
    met, folders = _trained_on(sheets, bundle)
    notes = []
    if met:
        notes.append(f"the network was trained on {len(met)} of these {len(sheets.ids)} sheets")
    notes += [f"the network was trained on a folder equal to {name}" for name in folders]
    notes = [
        f"{words}: figures, threshold and limit of familiarity are optimistic on its sheets"
        for words in notes
    ]
    if read_marks(bundle) is None:
        notes.append(
            "the bundle does not say which sheets its network was trained on, so only whole folders were "
            "compared with those of its training; bundles exported from now on say it"
        )
    return tuple(notes)


def refuse_trained_on(sample: LabelledSheets, bundle: Bundle, folder: Path) -> None:
    """Raise BadData where the network, or the head of an earlier adaptation, was fitted to some sheets."""
    met, folders = _trained_on(sample, bundle)
    if folders:
        raise BadData(
            f"{folder}: the network of {bundle.folder} was trained on this very folder; a certificate needs "
            "sheets that were never fitted on: draw others"
        )
    earlier = set(picture_marks(sample.images)) & _fitted_before(bundle.card)
    if met or earlier:
        first = next(
            name
            for name, mark in zip(sample.ids, picture_marks(sample.images), strict=True)
            if mark in met | earlier
        )
        raise BadData(
            f"{folder}: the network or an earlier head of {bundle.folder} was fitted to "
            f"{len(met | earlier)} of {len(sample.ids)} sheets, such as {first}; a certificate needs sheets "
            "that were never fitted on: draw others"
        )


def _trained_on(sheets: LabelledSheets, bundle: Bundle) -> tuple[set[str], list[str]]:
    """Marks of sheets, and names of folders, that the network was trained on."""
    source = bundle.card.source
    entries = source.get("started_from")
    runs = [source, *(entries if isinstance(entries, list) else [])]
    hashes = {each.get("data_hash") for each in runs if isinstance(each, dict)} - {None}
    folders = [folder.name for folder in sheets.folders if folder.data_hash in hashes]
    return set(picture_marks(sheets.images)) & (read_marks(bundle) or frozenset()), folders


def _fitted_before(card: BundleCard) -> set[str]:
    """Marks of the sheets that the heads of all earlier adaptations were fitted to."""
    entries = card.source.get("adapted")
    known: set[str] = set()
    for entry in entries if isinstance(entries, list) else []:
        pictures = entry.get("pictures") if isinstance(entry, dict) else None
        known |= set(map(str, pictures)) if isinstance(pictures, list) else set()
    return known
