"""The saved plan of a scan: which sheets, in which order, in which parts."""

from __future__ import annotations

import hashlib
import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
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


class _PlanFile:
    """An open plan; its footer, which lists all parts, is read once. Threads may share it."""

    def __init__(self, path: Path) -> None:
        # Opened here: pyarrow takes no path of bytes that are not text.
        opened = path.open("rb")
        weakref.finalize(self, opened.close)
        self._lock = threading.Lock()
        self.checksum = hashlib.file_digest(opened, "sha256").hexdigest()
        opened.seek(0)
        self.parquet = pq.ParquetFile(opened, pre_buffer=False)

    def read(self, number: int) -> pa.Table:
        """The rows of a part."""
        with self._lock:  # one position in the file
            return self.parquet.read_row_group(number, use_threads=False)


@dataclass(frozen=True)
class ScanPlan:
    """A saved plan, read part by part from a file that stays open."""

    path: Path
    sheets: int
    parts: int
    part_sheets: int  # sheets of every part but the last
    checksum: str
    file: _PlanFile = field(repr=False, compare=False)

    def length(self, number: int) -> int:
        """Number of sheets of a part."""
        return min(self.part_sheets, self.sheets - number * self.part_sheets)

    def part(self, number: int) -> list[PlannedSheet]:
        """The sheets of one part, by its number from 0."""
        return sheets_of(self.rows(number))

    def rows(self, number: int) -> pa.Table:
        """The rows of one part as they are saved; `sheets_of` reads them."""
        return self.file.read(number)

    def __iter__(self) -> Iterator[PlannedSheet]:
        for number in range(self.parts):
            yield from self.part(number)


def write_plan(folder: Path, sheets: Iterable[PlannedSheet], part: int) -> ScanPlan:
    """Save a plan and open it; of the sheets, those of one part are in memory at a time.

    part    number of sheets in a part
    raises  BadOutput; what the iteration raises, and then an earlier plan is unchanged
    """
    path = folder / PLAN_FILE

    def fill(file: BinaryIO) -> None:
        waiting = iter(sheets)
        # A row group is a part. Statistics would double the footer, and nothing searches a plan.
        with pq.ParquetWriter(file, _SCHEMA, write_statistics=False) as writer:
            while group := list(islice(waiting, part)):
                writer.write_table(_table(group), row_group_size=part)

    replace_file(path, fill)
    return open_plan(folder)


def open_plan(folder: Path, *, shown: object | None = None) -> ScanPlan:
    """Open a saved plan.

    shown   what messages call it; None = by its path
    raises  BadOutput where it is damaged or missing
    """
    path = folder / PLAN_FILE
    try:
        file = _PlanFile(path)
        if not file.parquet.schema_arrow.equals(_SCHEMA):
            raise pa.ArrowInvalid("other columns")
        facts = file.parquet.metadata
        first = facts.row_group(0).num_rows if facts.num_row_groups else 0
        return ScanPlan(path, facts.num_rows, facts.num_row_groups, first, file.checksum, file)
    except (OSError, pa.ArrowException) as error:
        raise BadOutput(
            f"{path if shown is None else shown}: expected the plan of a scan, got {_first_line(error)}; "
            "use --fresh"
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
