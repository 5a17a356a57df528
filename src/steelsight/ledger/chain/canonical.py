"""The bytes of an entry: RFC 8785 canonical JSON, so that equal values have equal bytes and hashes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import rfc8785
from pydantic import BaseModel, ConfigDict, Field

from steelsight.errors import BadEntry
from steelsight.ledger.chain.canonical_json import canonical_json
from steelsight.ledger.chain.entries import Entry, check_entry, entry_values, later_fields

__all__ = ["Link", "as_json", "first_hash", "link_entry", "microseconds_of", "read_link", "time_text"]

EPOCH_START: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Form(BaseModel):
    """The canonical JSON of an entry, read strictly."""

    model_config = ConfigDict(strict=True, extra="forbid")
    data: dict[str, Any]
    epoch: int = Field(ge=1)
    previous: str
    seq: int = Field(ge=1)
    time: str
    writer: str


@dataclass(frozen=True)
class Link:
    """An entry in its chain."""

    writer: str
    seq: int  # 1, 2, 3, … for each writer
    epoch: int  # of the ledger when it was written; a restore begins the next one
    time_us: int  # when it was written, microseconds since 1970-01-01 UTC, by the writer's clock
    entry: Entry
    body: bytes  # the canonical bytes that are hashed and stored
    digest: bytes  # SHA-256 of the body
    previous: bytes  # digest of the writer's entry before

    def as_row(self) -> dict[str, Any]:
        """Its row in the table of entries, by column."""
        return {
            "writer": self.writer,
            "seq": self.seq,
            "epoch": self.epoch,
            "kind": self.entry.kind,
            "body": self.body,
            "digest": self.digest,
        }


def first_hash(ledger: str, writer: str) -> bytes:
    """What the first entry of a writer follows: no entry can be moved to another writer or ledger."""
    return hashlib.sha256(f"steelsight ledger {ledger}\0{writer}".encode()).digest()


def link_entry(
    entry: Entry,
    *,
    writer: str,
    seq: int,
    epoch: int,
    time_us: int,
    previous: bytes,
    without: frozenset[str] = frozenset(),
) -> Link:
    """Chain an entry to the one before it.

    previous  32 bytes: digest of the writer's entry before, or `first_hash`
    without   fields of the entry that its bytes do not have, as of an earlier version
    raises    BadEntry where a value has no canonical form (an integer above 2^53, an unpaired surrogate)
    """
    document: dict[str, Any] = {
        "data": entry_values(entry, without=without),
        "epoch": epoch,
        "previous": previous.hex(),
        "seq": seq,
        "time": time_text(time_us),
        "writer": writer,
    }
    try:
        body = canonical_json(document)
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError) as error:
        raise BadEntry(f"entry of kind {entry.kind}: has no canonical JSON form ({error})") from error
    return Link(writer, seq, epoch, time_us, entry, body, hashlib.sha256(body).digest(), previous)


def read_link(body: bytes) -> Link:
    """The link that stored bytes hold; only canonical bytes are accepted.

    raises  BadEntry where the bytes are not the canonical form of an entry
    """
    try:
        document = json.loads(body)
        form = _Form.model_validate(document)
        entry = check_entry(document["data"])
        previous, time_us = bytes.fromhex(form.previous), _microseconds(form.time)
    except (ValueError, TypeError, RecursionError) as error:
        raise BadEntry(f"stored entry: expected canonical JSON of an entry ({_first_line(error)})") from error
    link = link_entry(
        entry,
        writer=form.writer,
        seq=form.seq,
        epoch=form.epoch,
        time_us=time_us,
        previous=previous,
        without=later_fields(entry.kind).difference(form.data),
    )
    if link.body != body:
        raise BadEntry("stored entry: its bytes are not the canonical form of what they say")
    return link


def time_text(time_us: int) -> str:
    """Microseconds since 1970 as UTC text.

    >>> time_text(1_700_000_000_000_001)
    '2023-11-14T22:13:20.000001Z'
    """
    moment = EPOCH_START + timedelta(microseconds=time_us)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def microseconds_of(moment: datetime) -> int:
    """Microseconds since 1970 of a time with a zone.

    >>> microseconds_of(datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=UTC))
    1700000000000001
    """
    return (moment - EPOCH_START) // timedelta(microseconds=1)


def _microseconds(text: str) -> int:
    return microseconds_of(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def as_json(value: Any) -> str:
    """Canonical JSON text of a value, for the columns of the read models."""
    return canonical_json(value).decode()
