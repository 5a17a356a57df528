"""The saved plan of a scan: which sheets, in which order, in which parts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from steelsight.errors import BadOutput
from steelsight.files import replace_file
from steelsight.runtime.scan.archives.members import Member
from steelsight.runtime.scan.sources import PlannedSheet
from steelsight.types import Reason

__all__ = ["PART", "PLAN_FILE", "ScanPlan", "open_plan", "sheets_of", "write_plan"]

PLAN_FILE: Final = "plan.parquet"
PART: Final = 512  # sheets: the unit of work and of writing

_MEMBER: Final = ("codec", "offset", "size", "packed", "crc", "stamp")
_SCHEMA: Final = pa.schema(
    [
        ("index", pa.int64()),
        ("name", pa.string()),
        ("path", pa.binary()),  # bytes of the file system, which need not be text
        ("codec", pa.string()),
        ("offset", pa.int64()),
        ("size", pa.int64()),
        ("packed", pa.int64()),
        ("crc", pa.int64()),
        ("stamp", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)


@dataclass(frozen=True)
class ScanPlan:
    """A saved plan, read part by part."""

    path: Path
    sheets: int
    parts: int
    checksum: str

    def part(self, number: int) -> list[PlannedSheet]:
        """The sheets of one part, by its number from 0."""
        return sheets_of(self.rows(number))

    def rows(self, number: int) -> pa.Table:
        """The rows of one part as they are saved; `sheets_of` reads them."""
        # Opened here: pyarrow takes no path of bytes that are not text.
        with self.path.open("rb") as opened, pq.ParquetFile(opened) as file:
            return file.read_row_group(number)

    def __iter__(self) -> Iterator[PlannedSheet]:
        for number in range(self.parts):
            yield from self.part(number)


def write_plan(folder: Path, sheets: Sequence[PlannedSheet], part: int) -> ScanPlan:
    """Save a plan and open it; raises BadOutput.

    part  number of sheets in a part
    """
    path = folder / PLAN_FILE

    def fill(file: BinaryIO) -> None:
        with pq.ParquetWriter(file, _SCHEMA) as writer:  # a row group is a part
            for start in range(0, len(sheets), part):
                writer.write_table(_table(sheets[start : start + part]), row_group_size=part)

    replace_file(path, fill)
    return open_plan(folder)


def open_plan(folder: Path) -> ScanPlan:
    """Open a saved plan; raises BadOutput where it is damaged or missing."""
    path = folder / PLAN_FILE
    try:
        with path.open("rb") as opened:
            checksum = hashlib.file_digest(opened, "sha256").hexdigest()
            with pq.ParquetFile(opened) as file:
                if not file.schema_arrow.equals(_SCHEMA):
                    raise pa.ArrowInvalid("other columns")
                return ScanPlan(path, file.metadata.num_rows, file.metadata.num_row_groups, checksum)
    except (OSError, pa.ArrowException) as error:
        raise BadOutput(
            f"{path}: expected the plan of a scan, got {_first_line(error)}; use --fresh"
        ) from error


def _table(sheets: Sequence[PlannedSheet]) -> pa.Table:
    members: list[Any] = [sheet.member for sheet in sheets]
    columns: dict[str, list[Any]] = {
        "index": [sheet.index for sheet in sheets],
        "name": [sheet.name for sheet in sheets],
        "path": [os.fsencode(sheet.path) for sheet in sheets],
        **{key: [None if member is None else getattr(member, key) for member in members] for key in _MEMBER},
        "reason": [None if sheet.reason is None else sheet.reason.value for sheet in sheets],
        "detail": [sheet.detail for sheet in sheets],
    }
    return pa.table(columns, schema=_SCHEMA)


def sheets_of(table: pa.Table) -> list[PlannedSheet]:
    """The sheets of rows of a plan."""
    rows = zip(*(table[name].to_pylist() for name in _SCHEMA.names), strict=True)
    return [
        PlannedSheet(
            index,
            name,
            os.fsdecode(path),
            None if member[0] is None else Member(*member),
            None if reason is None else Reason(reason),
            detail,
        )
        for index, name, path, *member, reason, detail in rows
    ]


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
