"""The defects of a coil as a table, in CSV or Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from steelsight.csv_text import csv_text
from steelsight.files import replace_file
from steelsight.ledger.coils.defects import MergedDefect

__all__ = ["COLUMNS", "defect_rows", "defects_csv", "defects_parquet", "write_defects"]

COLUMNS: Final = {
    "coil": pa.string(),
    "id": pa.string(),
    "label": pa.string(),
    "side": pa.string(),
    **dict.fromkeys(
        ("start_m", "end_m", "left_mm", "right_mm", "length_mm", "width_mm", "area_mm2", "score"),
        pa.float64(),
    ),
    "members": pa.string(),  # sheet:region, separated by spaces
}


def defect_rows(coil: str, defects: Sequence[MergedDefect]) -> list[dict[str, Any]]:
    """One row a defect, with the table's columns."""
    rows = []
    for each in defects:
        members = " ".join(f"{sheet}:{index}" for sheet, index in each.members)
        rows.append({"coil": coil, **each.as_dict(), "members": members})
    return rows


def defects_csv(coil: str, defects: Sequence[MergedDefect]) -> str:
    """The table as CSV with a heading; text that a spreadsheet takes for a formula is made safe."""
    rows = defect_rows(coil, defects)
    return csv_text([list(COLUMNS), *([row[name] for name in COLUMNS] for row in rows)])


def defects_parquet(coil: str, defects: Sequence[MergedDefect]) -> bytes:
    """The table as the content of a Parquet file."""
    table = pa.Table.from_pylist(defect_rows(coil, defects), schema=pa.schema(list(COLUMNS.items())))
    buffer = BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def write_defects(
    path: Path, coil: str, defects: Sequence[MergedDefect], form: Literal["csv", "parquet"]
) -> None:
    """Write the table into a file.

    raises  BadOutput where it cannot be written
    """
    replace_file(
        path, defects_csv(coil, defects).encode() if form == "csv" else defects_parquet(coil, defects)
    )
