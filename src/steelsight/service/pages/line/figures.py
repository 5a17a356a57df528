"""Counts of the last hour, by minute: read at most every few seconds, however many pages are open."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, func, literal_column, select

from steelsight.ledger.database import schema
from steelsight.ledger.reading.stations import list_writers
from steelsight.ledger.writing.writer import now_us
from steelsight.service.context import Service
from steelsight.types import State

__all__ = ["LineFigures", "Recent", "StationNow"]

MINUTE_US: Final = 60_000_000
MINUTES: Final = 60
RATE_MINUTES: Final = 5
KEPT_US: Final = 4_000_000
LATENCIES: Final = 200  # last verdicts of a station


@dataclass(frozen=True)
class StationNow:
    """One station."""

    name: str
    held: bool  # whether a process writes for it
    rate: float  # sheets a minute, over the last minutes
    last_us: int
    silent_s: float
    latency_ms: float | None  # median from a sheet's arrival to its verdict


@dataclass(frozen=True)
class Recent:
    """The last hour of all stations."""

    stations: tuple[StationNow, ...] = ()
    states: dict[str, int] = field(default_factory=dict)
    defects: int = 0  # decided sheets with a label of a defect
    labels: tuple[tuple[str, int], ...] = ()  # of decided defects, most frequent first
    minutes: tuple[int, ...] = ()  # seconds since 1970, of each minute
    per_minute: tuple[int, ...] = ()
    undecided: tuple[float | None, ...] = ()  # percent of each minute; None without a sheet

    @property
    def sheets(self) -> int:
        """Number of sheets."""
        return sum(self.states.values())

    @property
    def rate(self) -> float:
        """Sheets a minute of all stations."""
        return sum((each.rate for each in self.stations), 0.0)


class LineFigures:
    """The figures of one service, kept for some seconds."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._read_us = 0
        self._found = Recent()

    def now(self) -> Recent:
        """The last hour; raises BadLedger."""
        with self._lock:
            now = now_us()
            if now - self._read_us > KEPT_US:
                with self._service.ledger.read() as connection:
                    self._found = self._read(connection, now)
                self._read_us = now
            return self._found

    def _read(self, connection: Connection, now: int) -> Recent:
        table = schema.verdicts
        minute = table.c.captured_us.op("/")(literal_column(str(MINUTE_US)))
        first = now // MINUTE_US - MINUTES + 1
        query = (
            select(minute.label("minute"), table.c.station, table.c.state, table.c.label, func.count())
            .where(table.c.mode == "live", table.c.captured_us >= first * MINUTE_US)
            .group_by(minute, table.c.station, table.c.state, table.c.label)
        )
        clean = {each.bundle.card.no_defect for _, each in self._service.bundles}
        states: Counter[str] = Counter({state.value: 0 for state in State})
        labels: Counter[str] = Counter()
        totals: Counter[int] = Counter()
        undecided: Counter[int] = Counter()
        rates: defaultdict[str, int] = defaultdict(int)
        for at, station, state, label, number in connection.execute(query):
            states[state] += number
            totals[at] += number
            if state in (State.DOUBTFUL.value, State.UNKNOWN_INPUT.value):
                undecided[at] += number
            if state == State.DECIDED.value and label not in clean:
                labels[label] += number
            if at > now // MINUTE_US - RATE_MINUTES:
                rates[station] += number
        minutes = range(first, first + MINUTES)
        return Recent(
            stations=tuple(_stations(connection, rates, now)),
            states=dict(states),
            defects=labels.total(),
            labels=tuple(labels.most_common(8)),
            minutes=tuple(each * 60 for each in minutes),
            per_minute=tuple(totals[each] for each in minutes),
            undecided=tuple(
                round(100 * undecided[each] / totals[each], 1) if totals[each] else None for each in minutes
            ),
        )


def _stations(connection: Connection, rates: dict[str, int], now: int) -> list[StationNow]:
    found = []
    for writer in list_writers(connection):
        last = writer["last_us"]
        if last is None:
            continue
        name = writer["name"]
        rate = rates.get(name, 0) / RATE_MINUTES
        latency = _latency(connection, name)
        found.append(StationNow(name, writer["held"], rate, last, max(0.0, (now - last) / 1e6), latency))
    return found


def _latency(connection: Connection, writer: str) -> float | None:
    table = schema.verdicts
    query = select(table.c.latency_ms).where(table.c.writer == writer, table.c.latency_ms.is_not(None))
    rows: list[Any] = sorted(
        connection.execute(query.order_by(table.c.seq.desc()).limit(LATENCIES)).scalars()
    )
    return float(rows[len(rows) // 2]) if rows else None
