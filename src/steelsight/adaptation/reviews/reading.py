"""Reviews of a ledger with the sheets they are about.

Reviews that their person has taken back, and sheets drawn for audit in a period that is not counted yet, are
told apart here. Names and comments of people are not read.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, exists, select

from steelsight.errors import BadRecipe
from steelsight.ledger.chain.canonical import read_link, time_text
from steelsight.ledger.chain.entries import Answer, Review
from steelsight.ledger.database import schema
from steelsight.ledger.reading.known_cases import known_cases

__all__ = [
    "AUDIT_COUNTED",
    "REVIEW_WITHDRAWN",
    "GivenAnswer",
    "ReviewedSheet",
    "counted_until",
    "read_reviews",
]

AUDIT_COUNTED: Final = "audit_counted"  # event: draws captured before details.until_us are counted
REVIEW_WITHDRAWN: Final = "review_withdrawn"  # event: details.writer and details.seq name a review
BATCH: Final = 400  # values in one IN list

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels of the image, edges


@dataclass(frozen=True)
class GivenAnswer:
    """One review."""

    writer: str
    seq: int
    time_us: int  # when it was entered, microseconds since 1970-01-01 UTC
    person: str  # random id
    answer: Answer
    label: str | None  # the right label; several types are joined by " + "
    shown: str | None  # label of the verdict that was answered; None = not known
    nuisance: str | None  # what misled the model
    boxes: tuple[Box, ...]
    mask: str | None  # painted pixels as run lengths of the image, see sheets.rle
    blind: bool  # decided before the verdict was shown
    places: tuple[Box, ...] = ()  # of the verdict that was answered

    @property
    def time(self) -> str:
        """When it was entered, UTC."""
        return time_text(self.time_us)

    @property
    def marked(self) -> bool:
        """Whether the person painted or boxed anything."""
        return bool(self.boxes) or self.mask is not None

    @property
    def wrong_reason(self) -> bool:
        """Right answer, wrong reason: a cause is named, or a confirmed verdict has a place marked."""
        return self.nuisance is not None or (self.answer is Answer.CONFIRMED and self.marked)


@dataclass(frozen=True)
class ReviewedSheet:
    """A sheet with the reviews that were not taken back, in the order they were entered."""

    sheet: str
    station: str
    item: str
    coil: str | None
    captured_us: int
    image_hash: str | None
    pruned: bool  # retention has removed its image
    drawn: bool  # for audit
    classes: tuple[str, ...]  # that the verdicts on it name
    answers: tuple[GivenAnswer, ...]
    known: bool = False  # a known case, which measures reviewers


def read_reviews(connection: Connection) -> list[ReviewedSheet]:
    """Every sheet that has a review, by time of capture.

    raises  BadEntry where a stored entry cannot be read
    """
    given = _answers(connection)
    rows = _rows(connection, schema.sheets, list(given))
    drawn = {row["sheet"] for row in _rows(connection, schema.draws, list(given))}
    known = known_cases(connection)
    verdicts = _rows(connection, schema.verdicts, list(given))
    shown = {(row["writer"], row["seq"]): row for row in verdicts}
    classes: dict[str, dict[str, None]] = defaultdict(dict)
    for row in verdicts:
        classes[row["sheet"]].update(dict.fromkeys(json.loads(row["probabilities"])))
    gone = _pruned(connection, list(given))
    sheets = [
        ReviewedSheet(
            sheet=row["sheet"],
            station=row["station"],
            item=row["item"],
            coil=row["coil"],
            captured_us=row["captured_us"],
            image_hash=row["image_hash"],
            pruned=row["sheet"] in gone,
            drawn=row["sheet"] in drawn,
            known=row["sheet"] in known,
            classes=tuple(classes[row["sheet"]]),
            answers=tuple(_answer(*each, shown) for each in given[row["sheet"]]),
        )
        for row in rows
    ]
    return sorted(sheets, key=lambda sheet: (sheet.captured_us, sheet.sheet))


def counted_until(connection: Connection, day: str | None) -> int:
    """Draws of sheets captured before this time are counted, microseconds since 1970-01-01 UTC; 0 = none are.

    day     YYYY-MM-DD; None = what the last event `audit_counted` says
    raises  BadRecipe for text that is no day
    """
    if day is not None:
        try:
            moment = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError as error:
            raise BadRecipe(f"--counted: expected a day such as 2026-11-01, got {day!r:.80}") from error
        return int(moment.timestamp()) * 1_000_000
    table = schema.events
    query = select(table.c.details).where(table.c.name == AUDIT_COUNTED)
    ends = [json.loads(text).get("until_us") for text in connection.execute(query).scalars()]
    return max((end for end in ends if type(end) is int), default=0)


Entered = tuple[str, int, int, Review]  # writer, seq, time and what was entered


def _answers(connection: Connection) -> dict[str, list[Entered]]:
    """Reviews by sheet in the order they were entered, without those taken back."""
    table, entries, withdrawn = schema.reviews, schema.entries, _withdrawn(connection)
    query = (
        select(entries.c.body)
        .join(table, and_(table.c.writer == entries.c.writer, table.c.seq == entries.c.seq))
        .order_by(table.c.entered_us, table.c.writer, table.c.seq)
    )
    found: dict[str, list[Entered]] = defaultdict(list)
    for body in connection.execute(query).scalars():
        link = read_link(bytes(body))
        if isinstance(link.entry, Review) and (link.writer, link.seq) not in withdrawn:
            found[link.entry.sheet].append((link.writer, link.seq, link.time_us, link.entry))
    return dict(found)


def _withdrawn(connection: Connection) -> set[tuple[Any, Any]]:
    """Writer and seq of the reviews that were taken back."""
    table = schema.events
    query = select(table.c.details).where(table.c.name == REVIEW_WITHDRAWN)
    details = [json.loads(text) for text in connection.execute(query).scalars()]
    return {(each.get("writer"), each.get("seq")) for each in details}


def _answer(
    writer: str, seq: int, time_us: int, entry: Review, shown: dict[tuple[str, int], dict[str, Any]]
) -> GivenAnswer:
    verdict = None if entry.verdict is None else shown.get(entry.verdict)
    return GivenAnswer(
        writer=writer,
        seq=seq,
        time_us=time_us,
        person=entry.person,
        answer=entry.answer,
        label=entry.label or None,
        shown=None if verdict is None else verdict["label"],
        nuisance=entry.nuisance,
        boxes=tuple(region.box for region in entry.regions),
        mask=getattr(entry, "mask", None),  # entries of earlier versions have neither
        blind=bool(getattr(entry, "blind", False)),
        places=() if verdict is None else _boxes(verdict["regions"]),
    )


def _boxes(regions: str) -> tuple[Box, ...]:
    """The boxes of a verdict's places, from their JSON."""
    return tuple(tuple(each["box"]) for each in json.loads(regions))


def _rows(connection: Connection, table: Any, sheets: list[str]) -> list[dict[str, Any]]:
    """Rows of a table about these sheets."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(sheets), BATCH):
        query = select(table).where(table.c.sheet.in_(sheets[start : start + BATCH]))
        found += [dict(row._mapping) for row in connection.execute(query)]
    return found


def _pruned(connection: Connection, sheets: list[str]) -> set[str]:
    """Sheets whose image retention has removed since they were entered."""
    table, pruned = schema.sheets, schema.pruned_images
    gone = exists().where(pruned.c.image_hash == table.c.image_hash, pruned.c.pruned_us > table.c.entered_us)
    found: set[str] = set()
    for start in range(0, len(sheets), BATCH):
        part = table.c.sheet.in_(sheets[start : start + BATCH])
        found.update(connection.execute(select(table.c.sheet).where(part, gone)).scalars())
    return found
