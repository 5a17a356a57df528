"""Rows of a CSV file with the line each stands on: a byte-order mark, CRLF and quotes are understood."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from steelsight.csv_text import read_cell
from steelsight.errors import BadData
from steelsight.reading import open_regular
from steelsight.sheets.images.image_file import unreadable

__all__ = ["CsvTable", "TableRow", "read_table"]

_LONGEST_FIELD = 2**24  # run lengths of one sheet can exceed the module's limit of 131,072 characters


@dataclass(frozen=True)
class TableRow:
    """One row: its line in the file (the header is line 1) and its cells by column name, stripped."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class CsvTable:
    """A CSV file: its columns, its rows, and the rows that have another number of cells than the header."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    ragged: tuple[tuple[int, str], ...]  # line, reason
    ragged_cells: tuple[tuple[str, ...], ...] = ()  # of the same rows

    def need(self, columns: Collection[str]) -> None:
        """Raise BadData unless all of `columns` are there."""
        missing = [column for column in columns if column not in self.columns]
        if missing:
            raise BadData(
                f"{self.name}: expected the column(s) {', '.join(missing)}, found {', '.join(self.columns)}; "
                "columns are separated by commas"
            )


def read_table(path: Path) -> CsvTable:
    """All rows of a CSV file; raises BadData when it cannot be read as UTF-8 text with a header."""
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    try:
        with io.TextIOWrapper(open_regular(path), encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = tuple(read_cell(cell.strip()) for cell in next(reader, []))
            lines = [(reader.line_num, cells) for cells in reader if cells]
    except OSError as error:
        raise BadData(unreadable(path, error)) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadData(f"{path.name}: expected a CSV table in UTF-8, found {error}; save it again") from error
    if not header:
        raise BadData(f"{path.name}: the table is empty; expected a header line")
    rows, ragged, cells_of_ragged = [], [], []
    for line, cells in lines:
        if len(cells) == len(header):
            rows.append(
                TableRow(
                    line, {name: read_cell(cell.strip()) for name, cell in zip(header, cells, strict=True)}
                )
            )
        else:
            ragged.append(
                (line, f"expected {len(header)} cells, found {len(cells)}; check commas and quotes")
            )
            cells_of_ragged.append(tuple(cell.strip() for cell in cells))
    return CsvTable(path.name, header, tuple(rows), tuple(ragged), tuple(cells_of_ragged))
