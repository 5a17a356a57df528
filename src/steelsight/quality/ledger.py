"""Read from a ledger what the estimates need: sheets by outcome, draws with their reviews, known cases.

The last live verdict of a sheet counts. Of a drawn sheet the first review by a person who had not seen its
verdict counts, where the ledger says who had; who cannot tell is asked for nothing. Answers to known cases
count from the time on at which the sheet became one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    FromClause,
    Select,
    and_,
    exists,
    func,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.sql.elements import ColumnElement

from steelsight.errors import BadInput
from steelsight.ledger.chain.entries import Answer
from steelsight.ledger.chain.event_names import KNOWN_CASE
from steelsight.ledger.database import schema
from steelsight.ledger.reading.known_cases import known_cases
from steelsight.quality.records import AuditData, AuditedSheet, KnownAnswer, Outcome, SheetGroup, week_of
from steelsight.types import State

__all__ = ["KNOWN_CASE", "Period", "read_audit"]

WEEK_US: Final = 7 * 86_400 * 1_000_000
MONDAY_US: Final = 3 * 86_400 * 1_000_000  # 1970-01-01 was a Thursday
MANY: Final = 500  # values in one IN list
VERDICTS: Final = schema.verdicts


@dataclass(frozen=True)
class Period:
    """Which sheets; None = no limit. Raises BadInput where it ends before it begins."""

    since_us: int | None = None  # captured at or after, microseconds since 1970-01-01 UTC
    until_us: int | None = None  # captured before
    station: str | None = None
    bundle: str | None = None  # model id of the last live verdict

    def __post_init__(self) -> None:
        if self.since_us is not None and self.until_us is not None and self.since_us >= self.until_us:
            raise BadInput(f"period: expected an end after its begin, got {self.since_us} to {self.until_us}")

    def limits(self, verdicts: FromClause) -> list[ColumnElement[bool]]:
        """The conditions on rows of `verdicts`, for a query."""
        bounds: list[ColumnElement[bool]] = []
        if self.since_us is not None:
            bounds.append(verdicts.c.captured_us >= self.since_us)
        if self.until_us is not None:
            bounds.append(verdicts.c.captured_us < self.until_us)
        if self.station is not None:
            bounds.append(verdicts.c.station == self.station)
        if self.bundle is not None:
            bounds.append(verdicts.c.bundle == self.bundle)
        return bounds


def read_audit(connection: Connection, period: Period = Period(), *, clean: str = "none") -> AuditData:
    """What a ledger says of a period.

    clean  the label of verdicts and answers without a defect
    """
    drawn = connection.execute(_drawn(period)).all()
    names = [row.sheet for row in drawn]
    reviews = _reviews(connection, names)
    audited, unsure, not_blind = [], 0, 0
    blind_known = _table("review_marks") is not None
    for row in drawn:
        own = reviews.get(row.sheet, [])
        blind = [each for each in own if each["blind"] or not blind_known]
        not_blind += len(own) - len(blind)
        told = [each for each in blind if each["answer"] != Answer.UNSURE]
        unsure += bool(blind) and not told
        if told:
            audited.append(_audited(row, told, clean))
    known = tuple(_known(connection, period))
    sheets = _counts(connection, period, clean)
    return AuditData(sheets, tuple(audited), known, clean, unsure, not_blind, blind_known)


def _table(name: str) -> Any:
    """A table of the schema; None where this version has none."""
    return schema.metadata.tables.get(name)


def _last_live(period: Period) -> ColumnElement[bool]:
    """Of each sheet of a period the last live verdict."""
    later = VERDICTS.alias()
    order = ("entered_us", "writer", "seq")
    after = exists().where(
        later.c.sheet == VERDICTS.c.sheet,
        later.c.mode == "live",
        tuple_(*(later.c[name] for name in order)) > tuple_(*(VERDICTS.c[name] for name in order)),
    )
    return and_(VERDICTS.c.mode == "live", ~after, *period.limits(VERDICTS))


def _outcome(state: str, label: str, clean: str) -> Outcome:
    if state != State.DECIDED:
        return Outcome.REFERRED
    return Outcome.PASSED if label == clean else Outcome.REJECTED


def _counts(
    connection: Connection, period: Period, clean: str
) -> dict[tuple[SheetGroup, str | None], tuple[int, int]]:
    monday, length = (literal_column(str(each), BigInteger) for each in (MONDAY_US, WEEK_US))
    week = ((VERDICTS.c.captured_us + monday) // length).label("week")
    columns = (VERDICTS.c.station, VERDICTS.c.coil, VERDICTS.c.state, VERDICTS.c.label)
    query = (
        select(*columns, week, func.count().label("sheets"), func.count(schema.draws.c.sheet).label("drawn"))
        .select_from(VERDICTS.outerjoin(schema.draws, schema.draws.c.sheet == VERDICTS.c.sheet))
        .where(_last_live(period))
        .group_by(*columns, week)
    )
    found: dict[tuple[SheetGroup, str | None], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in connection.execute(query):
        name = week_of(int(row.week) * WEEK_US - MONDAY_US)
        key = (SheetGroup(row.station, name, _outcome(row.state, row.label, clean)), row.coil)
        sheets, drawn = found[key]
        found[key] = (sheets + row.sheets, drawn + row.drawn)
    return dict(found)


def _drawn(period: Period) -> Select[Any]:
    columns = ("sheet", "station", "captured_us", "coil", "state", "label")
    return (
        select(*(VERDICTS.c[name] for name in columns), schema.draws.c.probability)
        .select_from(VERDICTS.join(schema.draws, schema.draws.c.sheet == VERDICTS.c.sheet))
        .where(_last_live(period))
        .order_by(VERDICTS.c.captured_us, VERDICTS.c.sheet)
    )


def _audited(row: Any, told: list[dict[str, Any]], clean: str) -> AuditedSheet:
    group = SheetGroup(row.station, week_of(row.captured_us), _outcome(row.state, row.label, clean))
    first: dict[str, str] = {}
    for each in told:
        first.setdefault(each["person"], each["label"] or row.label)
    return AuditedSheet(
        row.sheet,
        group,
        row.coil,
        row.probability,
        row.label,
        first[told[0]["person"]],
        told[0]["person"],
        told[0]["entered_us"],
        tuple(first.items()),
    )


def _reviews(connection: Connection, sheets: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Reviews of sheets in their order, without those that were withdrawn."""
    names = list(sheets)
    table, marks, withdrawals = schema.reviews, _table("review_marks"), _table("withdrawals")
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    order = (table.c.entered_us, table.c.writer, table.c.seq)
    columns = (table.c.sheet, table.c.person, table.c.answer, table.c.label, table.c.entered_us)
    for start in range(0, len(names), MANY):
        query = select(*columns).where(table.c.sheet.in_(names[start : start + MANY])).order_by(*order)
        if marks is not None:
            joined = and_(marks.c.writer == table.c.writer, marks.c.seq == table.c.seq)
            query = query.add_columns(marks.c.blind).outerjoin_from(table, marks, joined)
        if withdrawals is not None:
            gone = and_(
                withdrawals.c.review_writer == table.c.writer, withdrawals.c.review_seq == table.c.seq
            )
            query = query.where(~exists().where(gone))
        for row in connection.execute(query):
            found[row.sheet].append({**row._mapping, "blind": bool(row._mapping.get("blind"))})
    return found


def _known(connection: Connection, period: Period) -> list[KnownAnswer]:
    """Answers to known cases up to the period's end, in the order they were given."""
    truths = known_cases(connection)
    verdicts = _labels(connection, list(truths))
    found = []
    for sheet, reviews in _reviews(connection, truths).items():
        coil, verdict = verdicts.get(sheet, (None, None))
        for each in reviews:
            late = period.until_us is not None and each["entered_us"] >= period.until_us
            early = each["entered_us"] < truths[sheet].since_us
            label = each["label"] or verdict
            own = each["person"] in truths[sheet].by
            if late or early or own or each["answer"] == Answer.UNSURE or label is None:
                continue
            answer = KnownAnswer(
                sheet, coil, each["person"], label, truths[sheet].label, verdict, not each["blind"]
            )
            found.append((each["entered_us"], answer))
    return [answer for _, answer in sorted(found, key=lambda each: (each[0], each[1].sheet, each[1].person))]


def _labels(connection: Connection, sheets: list[str]) -> dict[str, tuple[str | None, str | None]]:
    """Coil and last live label of sheets."""
    found: dict[str, tuple[str | None, str | None]] = {}
    order = (VERDICTS.c.entered_us, VERDICTS.c.writer, VERDICTS.c.seq)
    for start in range(0, len(sheets), MANY):
        part = sheets[start : start + MANY]
        query = select(VERDICTS.c.sheet, VERDICTS.c.coil, VERDICTS.c.label).where(
            VERDICTS.c.sheet.in_(part), VERDICTS.c.mode == "live"
        )
        for row in connection.execute(query.order_by(*order)):
            found[row.sheet] = (row.coil, row.label or None)
    return found
