"""Which sheets have a nuisance: from the truth table of synthetic sheets, from a detector, or from a list.

A list is a CSV file with a column ImageId. Without another column its sheets have the nuisance and all others
do not. With a column `group` (with, without) only the listed sheets take part. A column `EncodedPixels` says
where it was marked, in run lengths on the image: a nuisance that no detector knows is cut out there. Tables
name sheets as `sheets.formats.image_names` reads names.

A list may be of other sheets, which lie beside it, as `steelsight reviews export` writes it. Then it shows
how the nuisance looks, and which of the evaluated sheets have it is known by a detector or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int

from steelsight.counterfactuals.nuisances.examples import NuisanceExamples, read_examples
from steelsight.counterfactuals.nuisances.sheet_ends import end_widths
from steelsight.counterfactuals.nuisances.stains import stain_areas
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.errors import BadData, BadInput
from steelsight.sheets.formats.named_rows import NamedRows, match_rows
from steelsight.sheets.formats.tables import CsvTable, read_table
from steelsight.types import GrayBatch, Labels, Mask

__all__ = [
    "ALIASES",
    "DETECTORS",
    "KINDS",
    "SOURCES",
    "Kind",
    "Nuisance",
    "group_numbers",
    "group_sizes",
    "likely_kind",
    "open_nuisance",
]

Kind = Literal["stain", "end", "mark"]  # mark: what was marked on the sheets of a list
Source = Literal["truth", "detector", "list"]

TRUTH_FILE = "truth.csv"
RUNS = "EncodedPixels"  # column of a list: what was marked, as run lengths on the image
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
    # What was marked, as run lengths on the image file, one a sheet, "" = nothing; () = not used.
    marks: tuple[str, ...] = ()
    examples: NuisanceExamples | None = None  # other sheets that have it

    def region(self, sheets: ProofSheets, row: int) -> Mask:
        """What was marked on a sheet, (h, w).

        raises  BadAnnotation where the run lengths do not describe a mask of its image
        """
        if not self.marks or not self.marks[row] or sheets.read_runs is None:
            return np.zeros(sheets.images.shape[1:], dtype=bool)
        return sheets.read_runs(row, self.marks[row])

    def take(self, rows: Int[np.ndarray, " m"]) -> Nuisance:
        """The nuisance on the sheets at these positions."""
        marks = tuple(self.marks[row] for row in rows.tolist()) if self.marks else ()
        return replace(self, present=self.present[rows], listed=self.listed[rows], marks=marks)


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
    allow_bad: int = 0,
) -> Nuisance:
    """Determine which sheets have a nuisance.

    name       stain, end (or edge), or the path of a list
    source     truth: the folder's truth.csv; detector: by pixels; auto: truth where it has every sheet
    known      names a table may hold beyond those of `sheets`: the rest of the folder; None = no others
    allow_bad  rows that name no sheet or several, and sheets without a row of truth.csv, that are tolerated;
               such sheets are in neither group
    raises     BadInput for an unknown nuisance; BadData for a table with more such rows, one that lists a
               sheet twice with different groups, or none of `sheets`
    """
    if source not in SOURCES:
        raise BadInput(f"--groups-from: expected one of {', '.join(SOURCES)}, got {source!r}")
    others = sheets.ids if known is None else known
    for kind in DETECTORS:
        if ALIASES.get(name, name) == kind:
            return _detected(sheets, kind, source, others, allow_bad)
    path = Path(name)
    if not path.is_file():
        raise BadInput(
            f"--nuisance {name}: expected stain, end, or a CSV file with a column ImageId; "
            "it is neither of these words, and no such file exists"
        )
    return _listed(sheets, path, source, others, allow_bad)


def _detected(
    sheets: ProofSheets, kind: Kind, source: str, known: Collection[str], allow_bad: int
) -> Nuisance:
    everyone = np.ones(len(sheets), dtype=bool)
    wrong = "from the detector, which can be wrong"
    if source != "detector":
        values = _read_truth(sheets, kind, known)
        missing = [id_ for id_ in sheets.ids if id_ not in values]
        if values and len(missing) <= (allow_bad if source == "truth" else 0):
            present = np.array([values.get(id_, "") not in ("", "0") for id_ in sheets.ids], dtype=bool)
            listed = np.array([id_ in values for id_ in sheets.ids], dtype=bool)
            note = f"from {TRUTH_FILE}" + f"; {len(missing)} sheets without a row left out" * bool(missing)
            return Nuisance(kind, kind, "truth", present, listed, note)
        if source == "truth":
            raise BadData(
                f"{sheets.name}: expected {TRUTH_FILE} with a row for every sheet, as `steelsight synth` "
                f"writes it; {len(missing)} of {len(sheets)} sheets have none, such as "
                f"{', '.join(missing[:3])}; correct the names, or use --groups-from detector"
            )
        if values:
            wrong += f"; {TRUTH_FILE} is not used, since {len(missing)} of {len(sheets)} sheets have no row"
    return Nuisance(kind, kind, "detector", DETECTORS[kind](sheets.images) > 0, everyone, wrong)


def _read_truth(sheets: ProofSheets, kind: Kind, known: Collection[str]) -> dict[str, str]:
    """The generator's own measure of a nuisance by sheet; empty where there is no such table."""
    if sheets.root is None or not (sheets.root / TRUTH_FILE).is_file():
        return {}
    table = read_table(sheets.root / TRUTH_FILE)
    column = {"stain": "stain_area_px", "end": "end_width_px"}[kind]
    if not {"ImageId", column} <= set(table.columns):
        return {}
    named = match_rows(table, sheets.ids, others=known)
    values: dict[str, str] = {}
    for id_, rows in named.rows.items():
        if id_ not in named.doubtful and len({row.cells[column] for row in rows}) == 1:
            values[id_] = rows[0].cells[column]
    return {id_: values[id_] for id_ in sheets.ids if id_ in values}


def _listed(sheets: ProofSheets, path: Path, source: str, known: Collection[str], allow_bad: int) -> Nuisance:
    table = read_table(path)
    table.need(["ImageId"])
    for line, reason in table.ragged:
        raise BadData(f"{table.name} row {line}: {reason}")
    named = match_rows(table, sheets.ids, others=known)
    groups = _read_groups(table, named)
    if not named.rows and (found := _listed_elsewhere(sheets, path, table)) is not None:
        return _by_examples(sheets, path, found, source, known, allow_bad)
    count = len({row.cells[named.key] for row in table.rows})
    if len(named.faults) > allow_bad:
        what = "fit several sheets of" if named.doubtful else "are not in"
        raise BadData(
            f"{path.name}: {len({fault.id for fault in named.faults})} of {count} listed sheets {what} "
            f"{sheets.name}, such as {', '.join(fault.id for fault in named.faults[:3])}; correct the names, "
            f"give the folder they lie in, or tolerate them with --allow-bad {len(named.faults)}"
        )
    two_lists = "group" in table.columns
    listed = np.array(
        [id_ not in named.doubtful and (not two_lists or id_ in groups) for id_ in sheets.ids], dtype=bool
    )
    present = np.array([groups.get(id_, False) for id_ in sheets.ids], dtype=bool) & listed
    if not present.any():
        raise BadData(
            f"{path.name}: none of its {sum(groups.values())} sheets with the nuisance is among the "
            f"{len(sheets)} evaluated sheets of {sheets.name}; list others, or choose another --split"
        )
    elsewhere = len(set(groups) - set(sheets.ids))
    note = f"from {path.name}" + (
        f"; {elsewhere} of the listed sheets are not among the evaluated sheets" * (elsewhere > 0)
    )
    note += f"; {len(named.faults)} rows name no sheet or several and are not used" * bool(named.faults)
    kind = likely_kind(np.asarray(sheets.images[present]))
    marks = () if kind is not None else _read_marks(sheets, named, present)
    return Nuisance(path.stem, kind or ("mark" if any(marks) else None), "list", present, listed, note, marks)


def _listed_elsewhere(sheets: ProofSheets, path: Path, table: CsvTable) -> NuisanceExamples | None:
    """The sheets with the nuisance that lie beside a list of other sheets; None where none does."""
    if sheets.spec is None:
        return None
    rows = [
        (row.cells["ImageId"], row.cells.get(RUNS, ""))
        for row in table.rows
        if GROUP_WORDS[row.cells.get("group", "with").lower()]
    ]
    return read_examples(path.parent, rows, sheets.spec)


def _by_examples(
    sheets: ProofSheets,
    path: Path,
    examples: NuisanceExamples,
    source: str,
    known: Collection[str],
    allow_bad: int,
) -> Nuisance:
    """A nuisance that a list shows on other sheets; a detector of its kind finds it on these."""
    kind = likely_kind(examples.images)
    note = f"{path.name} lists {len(examples)} other sheets with it; on these sheets it is "
    if kind is not None:
        found = _detected(sheets, kind, source, known, allow_bad)
        return replace(found, name=path.stem, examples=examples, note=f"{note}known {found.note}")
    if not examples.marks.any():
        raise BadData(
            f"{path.name}: none of its sheets is among those of {sheets.name}, and no detector knows what is "
            "on them; list sheets of this folder, or mark the nuisance on the sheets of the list"
        )
    nobody = np.zeros(len(sheets), dtype=bool)
    note += "not known"
    return Nuisance(path.stem, "mark", "list", nobody, nobody.copy(), note, examples=examples)


def _read_groups(table: CsvTable, named: NamedRows) -> Mapping[str, bool]:
    """Whether each listed sheet has the nuisance."""
    if not table.rows:
        raise BadData(f"{table.name}: expected at least one sheet, found none")
    groups: dict[str, bool] = {}
    for row in table.rows:
        word = row.cells.get("group", "with").lower()
        if word not in GROUP_WORDS:
            raise BadData(f"{table.name} row {row.line}: group {word!r}, expected with or without")
    for id_, rows in named.rows.items():
        for row in rows:
            has_it = GROUP_WORDS[row.cells.get("group", "with").lower()]
            if groups.setdefault(id_, has_it) != has_it:
                raise BadData(f"{table.name} row {row.line} ({id_}): listed in both groups; keep one")
    return groups


def _read_marks(sheets: ProofSheets, named: NamedRows, present: Bool[np.ndarray, " n"]) -> tuple[str, ...]:
    """Run lengths in the column EncodedPixels of the sheets with the nuisance; () where there is none."""
    found = {
        id_: next((row.cells[RUNS] for row in rows if row.cells.get(RUNS)), "")
        for id_, rows in named.rows.items()
    }
    marks = tuple(
        found.get(id_, "") if has_it else "" for id_, has_it in zip(sheets.ids, present.tolist(), strict=True)
    )
    return marks if any(marks) and sheets.read_runs is not None else ()


def likely_kind(images: GrayBatch) -> Kind | None:
    """The kind whose detector finds something on most of a list's sheets; None if there is no such kind.

    images  (n, h, w) uint8 of the sheets that have it
    """
    for kind, detect in DETECTORS.items():
        if len(images) and (detect(images) > 0).mean() >= LIKELY:
            return kind
    return None
