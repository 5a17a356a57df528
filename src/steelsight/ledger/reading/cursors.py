"""How far a reader has read a ledger: of every writer, the number of the last entry, and a text for it.

Numbers of the database commit out of order, so that a reader that goes on after the highest would miss
entries; a writer's own numbers do not.

The text is `1.` and base64url without padding of: 4 bytes that name the ledger, the epoch, for each writer 5
bytes that name it and the number of its last entry, and 4 bytes that tell a text that was cut or altered.
Numbers are LEB128. It is at most `LONGEST` characters, and has letters, digits, `-`, `_` and one `.` only.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from steelsight.errors import BadCursor
from steelsight.ledger.chain.canonical import first_hash

__all__ = ["LONGEST", "Cursor", "Marks", "cursor_text", "parse_cursor"]

VERSION: Final = "1."
LONGEST: Final = 8000  # characters: web servers and proxies accept headers and addresses of 8 kB
LEDGER_BYTES: Final = 4
WRITER_BYTES: Final = 5
CHECK_BYTES: Final = 4
LARGEST: Final = 2**63 - 1  # number of an entry
LAST_EPOCH: Final = 2**31 - 1


@dataclass(frozen=True)
class Cursor:
    """A place in a ledger: before it lies what was read, after it what was not."""

    epoch: int = 1  # of the ledger when the cursor was made; a restore begins the next
    seqs: Mapping[str, int] = field(default_factory=dict)  # by writer, of its last entry; 0 where absent

    def seq(self, writer: str) -> int:
        """Number of the last entry of a writer that was read; 0 = none."""
        return self.seqs.get(writer, 0)

    def moved(self, seqs: Mapping[str, int]) -> Cursor:
        """The cursor with other numbers for some writers."""
        return Cursor(self.epoch, {**self.seqs, **seqs})

    def reaches(self, other: Cursor) -> bool:
        """Whether everything before the other cursor lies before this one."""
        return all(self.seq(writer) >= seq for writer, seq in other.seqs.items())

    def behind(self, other: Cursor) -> int:
        """How many entries lie after this cursor and before the other."""
        return sum(max(0, seq - self.seq(writer)) for writer, seq in other.seqs.items())


@dataclass(frozen=True)
class Marks:
    """A parsed cursor, before the names of its writers are looked up."""

    ledger: bytes
    epoch: int
    seqs: Mapping[bytes, int]  # by the bytes that name a writer


@lru_cache(maxsize=4096)
def writer_mark(ledger: str, writer: str) -> bytes:
    """The bytes that name a writer in a cursor of this ledger."""
    return first_hash(ledger, writer)[:WRITER_BYTES]


@lru_cache(maxsize=64)
def ledger_mark(ledger: str) -> bytes:
    """The bytes that name a ledger in its cursors."""
    return hashlib.sha256(f"steelsight ledger {ledger}".encode()).digest()[:LEDGER_BYTES]


def cursor_text(ledger: str, cursor: Cursor) -> str:
    """The text of a cursor, for `Last-Event-ID`, `?after=` and files.

    ledger  id of the ledger
    raises  BadCursor where the ledger has more writers than a text can hold (about 600)
    """
    marks = {writer_mark(ledger, writer): seq for writer, seq in cursor.seqs.items() if seq > 0}
    return _marks_text(Marks(ledger_mark(ledger), cursor.epoch, marks))


def _marks_text(marks: Marks) -> str:
    parts = [marks.ledger, _number(marks.epoch)]
    parts += [writer + _number(seq) for writer, seq in sorted(marks.seqs.items())]
    content = b"".join(parts)
    raw = content + hashlib.sha256(content).digest()[:CHECK_BYTES]
    text = VERSION + base64.urlsafe_b64encode(raw).decode().rstrip("=")
    if len(text) > LONGEST:
        raise BadCursor(
            f"cursor: {len(marks.seqs)} writers need {len(text)} characters, "
            f"and a cursor has at most {LONGEST}"
        )
    return text


def parse_cursor(text: str) -> Marks:
    """Read the text of a cursor; each cursor has one text, and no other is accepted.

    raises  BadCursor where it is no cursor, or was cut or altered
    """
    if len(text) > LONGEST or not re.fullmatch(r"1\.[A-Za-z0-9_-]+", text):
        raise BadCursor(
            f"cursor: expected `{VERSION}` and at most {LONGEST} letters, digits, - and _, got {text!r:.60}"
        )
    try:
        marks = _parse_content(_checked(text[len(VERSION) :]))
    except ValueError as error:
        raise BadCursor(
            f"cursor: was cut or altered ({error}), got {text!r:.60}; use one as it was sent"
        ) from error
    if _marks_text(marks) != text:
        raise BadCursor(
            f"cursor: was cut or altered (it has another form), got {text!r:.60}; use one as it was sent"
        )
    return marks


def _checked(encoded: str) -> bytes:
    """The content before the check bytes, which must fit; raises ValueError."""
    raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    content, check = raw[:-CHECK_BYTES], raw[-CHECK_BYTES:]
    if hashlib.sha256(content).digest()[:CHECK_BYTES] != check:
        raise ValueError("its check bytes do not fit")
    return content


def _parse_content(content: bytes) -> Marks:
    epoch, place = _read_number(content, LEDGER_BYTES)
    if not 1 <= epoch <= LAST_EPOCH:
        raise ValueError(f"epoch {epoch}")
    seqs: dict[bytes, int] = {}
    while place < len(content):
        writer = content[place : place + WRITER_BYTES]
        seq, place = _read_number(content, place + WRITER_BYTES)
        if writer in seqs or not 1 <= seq <= LARGEST:
            raise ValueError("a writer stands twice in it, or has no entry")
        seqs[writer] = seq
    return Marks(content[:LEDGER_BYTES], epoch, seqs)


def _number(value: int) -> bytes:
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_number(content: bytes, place: int) -> tuple[int, int]:
    """A number, and the place after it."""
    value = 0
    for count in range(10):
        if place + count >= len(content):
            raise ValueError("it ends within a number")
        value |= (content[place + count] & 127) << 7 * count
        if content[place + count] < 128:
            return value, place + count + 1
    raise ValueError("a number is too large")
