"""Labelled sheets of one or several DATA folders, in the classes of the new head.

A sheet of several types is fitted with each of them, its weight shared. It counts as defective, its verdict
is right if it is one of its types, and balanced accuracy leaves it out. Equal pictures count once; equal
pictures with different labels are refused. Near-duplicates, of one folder or of two, stay in one fold. Groups
that a table names are the same in every folder; those that a rule numbers (`frames`, `duplicates`) are of
their folder alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.adaptation.classes import ClassPlan
from steelsight.errors import BadData, SharedBackground
from steelsight.names import same_name, shown_name
from steelsight.sheets.catalog import PixelCache, group_sheets, load_pixels, open_data, rules_by_table
from steelsight.sheets.grouping.duplicates import duplicate_groups, first_copies
from steelsight.sheets.grouping.groups import join_groups
from steelsight.sheets.options import DataOptions
from steelsight.sheets.refusals import at_bits_of, refuse_rejected
from steelsight.types import GrayBatch, InputSpec, SheetItem

__all__ = ["FolderFacts", "LabelledSheets", "SheetLabels", "label_by_plan", "label_sample", "read_folders"]


@dataclass(frozen=True)
class FolderFacts:
    """One DATA folder, for the card."""

    name: str
    data_hash: str
    sheets: int


@dataclass(frozen=True, eq=False)
class LabelledSheets:
    """Sheets with the names of their defect types."""

    ids: tuple[str, ...]  # with the folder's name where there are several folders
    images: GrayBatch
    types: tuple[tuple[str, ...], ...]  # empty = defect-free
    groups: tuple[str, ...]  # "" = a group of its own
    folders: tuple[FolderFacts, ...]
    clean_name: str  # what the first folder calls its defect-free class
    notes: tuple[str, ...]
    # What tables call the sheet's groups, its equal copies' included: the same in any folder.
    named: tuple[frozenset[str], ...]
    items: tuple[SheetItem, ...]  # in their folders, with their masks
    known: frozenset[str]  # classes of the folders, as they call them

    def part(self, rows: Int[np.ndarray, " r"]) -> LabelledSheets:
        """Some of the sheets."""
        chosen = rows.tolist()
        return LabelledSheets(
            tuple(self.ids[i] for i in chosen),
            self.images[rows],
            tuple(self.types[i] for i in chosen),
            tuple(self.groups[i] for i in chosen),
            self.folders,
            self.clean_name,
            self.notes,
            tuple(self.named[i] for i in chosen),
            tuple(self.items[i] for i in chosen),
            self.known,
        )


@dataclass(frozen=True, eq=False)
class SheetLabels:
    """The right answers to some sheets."""

    alternatives: tuple[tuple[int, ...], ...]  # class indices, ascending; none = every verdict is wrong
    labels: Int[np.ndarray, " n"]  # the lowest of them

    @property
    def single(self) -> Bool[np.ndarray, " n"]:
        """Sheets with one right answer."""
        return np.array([len(answers) == 1 for answers in self.alternatives], dtype=bool)

    def shares(self, classes: int) -> Float[np.ndarray, "n c"]:
        """What each sheet counts for each class: 1 in all, in equal parts."""
        shares = np.zeros((len(self.alternatives), classes))
        for row, answers in enumerate(self.alternatives):
            shares[row, list(answers)] = 1 / len(answers)
        return shares

    def right(self, verdicts: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Which verdicts are among the right answers."""
        pairs = zip(verdicts.tolist(), self.alternatives, strict=True)
        return np.array([verdict in answers for verdict, answers in pairs], dtype=bool)


def read_folders(
    folders: Sequence[Path], spec: InputSpec, options: DataOptions, renames: dict[str, str]
) -> LabelledSheets:
    """Read DATA folders together, at the input of a bundle.

    renames  names of types in DATA, as `same_name` gives them, and what they become
    raises   BadData for equal pictures with different labels, UnusableItems, and whatever opening raises
    """
    options = at_bits_of(spec, options)
    ids: list[str] = []
    types: list[tuple[str, ...]] = []
    groups: list[str] = []
    named: list[tuple[str, ...]] = []
    images: list[GrayBatch] = []
    items: list[SheetItem] = []
    facts: list[FolderFacts] = []
    known: set[str] = set()
    clean_name = ""
    for number, folder in enumerate(folders):
        cache = load_pixels(open_data(folder, groups=options.groups, options=options), spec)
        refuse_rejected(cache.sheets, options.allow_bad)
        name = shown_name(folder.resolve().name)
        known |= {cache.sheets.clean_name, *cache.sheets.type_names}
        prefix = f"{name}/" if len(folders) > 1 else ""
        names = [renames.get(same_name(each), each) for each in cache.sheets.type_names]
        ids += [shown_name(f"{prefix}{item.id}") for item in cache.sheets.items]
        types += [tuple(names[t] for t in item.types) for item in cache.sheets.items]
        # The folder's number too, for two folders may have one name.
        own = f"{number}/{prefix}" if prefix else ""
        groups += [item.group and f"{own}{item.group}" for item in cache.sheets.items]
        named += _named_groups(cache, options.groups)
        images.append(np.asarray(cache.images))
        items += cache.sheets.items
        facts.append(FolderFacts(name, cache.data_hash, len(cache.sheets.items)))
        clean_name = clean_name or cache.sheets.clean_name
    whole = np.concatenate(images)
    joined, notes = _joined_groups([*zip(*named, strict=True), groups], whole)
    rules = rules_by_table(options.groups)
    keys = tuple(
        frozenset(f"{rule}: {name}" for rule, name in zip(rules, each, strict=True) if name) for each in named
    )
    sheets = LabelledSheets(
        tuple(ids),
        whole,
        tuple(types),
        joined,
        tuple(facts),
        clean_name,
        notes,
        keys,
        tuple(items),
        frozenset(known),
    )
    return _without_copies(sheets)


def label_by_plan(
    sheets: LabelledSheets, plan: ClassPlan, *, binary: bool
) -> tuple[LabelledSheets, SheetLabels]:
    """The sheets whose classes the head has, and their labels; others are left out.

    raises  BadData where no sheet is left
    """
    index = {name: number for number, name in enumerate(plan.names)}
    kept: list[int] = []
    answers: list[tuple[int, ...]] = []
    for row, types in enumerate(sheets.types):
        named = _class_names(types, plan, binary)
        if all(name in index for name in named):
            kept.append(row)
            answers.append(tuple(sorted({index[name] for name in named})))
    if not kept:
        raise BadData(f"expected sheets of {', '.join(plan.names)}, found none; check the classes of DATA")
    chosen = sheets.part(np.array(kept, dtype=np.int64))
    return chosen, SheetLabels(tuple(answers), np.array([each[0] for each in answers], dtype=np.int64))


def label_sample(sheets: LabelledSheets, plan: ClassPlan, *, binary: bool) -> SheetLabels:
    """The labels of sheets that a certificate is given on: all of them, for the line has them too.

    returns  no right answer, and the label -1, for a sheet whose classes the head does not have
    """
    index = {name: number for number, name in enumerate(plan.names)}
    answers = []
    for types in sheets.types:
        named = _class_names(types, plan, binary)
        answers.append(tuple(sorted({index[name] for name in named if name in index})))
    lowest = np.array([each[0] if each else -1 for each in answers], dtype=np.int64)
    return SheetLabels(tuple(answers), lowest)


def _class_names(types: tuple[str, ...], plan: ClassPlan, binary: bool) -> tuple[str, ...]:
    if binary:
        return (plan.names[1] if types else plan.names[0],)
    return types or (plan.clean or "",)


def _named_groups(cache: PixelCache, rule: str | None) -> list[tuple[str, ...]]:
    """For each sheet its group by every part of the rule that names groups by a table; "" = none."""
    ids = [item.id for item in cache.sheets.items]
    found = []
    for part in rules_by_table(rule):
        groups = {item.id: item.group for item in group_sheets(cache.sheets, part).items}
        found.append([groups.get(each, "") for each in ids])
    return list(zip(*found, strict=True)) if found else [()] * len(ids)


def _joined_groups(
    rules: Sequence[Sequence[str]], images: GrayBatch
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Groups by the rules of DATA and by near-duplicates; a note where these cannot be found."""
    try:
        near = duplicate_groups(images)
    except SharedBackground as error:
        return tuple(join_groups(*rules)), (f"near-duplicates were not looked for: {error}",)
    return tuple(join_groups(*rules, near)), ()


def _without_copies(sheets: LabelledSheets) -> LabelledSheets:
    """Each picture once; raises BadData where two equal ones have different labels."""
    first = first_copies(sheets.images)
    named = list(sheets.named)
    for row, original in enumerate(first.tolist()):
        if set(sheets.types[row]) != set(sheets.types[original]):
            names = [" + ".join(sheets.types[i]) or sheets.clean_name for i in (original, row)]
            raise BadData(
                f"{sheets.ids[original]} and {sheets.ids[row]} are the same picture with different labels, "
                f"{names[0]} and {names[1]}; correct one of them, or leave both out"
            )
        named[original] |= named[row]
    kept = np.flatnonzero(first == np.arange(len(first)))
    return replace(sheets, named=tuple(named)).part(kept) if kept.size < len(first) else sheets
