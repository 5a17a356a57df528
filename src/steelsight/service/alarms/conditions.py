"""What is wrong now: conditions of stations, bundles and the service, found from the ledger and the parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, select

from steelsight.ledger.database import schema
from steelsight.ledger.reading.stations import list_writers
from steelsight.runtime.drift import Drift
from steelsight.service.bundles import Bundles
from steelsight.service.settings.pages import PageSettings
from steelsight.types import State

__all__ = ["SERVICE", "Condition", "Priority", "drift_conditions", "part_conditions", "station_conditions"]

SERVICE: Final = "service"  # the group of what concerns no station
LAST: Final = 200  # live verdicts of a station that shares are of
FEWEST: Final = 30  # below, no share is judged
RECENT_US: Final = 15 * 60_000_000
SILENT_US: Final = 60 * 60_000_000  # a station that judged nothing for longer is not at work
FALLS: Final = 0.7  # a condition that is there ends below this part of its limit
STUCK: Final = 20  # images in a row with the same bytes


class Priority(StrEnum):
    """How soon a person must act."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True)
class Condition:
    """One thing that is wrong."""

    kind: str
    group: str  # what it is about: a station, or SERVICE
    priority: Priority
    values: Mapping[str, Any] = field(default_factory=dict)  # plain, for words

    def as_dict(self) -> dict[str, Any]:
        """Plain values for an event."""
        return {"kind": self.kind, "priority": self.priority.value, "values": dict(self.values)}


def station_conditions(
    connection: Connection,
    settings: PageSettings,
    bundles: Bundles,
    there: Collection[tuple[str, str]],
    now_us: int,
) -> list[Condition]:
    """The conditions of every station that judged within the last hour.

    there  group and kind of conditions that were there before: they end only clearly below their limits
    """
    found: list[Condition] = []
    for writer in list_writers(connection):
        name, last = writer["name"], writer["last_us"]
        if last is None or now_us - last > SILENT_US:
            continue
        silent_s = (now_us - last) / 1e6
        if silent_s > settings.alarm_silent_s:
            found.append(Condition("silent", name, Priority.HIGH, {"seconds": round(silent_s)}))
        found.extend(_shares(connection, settings, bundles, there, name, now_us))
    return found


def _shares(
    connection: Connection,
    settings: PageSettings,
    bundles: Bundles,
    there: Collection[tuple[str, str]],
    writer: str,
    now_us: int,
) -> list[Condition]:
    table, sheets = schema.verdicts, schema.sheets
    query = (
        select(table.c.state, table.c.label, sheets.c.repeated)
        .join(sheets, sheets.c.sheet == table.c.sheet)
        .where(table.c.writer == writer, table.c.mode == "live", table.c.entered_us > now_us - RECENT_US)
        .order_by(table.c.seq.desc())
        .limit(LAST)
    )
    rows = connection.execute(query).all()
    found = []
    if len(rows) >= STUCK and all(row.repeated for row in rows[:STUCK]):
        found.append(Condition("camera_stuck", writer, Priority.HIGH, {"images": STUCK}))
    if len(rows) < FEWEST:
        return found
    clean = {each.bundle.card.no_defect for _, each in bundles}
    states = Counter(row.state for row in rows)
    bad = states[State.BAD_IMAGE.value]
    open_ones = states[State.DOUBTFUL.value] + states[State.UNKNOWN_INPUT.value]
    defects = sum(row.label not in clean for row in rows if row.state == State.DECIDED.value)
    shares = (
        ("bad_images", bad, settings.alarm_bad_images, Priority.HIGH),
        ("undecided", open_ones, settings.alarm_undecided, Priority.MEDIUM),
        ("defects", defects, settings.alarm_defects, Priority.MEDIUM),
    )
    for kind, number, limit, priority in shares:
        least = limit * FALLS if (writer, kind) in there else limit
        share = number / len(rows)
        if share >= least:
            values = {"share": round(share, 4), "limit": limit, "sheets": len(rows)}
            found.append(Condition(kind, writer, priority, values))
    return found


def drift_conditions(drifts: Mapping[str, Sequence[Drift]], void: Collection[str]) -> list[Condition]:
    """Conditions of bundles: a clear drift against training, a certificate that does not hold.

    void  model ids whose certificate is void
    """
    found = [
        Condition("certificate_void", SERVICE, Priority.MEDIUM, {"bundle": model}) for model in sorted(void)
    ]
    for model, each in drifts.items():
        names = [drift.name for drift in each if drift.level == "clear"]
        if names:
            found.append(Condition("drift", SERVICE, Priority.LOW, {"bundle": model, "properties": names}))
    return found


def part_conditions(states: Mapping[str, str]) -> list[Condition]:
    """Conditions of the service's parts that do not work.

    states  by part: ok, degraded or down
    """
    return [
        Condition(
            f"part_{name}", SERVICE, Priority.HIGH if state == "down" else Priority.MEDIUM, {"part": name}
        )
        for name, state in states.items()
        if state != "ok"
    ]
