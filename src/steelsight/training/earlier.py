"""The sheets that the runs before a fine-tuned run learnt from, so that figures on them are not taken for
figures on unseen sheets.

They are kept in earlier_sheets.csv, in the columns of splits.csv, without groups: those of another folder
mean nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path

from steelsight.csv_text import csv_text
from steelsight.files import replace_file
from steelsight.training.records import COLUMNS, SplitRow, read_rows

__all__ = ["EARLIER_FILE", "learnt_rows", "read_earlier", "write_earlier"]

EARLIER_FILE = "earlier_sheets.csv"
_LEARNT = ("train", "validation")


def learnt_rows(splits: Sequence[SplitRow], earlier: Sequence[SplitRow]) -> tuple[SplitRow, ...]:
    """The sheets that a run has learnt from: its own training and validation sheets, then earlier ones."""
    own = (replace(row, group="") for row in splits if row.split in _LEARNT)
    return tuple(dict.fromkeys((*own, *earlier)))


def write_earlier(folder: Path, rows: Sequence[SplitRow]) -> tuple[str, ...]:
    """Write the sheets, or remove the file of an earlier training where there are none.

    returns  the names of the files that were written
    """
    if not rows:
        (folder / EARLIER_FILE).unlink(missing_ok=True)
        return ()
    replace_file(folder / EARLIER_FILE, csv_text([COLUMNS, *map(astuple, rows)]))
    return (EARLIER_FILE,)


def read_earlier(folder: Path) -> tuple[SplitRow, ...]:
    """The sheets that a fine-tuned run's predecessors learnt from.

    raises  BadCheckpoint where the file is missing, altered or malformed
    """
    return tuple(read_rows(folder / EARLIER_FILE))
