"""A list of keys of any length on disk, written once and read several times, in constant memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Final

__all__ = ["KeySpool"]

_LENGTH: Final = 4  # bytes before each key
_BUFFER: Final = 2**20


class KeySpool:
    """Keys in the order in which they came, in a temporary file that has no name."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=_BUFFER)  # noqa: SIM115  see close
        self._last = ""
        self._count = 0
        self.is_sorted = True  # by code point, each key once

    def __len__(self) -> int:
        return self._count

    def add(self, key: str) -> None:
        """Append a key; raises OSError."""
        self.is_sorted &= not self._count or self._last < key
        content = key.encode("utf-8", "surrogatepass")
        self._file.write(len(content).to_bytes(_LENGTH, "little") + content)
        self._last = key
        self._count += 1

    def __iter__(self) -> Iterator[str]:
        """The keys from the first on; one reader at a time."""
        self._file.seek(0)
        while length := self._file.read(_LENGTH):
            yield self._file.read(int.from_bytes(length, "little")).decode("utf-8", "surrogatepass")

    def sort(self) -> None:
        """Sort the keys in memory, for a store that lists them in no order."""
        ordered = sorted(set(self))
        self.close()
        self.__init__()  # type: ignore[misc]
        for key in ordered:
            self.add(key)

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
