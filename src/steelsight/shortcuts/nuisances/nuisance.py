"""Which sheets have a nuisance: told by the truth of synthetic sheets, by a detector, or by a list.

A list is a CSV file with a column ImageId. Without another column its sheets are those with the nuisance, all
others are without. With a column `group` (with, without) only the sheets it lists take part.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int

from steelsight.errors import BadData, BadInput
from steelsight.sheets.formats.tables import CsvTable, read_table
from steelsight.shortcuts.nuisances.sheet_ends import end_widths
from steelsight.shortcuts.nuisances.stains import stain_areas
from steelsight.shortcuts.sheets import ProofSheets
from steelsight.types import GrayBatch, Labels

__all__ = ["KINDS", "SOURCES", "Kind", "Nuisance", "group_numbers", "group_sizes", "open_nuisance"]

Kind = Literal["stain", "end"]
Source = Literal["truth", "detector", "list"]

TRUTH_FILE = "truth.csv"
SOURCES = ("auto", "truth", "detector")
ALIASES = {"edge": "end"}
DETECTORS: dict[Kind, Callable[[GrayBatch], Int[np.ndarray, " n"]]] = {
    "stain": stain_areas,
    "end": end_widths,
}
KINDS = tuple(DETECTORS)
GROUP_WORDS = {"with": True, "1": True, "yes": True, "without": False, "0": False, "no": False}
LIKELY = 0.5  # of a list's sheets on which a detector must answer for the list to be of its kind


@dataclass(frozen=True)
class Nuisance:
    """A harmless thing, and which of some sheets have it."""

    name: str
    kind: Kind | None  # what can be pasted and taken away; None: nothing known, only the test remains
    source: Source
    present: Bool[np.ndarray, " n"]
    listed: Bool[np.ndarray, " n"]  # False: in neither group
    note: str = ""

    def take(self, rows: Int[np.ndarray, " m"]) -> Nuisance:
        """The same of some of the sheets."""
        return replace(self, present=self.present[rows], listed=self.listed[rows])


def group_numbers(labels: Labels, present: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Class and presence of a nuisance as one number: 2 class + presence."""
    numbers: Int[np.ndarray, " n"] = 2 * labels + present
    return numbers


def group_sizes(
    labels: Labels, present: Bool[np.ndarray, " n"], class_names: Sequence[str]
) -> dict[tuple[str, str], int]:
    """Sheets of every class "without" and "with" a nuisance, in the order of `group_numbers`.

    labels  no sheet of several types among them
    """
    counts = np.bincount(group_numbers(labels, present), minlength=2 * len(class_names))
    names = [(name, side) for name in class_names for side in ("without", "with")]
    return dict(zip(names, counts.tolist(), strict=True))


def open_nuisance(
    sheets: ProofSheets,
    asked: str,
    *,
    source: str = "auto",
    known: Collection[str] | None = None,
) -> Nuisance:
    """Find which sheets have a nuisance.

    asked   stain, end (or edge), or the path of a list
    source  truth: the folder's truth.csv; detector: by pixels; auto: truth where it tells of every sheet
    known   names a list may hold beyond those of `sheets`: the rest of the folder; None = no others
    raises  BadInput for an unknown nuisance; BadData for a list that names absent sheets, a sheet twice with
            different groups, or none of the sheets at hand
    """
    if source not in SOURCES:
        raise BadInput(f"--groups-from: expected one of {', '.join(SOURCES)}, got {source!r}")
    name = ALIASES.get(asked, asked)
    for kind in DETECTORS:
        if name == kind:
            return _detected(sheets, kind, source)
    path = Path(asked)
    if not path.is_file():
        raise BadInput(
            f"--nuisance {asked}: expected stain, end, or a CSV file with a column ImageId; "
            "found neither such a word nor such a file"
        )
    return _listed(sheets, path, sheets.ids if known is None else known)


def _detected(sheets: ProofSheets, kind: Kind, source: str) -> Nuisance:
    everyone = np.ones(len(sheets), dtype=bool)
    truth = None if source == "detector" else _read_truth(sheets, kind)
    if truth is not None:
        return Nuisance(kind, kind, "truth", truth, everyone, f"as {TRUTH_FILE} says")
    if source == "truth":
        raise BadData(
            f"{sheets.name}: expected {TRUTH_FILE} with a row for every sheet, as `steelsight synth` "
            "writes it; use --groups-from detector"
        )
    present = DETECTORS[kind](sheets.images) > 0
    return Nuisance(kind, kind, "detector", present, everyone, "found by the detector, which can be wrong")


def _read_truth(sheets: ProofSheets, kind: Kind) -> Bool[np.ndarray, " n"] | None:
    """Presence by the generator's own table; None where there is none, or it lacks a sheet."""
    if sheets.root is None or not (sheets.root / TRUTH_FILE).is_file():
        return None
    table = read_table(sheets.root / TRUTH_FILE)
    column = {"stain": "stain_area_px", "end": "end_width_px"}[kind]
    if not {"ImageId", column} <= set(table.columns):
        return None
    found = {row.cells["ImageId"]: row.cells[column] not in ("", "0") for row in table.rows}
    if not all(id_ in found for id_ in sheets.ids):
        return None
    return np.array([found[id_] for id_ in sheets.ids], dtype=bool)


def _listed(sheets: ProofSheets, path: Path, known: Collection[str]) -> Nuisance:
    table = read_table(path)
    table.need(["ImageId"])
    groups = _read_groups(table)
    absent = sorted(set(groups) - set(known) - set(sheets.ids))
    if absent:
        raise BadData(
            f"{path.name}: {len(absent)} of {len(groups)} listed sheets are not in {sheets.name}, such as "
            f"{', '.join(absent[:3])}; correct the names, or give the folder they lie in"
        )
    two_lists = "group" in table.columns
    listed = np.array([not two_lists or id_ in groups for id_ in sheets.ids], dtype=bool)
    present = np.array([groups.get(id_, False) for id_ in sheets.ids], dtype=bool)
    if not present.any():
        raise BadData(
            f"{path.name}: none of its {sum(groups.values())} sheets with the nuisance is among the "
            f"{len(sheets)} judged sheets of {sheets.name}; list others, or choose another --split"
        )
    elsewhere = len(set(groups) - set(sheets.ids))
    note = f"as {path.name} lists" + (
        f"; of the listed, {elsewhere} are not among the judged sheets" * (elsewhere > 0)
    )
    return Nuisance(path.stem, _likely_kind(sheets, present), "list", present, listed, note)


def _read_groups(table: CsvTable) -> Mapping[str, bool]:
    groups: dict[str, bool] = {}
    for line, reason in table.ragged:
        raise BadData(f"{table.name} row {line}: {reason}")
    for row in table.rows:
        word = row.cells.get("group", "with").lower()
        if word not in GROUP_WORDS:
            raise BadData(f"{table.name} row {row.line}: group {word!r}, expected with or without")
        id_ = row.cells["ImageId"]
        if groups.setdefault(id_, GROUP_WORDS[word]) != GROUP_WORDS[word]:
            raise BadData(f"{table.name} row {row.line} ({id_}): listed in both groups; keep one")
    if not groups:
        raise BadData(f"{table.name}: expected at least one sheet, found none")
    return groups


def _likely_kind(sheets: ProofSheets, present: Bool[np.ndarray, " n"]) -> Kind | None:
    """What a list's sheets have in common, where a detector knows it and most others lack it."""
    for kind, detect in DETECTORS.items():
        found = detect(np.asarray(sheets.images[present])) > 0
        if found.mean() >= LIKELY:
            return kind
    return None
