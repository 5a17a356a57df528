"""The files of a RUN folder with one row a sheet: splits.csv and predictions.parquet."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float32, Int

from steelsight.checksums import is_checked, read_checked
from steelsight.csv_text import csv_text, read_cell
from steelsight.errors import BadCheckpoint
from steelsight.files import replace_file, replace_through
from steelsight.names import shown_name
from steelsight.reading import parse_object
from steelsight.sheets.grouping.duplicates import pixel_hashes
from steelsight.sheets.grouping.splits import Split
from steelsight.training.dataset import SheetData
from steelsight.types import Logits, Probabilities

__all__ = [
    "PARTS",
    "SplitRow",
    "pixel_hashes",
    "positions_of",
    "read_logits",
    "read_metrics",
    "read_rows",
    "read_splits",
    "split_names",
    "split_rows",
    "truth_names",
    "write_predictions",
    "write_splits",
]

PARTS = ("train", "validation", "test")
APART = "apart"  # dropped from training: sheets of several types in multi-class work
METRICS_FILE = "metrics.json"
RECIPE_FILE = "recipe.json"
PREDICTIONS_FILE = "predictions.parquet"
SPLITS_FILE = "splits.csv"
FRESH = "or train again with --fresh"
COLUMNS = ("id", "split", "group", "label", "pixels")


@dataclass(frozen=True)
class SplitRow:
    """One sheet of a run; `pixels` identifies it in other folders, whatever its name."""

    id: str
    split: str  # train, validation, test or apart
    group: str
    label: str  # class name; several joined by "+"; "" for a multilabel sheet without defects
    pixels: str  # start of the SHA-256 of its bytes at model size


def split_names(split: Split, count: int) -> list[str]:
    """The part of each of `count` positions; positions in no part are `apart`."""
    names = [APART] * count
    for part in PARTS:
        for position in getattr(split, part).tolist():
            names[position] = part
    return names


def truth_names(data: SheetData) -> list[str]:
    """The class of each sheet by name; several classes joined by "+"."""
    names = data.labelled.class_names
    return ["+".join(names[answer] for answer in answers) for answers in data.labelled.alternatives]


def split_rows(data: SheetData, parts: list[str]) -> list[SplitRow]:
    """One row a sheet, as splits.csv has them.

    parts  the part each sheet is in, see `split_names`
    """
    ids, groups = map(shown_name, data.ids), map(shown_name, data.groups)
    columns = (ids, parts, groups, truth_names(data), pixel_hashes(data.images))
    return [SplitRow(*row) for row in zip(*columns, strict=True)]


def write_splits(folder: Path, data: SheetData, parts: list[str]) -> None:
    """Write splits.csv, one row a sheet."""
    rows = (astuple(row) for row in split_rows(data, parts))
    replace_file(folder / SPLITS_FILE, csv_text([COLUMNS, *rows]))


def read_splits(folder: Path) -> list[SplitRow]:
    """The rows of splits.csv; raises BadCheckpoint where it is missing, altered or malformed."""
    splits = read_rows(folder / SPLITS_FILE)
    if not is_checked(folder, SPLITS_FILE):
        _refuse_other_counts(folder, splits)
    return splits


def read_rows(path: Path) -> list[SplitRow]:
    """The rows of a table in the columns of splits.csv; raises BadCheckpoint as `read_splits`."""
    try:
        text = read_checked(path, advice=f"restore it, {FRESH}").decode("utf-8")
        rows = [[read_cell(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline=""))]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadCheckpoint(
            f"{path}: expected the split of the run, got {error}; "
            "without it the training sheets are unknown; restore the file"
        ) from error
    if not rows or tuple(rows[0]) != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
        raise BadCheckpoint(f"{path}: expected the columns {', '.join(COLUMNS)}; restore the file")
    return [SplitRow(*row) for row in rows[1:]]


def _refuse_other_counts(folder: Path, splits: Sequence[SplitRow]) -> None:
    """Compare a split without checksum with the sizes of the parts in metrics.json, where that has them."""
    try:
        expected = read_metrics(folder)["data"]["parts"]
    except (OSError, ValueError, LookupError, TypeError):  # an unfinished run, or one without sizes
        return
    counts = dict(Counter(row.split for row in splits))
    if isinstance(expected, dict) and expected and counts != {k: n for k, n in expected.items() if n}:
        raise BadCheckpoint(
            f"{folder / SPLITS_FILE}: expected {expected} sheets as in {METRICS_FILE}, got {counts}; "
            f"it was altered or damaged; restore it, {FRESH}"
        )


def write_predictions(
    path: Path,
    data: SheetData,
    parts: list[str],
    predicted: list[str],
    probabilities: Probabilities,
    logits: Logits,
) -> None:
    """Write id, split, group, label, predicted, probabilities and logits; class names in the metadata.

    parts      the part of each sheet
    predicted  the predicted class of each sheet by name
    """
    table = pa.table(
        {
            "id": [shown_name(id_) for id_ in data.ids],
            "split": parts,
            "group": [shown_name(group) for group in data.groups],
            "label": truth_names(data),
            "predicted": predicted,
            "probabilities": pa.array(probabilities.tolist(), pa.list_(pa.float64())),
            "logits": pa.array(logits.tolist(), pa.list_(pa.float32())),
        },
        metadata={"class_names": "\n".join(data.labelled.class_names)},
    )
    replace_through(path, lambda new: pq.write_table(table, new))


def read_metrics(folder: Path) -> dict[str, Any]:
    """The object of metrics.json.

    raises  OSError; ValueError where it holds no JSON object; BadCheckpoint where it was altered
    """
    return parse_object(read_checked(folder / METRICS_FILE, advice=f"restore it, {FRESH}"))


def read_logits(folder: Path) -> Float32[np.ndarray, "n c"]:
    """The logits of predictions.parquet, in the order of its data; raises BadCheckpoint if unreadable."""
    path = folder / PREDICTIONS_FILE
    try:
        content = pa.BufferReader(read_checked(path, advice=f"restore it, {FRESH}"))
        column = pq.read_table(content, columns=["logits"])["logits"]
    except (OSError, KeyError, pa.ArrowException) as error:
        raise BadCheckpoint(f"{path}: expected the run's predictions, got {error}; train again") from error
    return np.array(column.to_pylist(), dtype=np.float32)


def positions_of(parts: list[str], name: str) -> Int[np.ndarray, " p"]:
    """The positions of one part."""
    positions: Int[np.ndarray, " p"] = np.flatnonzero(np.array(parts) == name)
    return positions
