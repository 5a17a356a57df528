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

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from steelsight.ledger.writing.writer import now_us

__all__ = ["Arrival", "IterableSource", "Place", "Source"]


@dataclass(frozen=True)
class Place:
    """Where on the strip a sheet lies; None = not known."""

    coil: str | None = None
    position_m: float | None = None  # along the strip, of the leading edge
    length_m: float | None = None  # along the strip
    across_mm: float | None = None  # from the reference edge of the strip
    side: Literal["top", "bottom"] | None = None


@dataclass(frozen=True)
class Arrival:
    """One sheet from a source."""

    item: str  # the source's own name of it, the same after a restart; never used for another sheet
    content: bytes  # of the image file
    captured_us: int  # microseconds since 1970-01-01 UTC
    place: Place = Place()
    image: str | None = None  # where the image lies, if it need not be stored again


@runtime_checkable
class Source(Protocol):
    """Yields sheets; a sheet that was not reported as written is yielded again after a restart."""

    def __iter__(self) -> Iterator[Arrival | None]:
        """The sheets in their order; None where none is there at the moment."""
        ...

    def written(self, items: Sequence[str]) -> None:
        """These items are in the ledger or in the spool, on disk."""
        ...


class IterableSource:
    """Sheets from a Python iterable: arrivals, or pairs of a name and the bytes of an image file."""

    def __init__(self, items: Iterable[Arrival | tuple[str, bytes] | None]) -> None:
        self._items = items

    def __iter__(self) -> Iterator[Arrival | None]:
        for each in self._items:
            yield Arrival(each[0], each[1], now_us()) if isinstance(each, tuple) else each

    def written(self, items: Sequence[str]) -> None:
        """Nothing to do: an iterable keeps nothing."""
