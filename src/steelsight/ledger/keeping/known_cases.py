"""Make sheets known cases from a table of right labels, by a command or by a person on a page.

The table is CSV in UTF-8 with the columns `sheet` and `label`, or `station`, `item` and `label`. An empty
label ends a known case: it is handed out no more, and earlier answers to it count on.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select

from steelsight.csv_text import read_cell
from steelsight.errors import BadInput
from steelsight.ledger.chain.entries import Event, sheet_id
from steelsight.ledger.chain.event_names import KNOWN_CASE
from steelsight.ledger.database import schema
from steelsight.ledger.database.open import Ledger
from steelsight.ledger.reading.known_cases import known_cases
from steelsight.ledger.writing.writer import Writer
from steelsight.reading import read_regular

__all__ = [
    "EnteredCases",
    "RightLabel",
    "enter_by_person",
    "enter_known_cases",
    "parse_right_labels",
    "read_right_labels",
]

LARGEST: Final = 2**24  # bytes
MOST_ROWS: Final = 10_000
LONGEST_LABEL: Final = 200
COLUMNS: Final = ({"sheet", "label"}, {"station", "item", "label"})
EXPECTED: Final = "sheet,label or station,item,label"


@dataclass(frozen=True)
class RightLabel:
    """A row of the table."""

    sheet: str
    label: str | None  # several are joined by " + "; None ends the known case
    line: int
    named: str = ""  # how the row names the sheet, where not by its id


@dataclass(frozen=True)
class EnteredCases:
    """What was written."""

    made: int  # sheets that became known cases, or have another label now
    ended: int
    unchanged: int  # rows that say what is on record already

    def as_dict(self) -> dict[str, int]:
        """Plain values for JSON."""
        return dict(vars(self))


def read_right_labels(path: Path) -> tuple[RightLabel, ...]:
    """The rows of a table.

    raises  BadInput, with the line: it cannot be read, a column is missing or unknown, a sheet comes twice,
            no row, more than 10,000
    """
    try:
        text = read_regular(path, most_bytes=LARGEST).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: expected a CSV file in UTF-8 ({error}); check it") from error
    return parse_right_labels(text, str(path))


def parse_right_labels(text: str, name: str) -> tuple[RightLabel, ...]:
    """The rows of the text of a table.

    name    of the table, for messages
    raises  BadInput, as `read_right_labels`
    """
    try:
        reader = csv.reader(StringIO(text, newline=""), strict=True)
        rows = [(reader.line_num, [read_cell(cell.strip()) for cell in row]) for row in reader]
    except (ValueError, csv.Error) as error:
        raise BadInput(f"{name}: expected CSV ({error}); check it") from error
    rows = [(line, cells) for line, cells in rows if any(cells)]
    columns = rows[0][1] if rows else []
    if set(columns) not in COLUMNS or len(columns) != len(set(columns)):
        raise BadInput(f"{name}: expected a heading with the columns {EXPECTED}, got {columns!s:.200}")
    found: dict[str, RightLabel] = {}
    for line, cells in rows[1:]:
        where = f"{name} line {line}"
        if len(cells) != len(columns):
            raise BadInput(f"{where}: expected {len(columns)} cells, got {len(cells)}")
        each = _right_label(dict(zip(columns, cells, strict=True)), line, where)
        if each.sheet in found:
            raise BadInput(f"{where}: the sheet comes a second time; keep one row of it")
        found[each.sheet] = each
    if not 0 < len(found) <= MOST_ROWS:
        raise BadInput(f"{name}: expected 1 to {MOST_ROWS} rows below the heading, got {len(found)}")
    return tuple(found.values())


def _right_label(cells: dict[str, str], line: int, where: str) -> RightLabel:
    sheet = cells["sheet"] if "sheet" in cells else sheet_id(cells["station"], cells["item"])
    label = cells["label"]
    if len(label) > LONGEST_LABEL or not label.isprintable():
        raise BadInput(f"{where}, label: expected at most {LONGEST_LABEL} printable characters")
    named = "" if "sheet" in cells else f"station {cells['station']!r:.80}, item {cells['item']!r:.200}"
    return RightLabel(sheet, label or None, line, named)


def enter_known_cases(
    ledger: Ledger, writer: Writer, rows: Sequence[RightLabel], *, clean: str = "none"
) -> EnteredCases:
    """Put the right labels of sheets on record; all rows or none.

    clean   the label of sheets without a defect, which a verdict's probabilities need not name
    raises  BadInput, with the line: a sheet that the ledger does not have or that has no live verdict, a
            class that none of its verdicts names, an end of what is no known case
    """
    made: list[Event] = []
    ended: list[Event] = []
    with ledger.write() as connection:
        before = known_cases(connection)
        for row in rows:
            now = before.get(row.sheet)
            current = None if now is None or now.ended else now.label
            _check(connection, row, clean, current)
            if row.label != current:
                event = Event(name=KNOWN_CASE, subject=row.sheet, details={"label": row.label})
                (ended if row.label is None else made).append(event)
        if made or ended:
            writer.append_within(connection, [*made, *ended])
    return EnteredCases(len(made), len(ended), len(rows) - len(made) - len(ended))


def enter_by_person(
    connection: Connection, writer: Writer, rows: Sequence[RightLabel], person: str, *, clean: str = "none"
) -> None:
    """Put right labels on record in a transaction, by a person who may review.

    Nothing that comes back tells which other sheets are known cases: a label is written whether it is on
    record already or not, and a person ends only what that person entered.

    raises  BadInput as `enter_known_cases`
    """
    own = {name: each for name, each in known_cases(connection).items() if person in each.by}
    for row in rows:
        now = own.get(row.sheet)
        _check(connection, row, clean, None if now is None or now.ended else now.label, whose=" of yours")
    made = [
        Event(name=KNOWN_CASE, person=person, subject=row.sheet, details={"label": row.label}) for row in rows
    ]
    writer.append_within(connection, made)


def _check(connection: Connection, row: RightLabel, clean: str, current: str | None, whose: str = "") -> None:
    table = schema.verdicts
    query = select(table.c.probabilities).where(table.c.sheet == row.sheet, table.c.mode == "live")
    verdicts = connection.execute(query).scalars().all()
    where = f"line {row.line}, {row.named or f'sheet {row.sheet!r:.80}'}"
    if not verdicts:
        raise BadInput(f"{where}: expected a sheet of this ledger with a live verdict; check the row")
    if row.label is None:
        if current is None:
            raise BadInput(f"{where}: is no known case{whose}, so it cannot be ended; give its right label")
        return
    classes = {clean, *(name for each in verdicts for name in json.loads(each))}
    parts = row.label.split(" + ")
    unknown = [part for part in parts if part not in classes]
    if unknown or len(set(parts)) != len(parts):
        raise BadInput(
            f"{where}: expected a class of its verdicts ({', '.join(sorted(classes))}), or several joined by "
            f"' + ', got {row.label!r:.120}"
        )
