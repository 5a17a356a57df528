"""What a source of sheets is: anything that yields items, such as a watched folder or a camera's driver.

A camera needs an adapter of this form and nothing else:

    class Camera:
        def __iter__(self):
            for frame in driver.frames():
                yield Arrival(item=frame.serial, content=frame.jpeg, captured_us=frame.time_us)

        def written(self, items):
            driver.release(items)
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, runtime_checkable

from steelsight.errors import BadInput
from steelsight.ledger.chain.entries import SAFE_INTEGER
from steelsight.ledger.writing.writer import now_us
from steelsight.names import on_one_line, shown_name
from steelsight.types import Reason

__all__ = [
    "Arrival",
    "IterableSource",
    "Place",
    "Refusal",
    "Source",
    "SourceNotice",
    "bounded_us",
    "item_name",
]

LONGEST_ITEM: Final = 4000  # characters, as the ledger holds them with a little to spare
LONGEST_COIL: Final = 200


@dataclass(frozen=True)
class Place:
    """Where on the strip a sheet lies; None = not known."""

    coil: str | None = None
    position_m: float | None = None  # along the strip, of the leading edge
    length_m: float | None = None  # along the strip
    across_mm: float | None = None  # from the reference edge of the strip
    side: Literal["top", "bottom"] | None = None

    def __post_init__(self) -> None:
        if self.coil is not None and not (0 < len(self.coil) <= LONGEST_COIL and _writable(self.coil)):
            raise BadInput(f"coil: expected 1 to {LONGEST_COIL} printable characters, got {self.coil!r:.60}")
        for name in ("position_m", "length_m", "across_mm"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise BadInput(f"{name}: expected a finite number, got {value}")
        if self.length_m is not None and self.length_m < 0:
            raise BadInput(f"length_m: expected 0 or more, got {self.length_m}")
        if self.side not in (None, "top", "bottom"):
            raise BadInput(f"side: expected top or bottom, got {self.side!r:.40}")


@dataclass(frozen=True)
class Refusal:
    """Why the bytes of a sheet could not be taken, for good."""

    reason: Reason
    detail: str  # what was expected, what came, what to do


@dataclass(frozen=True)
class SourceNotice:
    """Something at a source that must be on record and is no sheet: it becomes an event of the ledger.

    The same notice is entered once, however often the source gives it.
    """

    name: str  # of the event, such as unreadable
    subject: str  # the file, folder or entry
    reason: str  # in words


@dataclass(frozen=True)
class Arrival:
    """One sheet from a source; raises BadInput for what the ledger cannot hold."""

    item: str  # the source's own name of it, the same after a restart; never used for another sheet
    content: bytes  # of the image file
    captured_us: int  # microseconds since 1970-01-01 UTC
    place: Place = Place()
    image: str | None = None  # where the image lies, if it need not be stored again
    refused: Refusal | None = None  # the sheet is entered as a bad image; `content` is empty

    def __post_init__(self) -> None:
        for name, value in (("item", self.item), ("image", self.image)):
            if value is not None and item_name(value) != value:
                raise BadInput(
                    f"{name}: expected 1 to {LONGEST_ITEM} printable characters, got {value!r:.80}; "
                    "`item_name` of steelsight.service.station.source makes a name of any text"
                )
        if bounded_us(self.captured_us) != self.captured_us:
            raise BadInput(
                f"sheet {self.item:.80}: expected a time within 285 years of 1970, got {self.captured_us} us"
            )


def item_name(text: str) -> str:
    """A name that the ledger can hold: the text where it can; else escaped and cut, with a hash of the text.

    >>> item_name("a.jpg")
    'a.jpg'
    >>> item_name("a\\n.jpg")
    'a\\\\x0a.jpg~fdc81666'
    """
    if 0 < len(text) <= LONGEST_ITEM and _writable(text):
        return text
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{on_one_line(shown_name(text))[: LONGEST_ITEM - 9]}~{digest}"


def _writable(text: str) -> bool:
    return on_one_line(shown_name(text)) == text


def bounded_us(time_us: int) -> int:
    """The time nearest to a given one that the ledger can hold: within 285 years of 1970."""
    return max(-SAFE_INTEGER, min(SAFE_INTEGER, time_us))


@runtime_checkable
class Source(Protocol):
    """Yields sheets; a sheet that was not reported as written is yielded again after a restart."""

    def __iter__(self) -> Iterator[Arrival | SourceNotice | None]:
        """The sheets in their order; None where none is there at the moment."""
        ...

    def written(self, items: Sequence[str]) -> None:
        """These items are in the ledger or in the spool, on disk."""
        ...


class IterableSource:
    """Sheets from a Python iterable: arrivals, notices, or pairs of a name and the bytes of an image file."""

    def __init__(self, items: Iterable[Arrival | SourceNotice | tuple[str, bytes] | None]) -> None:
        self._items = items

    def __iter__(self) -> Iterator[Arrival | SourceNotice | None]:
        for each in self._items:
            yield Arrival(each[0], each[1], now_us()) if isinstance(each, tuple) else each

    def written(self, items: Sequence[str]) -> None:
        """Nothing to do: an iterable keeps nothing."""
