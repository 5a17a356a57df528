"""A tar stream as a source, such as standard input: `camera-driver | steelsight line BUNDLE - …`."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from io import BufferedIOBase
from typing import IO

from steelsight.errors import BadSource
from steelsight.names import shown_name
from steelsight.service.station.places import NamePattern
from steelsight.service.station.source import Arrival, Place
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
                    name = shown_name(entry.name)
                    place = (self._pattern.read(name) if self._pattern else None) or Place()
                    yield Arrival(f"{name}#{number}", content, int(entry.mtime * 1_000_000), place)
        except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, RecursionError) as error:
            raise BadSource(f"{self._name}: expected a tar stream of images, got {error}") from error

    def written(self, items: Sequence[str]) -> None:
        """Nothing to do: a stream cannot be read again."""
