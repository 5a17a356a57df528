"""The one writer of CSV tables, and what its cells were before they were written.

A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a line break for a formula. Such text
is written behind an apostrophe, as OWASP advises ("CSV injection"), and read without it, so that every name
comes back as it was. Numbers are written as they are.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from typing import Final

__all__ = ["csv_text", "read_cell", "written_cell"]

_END: Final = "\r\n"  # the module quotes a cell for these characters; with "\n" alone a "\r" would end a row
# Apostrophes before it count too: otherwise '=1 and =1 would be written alike.
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV lines ended by a line feed, every text cell as `written_cell` has it."""
    return "".join(_line(row) for row in rows)


def _line(row: Iterable[object]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=_END).writerow([written_cell(cell) for cell in row])
    return text.getvalue().removesuffix(_END) + "\n"


def written_cell(cell: object) -> object:
    """A cell as it is written: text that a spreadsheet would take for a formula behind an apostrophe.

    >>> [written_cell(cell) for cell in ("=1+1", "'=1", "a=b", -0.5)]
    ["'=1+1", "''=1", 'a=b', -0.5]
    """
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def read_cell(text: str) -> str:
    """The text that `written_cell` made this cell of.

    >>> [read_cell(cell) for cell in ("'=1+1", "''=1", "'a", "-0.5")]
    ['=1+1', "'=1", "'a", '-0.5']
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
