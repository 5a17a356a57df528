"""An object as a file that seeks: what is read is fetched by ranges, of one state of the object."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import Any, Final

from steelsight.runtime.scan.objects.address import ObjectAddress
from steelsight.runtime.scan.objects.store import ObjectStatus, ObjectStore

__all__ = ["ObjectFile", "StoredObject"]

BUFFER: Final = 2**22  # bytes of a range at least: members of an archive follow each other
MAX_RANGE: Final = 2**26  # bytes of one range


class _Ranges(io.RawIOBase):
    """Reads an object by ranges, without a buffer."""

    mode: Final = "rb"

    def __init__(self, store: ObjectStore, address: ObjectAddress, status: ObjectStatus) -> None:
        super().__init__()
        self._store, self._address, self._status = store, address, status
        self._position = 0
        self.name = str(address)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._status.size}[whence]
        if base + offset < 0:
            raise ValueError(f"a position of {base + offset}, before the start of the object")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), MAX_RANGE, self._status.size - self._position)
        if length <= 0:
            return 0
        content = self._store.read_range(self._address, self._position, length, self._status.etag)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def readall(self) -> bytes:
        content = bytearray(max(0, self._status.size - self._position))
        view, filled = memoryview(content), 0
        while count := self.readinto(view[filled:]):
            filled += count
        return bytes(view[:filled])


class ObjectFile(io.BufferedReader):
    """An open object. Every range is of the state that it had when it was opened."""

    def __init__(self, store: ObjectStore, address: ObjectAddress) -> None:
        """Asks for the object's status; raises ObjectFault."""
        self.status = store.status(address)
        super().__init__(_Ranges(store, address, self.status), BUFFER)


@dataclass(frozen=True)
class StoredObject:
    """An object that can be opened, as a `Path` can."""

    store: ObjectStore
    address: ObjectAddress

    def __str__(self) -> str:
        return str(self.address)

    @property
    def name(self) -> str:
        """The last part of its key."""
        return self.address.name

    def open(self, _mode: str = "rb") -> ObjectFile:
        """Open it for reading; raises ObjectFault."""
        return ObjectFile(self.store, self.address)
