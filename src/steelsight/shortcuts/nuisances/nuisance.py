"""Which sheets have a nuisance: from the truth table of synthetic sheets, from a detector, or from a list.

A list is a CSV file with a column ImageId. Without another column its sheets have the nuisance and all others
do not. With a column `group` (with, without) only the listed sheets take part.
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

__all__ = ["ALIASES", "KINDS", "SOURCES", "Kind", "Nuisance", "group_numbers", "group_sizes", "open_nuisance"]

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
LIKELY = 0.5  # share of a list's sheets with a detection from which the list is of the detector's kind


@dataclass(frozen=True)
class Nuisance:
    """A property unrelated to defects, and which sheets have it."""

    name: str
    kind: Kind | None  # what can be pasted and removed; None: unknown, so only the test can be done
    source: Source
    present: Bool[np.ndarray, " n"]
    listed: Bool[np.ndarray, " n"]  # False: in neither group
    note: str = ""

    def take(self, rows: Int[np.ndarray, " m"]) -> Nuisance:
        """The nuisance on the sheets at these positions."""
        return replace(self, present=self.present[rows], listed=self.listed[rows])


def group_numbers(labels: Labels, present: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Number the groups of class and presence: 2 * class + presence.

    labels   (n,) class index
    returns  (n,)
    """
    numbers: Int[np.ndarray, " n"] = 2 * labels + present
    return numbers


def group_sizes(
    labels: Labels, present: Bool[np.ndarray, " n"], class_names: Sequence[str]
) -> dict[tuple[str, str], int]:
    """Count the sheets of every class "without" and "with" a nuisance, in the order of `group_numbers`.

    labels  (n,) class index, none of them -1
    """
    counts = np.bincount(group_numbers(labels, present), minlength=2 * len(class_names))
    names = [(name, side) for name in class_names for side in ("without", "with")]
    return dict(zip(names, counts.tolist(), strict=True))


def open_nuisance(
    sheets: ProofSheets,
    name: str,
    *,
    source: str = "auto",
    known: Collection[str] | None = None,
) -> Nuisance:
    """Determine which sheets have a nuisance.

    name    stain, end (or edge), or the path of a list
    source  truth: the folder's truth.csv; detector: by pixels; auto: truth where it has every sheet
    known   names a list may hold beyond those of `sheets`: the rest of the folder; None = no others
    raises  BadInput for an unknown nuisance; BadData for a list that names absent sheets, a sheet twice with
            different groups, or none of `sheets`
    """
    if source not in SOURCES:
        raise BadInput(f"--groups-from: expected one of {', '.join(SOURCES)}, got {source!r}")
    for kind in DETECTORS:
        if ALIASES.get(name, name) == kind:
            return _detected(sheets, kind, source)
    path = Path(name)
    if not path.is_file():
        raise BadInput(
            f"--nuisance {name}: expected stain, end, or a CSV file with a column ImageId; "
            "it is neither of these words, and no such file exists"
        )
    return _listed(sheets, path, sheets.ids if known is None else known)


def _detected(sheets: ProofSheets, kind: Kind, source: str) -> Nuisance:
    everyone = np.ones(len(sheets), dtype=bool)
    truth = None if source == "detector" else _read_truth(sheets, kind)
    if truth is not None:
        return Nuisance(kind, kind, "truth", truth, everyone, f"from {TRUTH_FILE}")
    if source == "truth":
        raise BadData(
            f"{sheets.name}: expected {TRUTH_FILE} with a row for every sheet, as `steelsight synth` "
            "writes it; use --groups-from detector"
        )
    present = DETECTORS[kind](sheets.images) > 0
    return Nuisance(kind, kind, "detector", present, everyone, "from the detector, which can be wrong")


def _read_truth(sheets: ProofSheets, kind: Kind) -> Bool[np.ndarray, " n"] | None:
    """Presence by the generator's own table; None where the table is missing or lacks a sheet."""
    if sheets.root is None or not (sheets.root / TRUTH_FILE).is_file():
        return None
    table = read_table(sheets.root / TRUTH_FILE)
    column = {"stain": "stain_area_px", "end": "end_width_px"}[kind]
    if not {"ImageId", column} <= set(table.columns):
        return None
    has_it = {row.cells["ImageId"]: row.cells[column] not in ("", "0") for row in table.rows}
    if not all(id_ in has_it for id_ in sheets.ids):
        return None
    return np.array([has_it[id_] for id_ in sheets.ids], dtype=bool)


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
            f"{len(sheets)} evaluated sheets of {sheets.name}; list others, or choose another --split"
        )
    elsewhere = len(set(groups) - set(sheets.ids))
    note = f"from {path.name}" + (
        f"; {elsewhere} of the listed sheets are not among the evaluated sheets" * (elsewhere > 0)
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
    """The kind whose detector finds something on most of a list's sheets; None if there is no such kind."""
    for kind, detect in DETECTORS.items():
        detected = detect(np.asarray(sheets.images[present])) > 0
        if detected.mean() >= LIKELY:
            return kind
    return None
