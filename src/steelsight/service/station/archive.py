"""A tar stream as a source, such as standard input: `camera-driver | steelsight line BUNDLE - …`."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from io import BufferedIOBase
from typing import IO

from steelsight.errors import BadInput, BadSource
from steelsight.names import shown_name
from steelsight.runtime.scan.archives.members import DAMAGE
from steelsight.service.station.places import NamePattern
from steelsight.service.station.source import Arrival, Place, bounded_us, item_name
from steelsight.sheets.images.image_file import MAX_FILE_BYTES

__all__ = ["TarSource"]


class TarSource:
    """Sheets from a tar stream that is read once, in its order.

    An item is the entry's name and its number in the stream.
    """

    def __init__(
        self, stream: IO[bytes] | BufferedIOBase, name: str = "stdin", *, pattern: NamePattern | None = None
    ) -> None:
        self._stream = stream
        self._name = name
        self._pattern = pattern

    def __iter__(self) -> Iterator[Arrival | None]:
        try:
            with tarfile.open(fileobj=self._stream, mode="r|*") as archive:
                for number, entry in enumerate(archive):
                    archive.members = []  # type: ignore[attr-defined]  # else every header is kept
                    file = archive.extractfile(entry) if entry.isreg() else None
                    if file is None:
                        continue
                    content = file.read(MAX_FILE_BYTES + 1)
                    place = self._place(shown_name(entry.name))
                    item = item_name(f"{entry.name}#{number}")
                    yield Arrival(item, content, _captured_us(float(entry.mtime)), place)
        except BadInput:
            raise
        except (*DAMAGE, RecursionError) as error:
            raise BadSource(f"{self._name}: expected a tar stream of images, got {error}") from error

    def _place(self, name: str) -> Place:
        try:
            return (self._pattern.read(name) if self._pattern else None) or Place()
        except BadInput:  # such as a position that no number can hold
            return Place()

    def written(self, items: Sequence[str]) -> None:
        """Nothing to do: a stream cannot be read again."""


def _captured_us(seconds: float) -> int:
    """The time in an entry's header; headers may hold any number."""
    try:
        return bounded_us(int(seconds * 1_000_000))
    except (ValueError, OverflowError):
        return 0
