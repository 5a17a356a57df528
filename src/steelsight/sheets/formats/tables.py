"""Rows of a CSV file with the line each stands on, in separators and encodings as spreadsheets write them."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steelsight.csv_text import read_cell
from steelsight.errors import BadData
from steelsight.reading import read_regular
from steelsight.sheets.images.image_file import unreadable

__all__ = ["CsvTable", "TableRow", "read_table"]

_SEPARATORS: Final = (",", ";", "\t")  # the first of equals
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
                "correct the header line"
            )


def read_table(path: Path) -> CsvTable:
    """All rows of a CSV file; raises BadData when it is no text with a header.

    The text is UTF-8, or UTF-16 with its byte-order mark; cells are separated by the one of comma, semicolon
    and tabulator that the header has most of, or that a first line `sep=;` names, as spreadsheets write it.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    try:
        file = io.StringIO(_decode(read_regular(path)), newline="")
        skipped, separator = _separator(file)
        reader = csv.reader(file, delimiter=separator, strict=True)
        header = tuple(read_cell(cell.strip()) for cell in next(reader, []))
        lines = [(reader.line_num + skipped, cells) for cells in reader if cells]
    except OSError as error:
        raise BadData(unreadable(path, error)) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadData(f"{path.name}: expected a CSV table in UTF-8, found {error}; save it again") from error
    if not header:
        raise BadData(f"{path.name}: the table is empty; expected a header line")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise BadData(f"{path.name}: two columns are named {', '.join(twice)}; rename or remove one")
    rows, ragged, cells_of_ragged = [], [], []
    for line, cells in lines:
        if len(cells) == len(header):
            rows.append(
                TableRow(
                    line, {name: read_cell(cell.strip()) for name, cell in zip(header, cells, strict=True)}
                )
            )
        elif any(cell.strip() for cell in cells):
            ragged.append(
                (line, f"expected {len(header)} cells, found {len(cells)}; check commas and quotes")
            )
            cells_of_ragged.append(tuple(cell.strip() for cell in cells))
    return CsvTable(path.name, header, tuple(rows), tuple(ragged), tuple(cells_of_ragged))


def _decode(content: bytes) -> str:
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_wide else "utf-8-sig")


def _separator(file: io.StringIO) -> tuple[int, str]:
    """The lines before the header, and what separates its cells; the file is left at the header."""
    first = file.readline()
    named = re.fullmatch(r"sep=(.)", first.rstrip("\r\n"), re.IGNORECASE)
    if named:
        return 1, named[1]
    file.seek(0)
    return 0, max(_SEPARATORS, key=first.count)
