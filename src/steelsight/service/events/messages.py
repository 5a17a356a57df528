"""What is sent of an entry, by every way: one JSON form for event streams, webhooks and MQTT.

Names, addresses and comments of people are never in a message: the chain does not hold them. Ids of people,
and events about people such as a login, are left out unless the receiver may see them (Permission.AUDIT).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from steelsight.ledger.chain.entries import (
    Draw,
    Event,
    PersonId,
    Review,
    SheetSeen,
    VerdictGiven,
    sheet_id,
)
from steelsight.ledger.chain.event_names import KNOWN_CASE, LINE_EVENTS
from steelsight.ledger.reading.tail import TailEntry
from steelsight.ledger.writing.projection import sheets_of

__all__ = [
    "MOST_BYTES",
    "Filter",
    "Message",
    "MessageBody",
    "SheetPlace",
    "TestBody",
    "messages_of",
]

MOST_BYTES: Final = 256 * 1024  # of an entry; the data of a larger one are left out


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SheetPlace(_Model):
    """The sheet that an entry is about, and where it lies on the strip."""

    sheet: str = Field(description="Identity of the sheet")
    station: str
    item: str = Field(description="The source's own name of the sheet")
    captured_us: int = Field(description="Time of capture, microseconds since 1970-01-01 UTC")
    coil: str | None
    position_m: float | None = Field(description="Along the strip, of the image's leading edge")
    length_m: float | None = Field(description="Along the strip")
    across_mm: float | None = Field(
        description="From the reference edge of the strip to the image's left edge"
    )
    side: Literal["top", "bottom"] | None


class ReviewSent(Review):
    """A review; the person's id is null unless the receiver may see events of people."""

    person: PersonId | None = None  # type: ignore[assignment]


class MessageBody(_Model):
    """One entry of the ledger, as it is sent."""

    type: Literal["sheet", "verdict", "draw", "review", "event"] = Field(description="Kind of the entry")
    timestamp: str = Field(description="When the entry was written, UTC, by the writer's clock")
    writer: str = Field(description="Who wrote it: a station, the console, the ledger itself")
    seq: int = Field(ge=1, description="Its number: 1, 2, 3, ... for each writer, without a gap")
    epoch: int = Field(ge=1, description="1; each restore from a backup begins the next")
    digest: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the stored entry")
    place: SheetPlace | None = Field(description="The sheet it is about; null for events")
    data: (
        Annotated[SheetSeen | VerdictGiven | Draw | ReviewSent | Event, Field(discriminator="kind")] | None
    ) = Field(description="The entry's own fields; null where they are larger than 256 KiB")
    left_out_bytes: int = Field(default=0, description="Size of data that were left out; 0 = nothing was")


class TestBody(_Model):
    """A message that tests a destination; nothing of the ledger is in it."""

    __test__ = False  # no class of tests

    type: Literal["test"] = "test"
    timestamp: str
    destination: str = Field(description="Id of the destination")


@dataclass(frozen=True)
class Message:
    """An entry with the sheet it is about."""

    entry: TailEntry
    place: Mapping[str, Any] | None
    document: Mapping[str, Any] = field(repr=False)  # the canonical JSON of the entry, read

    @property
    def kind(self) -> str:
        """Kind of the entry."""
        return self.entry.kind

    @property
    def data(self) -> Mapping[str, Any]:
        """The entry's own fields."""
        return self.document["data"]  # type: ignore[no-any-return]

    @property
    def station(self) -> str:
        """The station of its sheet; of an event the name of its writer."""
        return self.entry.writer if self.place is None else str(self.place["station"])

    @cached_property
    def of_people(self) -> bool:
        """Whether it is an event about people, for receivers with Permission.AUDIT only."""
        if self.kind != "event":
            return False
        return self.data.get("name") not in LINE_EVENTS or self.data.get("person") is not None

    @property
    def is_known_case(self) -> bool:
        """Whether it tells a known case, which is sent to nobody: a receiver may be one who reviews."""
        return self.kind == "event" and self.data.get("name") == KNOWN_CASE

    def body(self, *, audit: bool = False) -> dict[str, Any]:
        """What is sent, of the form of `MessageBody`.

        audit  whether the receiver may see ids of people
        """
        size = len(self.entry.body)
        data: dict[str, Any] | None = dict(self.data) if size <= MOST_BYTES else None
        if data is not None and not audit and "person" in data:
            data["person"] = None
        return {
            "type": self.kind,
            "timestamp": self.document["time"],
            "writer": self.entry.writer,
            "seq": self.entry.seq,
            "epoch": self.entry.epoch,
            "digest": self.entry.digest.hex(),
            "place": None if self.place is None else dict(self.place),
            "data": data,
            "left_out_bytes": 0 if data is not None else size,
        }

    def json(self, *, audit: bool = False) -> str:
        """`body` as text, on one line."""
        return self._audit_json if audit else self._plain_json

    @cached_property
    def _plain_json(self) -> str:
        return json.dumps(self.body(), ensure_ascii=False, separators=(",", ":"))

    @cached_property
    def _audit_json(self) -> str:
        if not self.data.get("person"):
            return self._plain_json
        return json.dumps(self.body(audit=True), ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Filter:
    """Which messages a receiver wants; an empty set = all."""

    kinds: frozenset[str] = frozenset()
    stations: frozenset[str] = frozenset()  # of the sheet; of an event the writer
    modes: frozenset[str] = frozenset()  # of verdicts; other kinds are not concerned
    labels: frozenset[str] = frozenset()  # of verdicts, likewise
    states: frozenset[str] = frozenset()  # of verdicts, likewise
    audit: bool = False  # events of people, and ids of people

    def wants(self, message: Message) -> bool:
        """Whether a message is to be sent."""
        if self.kinds and message.kind not in self.kinds:
            return False
        if self.stations and message.station not in self.stations:
            return False
        if message.of_people and not self.audit:
            return False
        if message.is_known_case:
            return False
        if message.kind != "verdict":
            return True
        data = message.data
        wanted = ((self.modes, "mode"), (self.labels, "label"), (self.states, "state"))
        return all(not values or data[name] in values for values, name in wanted)


_PLACE: Final = tuple(name for name in SheetPlace.model_fields if name != "sheet")


def messages_of(connection: Connection, entries: Sequence[TailEntry]) -> list[Message]:
    """The messages of entries, with the sheets they are about."""
    documents = [json.loads(entry.body) for entry in entries]
    places = _places(connection, [document["data"] for document in documents])
    return [
        Message(entry, places.get(_sheet(document["data"]) or ""), document)
        for entry, document in zip(entries, documents, strict=True)
    ]


def _sheet(data: Mapping[str, Any]) -> str | None:
    if data["kind"] == "sheet":
        return sheet_id(data["station"], data["item"])
    return data.get("sheet") if data["kind"] != "event" else None


def _places(connection: Connection, datas: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By sheet, where it lies; sheets among the entries are not looked up."""
    places: dict[str, dict[str, Any]] = {}
    wanted: set[str] = set()
    for data in datas:
        sheet = _sheet(data)
        if sheet is not None and data["kind"] == "sheet":
            places[sheet] = {"sheet": sheet, **{name: data.get(name) for name in _PLACE}}
        elif sheet is not None:
            wanted.add(sheet)
    for sheet, row in sheets_of(connection, wanted - set(places)).items():
        places[sheet] = {"sheet": sheet, **{name: row[name] for name in _PLACE}}
    return places
