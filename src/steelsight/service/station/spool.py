"""Entries that wait on disk while the database is away, chained, and replayed in their order.

One line an append: `SHA-256 of the line before and this payload`, a space, the payload as JSON. A line that a
crash cut off is dropped with a note; a line that was altered is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from steelsight.errors import BadEntry, BadOutput, LedgerAltered
from steelsight.files import refuse_output, sync_folder, take_lock
from steelsight.ledger.chain.entries import Entry, check_entry

__all__ = ["Spool"]

ADVICE: Final = "free space on the disk of --spool; sheets wait until then"


class Spool:
    """A file of entries that are not in the ledger yet.

    path    made where it is missing
    raises  LedgerAltered where a line in it was altered; BadOutput where it cannot be written, or another
            process uses it
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dropped = 0  # bytes of a line that a crash cut off
        self._last = b""
        self._end = 0
        self.waiting = 0  # appends in it
        with ExitStack() as undo:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                how = "r+b" if path.exists() else "w+b"
                self._file = undo.enter_context(path.open(how, buffering=0))  # nothing is left to write later
                if not take_lock(self._file.fileno()):
                    raise BadOutput(
                        f"{path}: another process uses this spool; give each station its own --spool"
                    )
                self._open()
            except OSError as error:
                raise refuse_output(path, error, advice=ADVICE) from error
            undo.pop_all()

    def _open(self) -> None:
        """Read what waits, and cut off an unfinished line."""
        for digest, _, end in self._lines():
            self._last, self._end = digest, end
            self.waiting += 1
        self.dropped = self.path.stat().st_size - self._end
        self._file.truncate(self._end)
        os.fsync(self._file.fileno())
        sync_folder(self.path.parent)

    def append(self, entries: Sequence[Entry]) -> None:
        """Add the entries of one append; on disk when this returns.

        raises  BadOutput: nothing was added
        """
        payload = json.dumps([entry.model_dump(mode="json") for entry in entries]).encode()
        digest = _digest(self._last, payload)
        line = digest + b" " + payload + b"\n"
        try:
            self._file.seek(self._end)
            self._write(line)
            os.fsync(self._file.fileno())
        except OSError as error:
            self._undo()
            raise refuse_output(self.path, error, advice=ADVICE) from error
        self._last, self._end, self.waiting = digest, self._end + len(line), self.waiting + 1

    def _write(self, content: bytes) -> None:
        left = memoryview(content)
        while left:
            left = left[self._file.write(left) :]

    def _undo(self) -> None:
        try:
            self._file.truncate(self._end)
        except OSError as error:
            raise BadOutput(f"{self.path}: a line that was cut off could not be removed ({error})") from error

    def read(self) -> Iterator[list[Entry]]:
        """The entries of each append, oldest first; raises LedgerAltered where a line holds no entries."""
        for _, payload, end in self._lines():
            try:
                entries = [check_entry(each) for each in json.loads(payload)]
            except (BadEntry, ValueError, TypeError, RecursionError) as error:
                raise self._altered(end, f"holds no entries ({error!s:.200})") from error
            if not entries:
                raise self._altered(end, "holds no entries")
            yield entries

    def clear(self) -> None:
        """Forget everything: it is in the ledger. raises BadOutput where the file cannot be written."""
        try:
            self._file.truncate(0)
            os.fsync(self._file.fileno())
        except OSError as error:
            raise refuse_output(self.path, error, advice=ADVICE) from error
        self._last, self._end, self.waiting = b"", 0, 0

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _lines(self) -> Iterator[tuple[bytes, bytes, int]]:
        """Hash, payload and end of each whole line."""
        last, end = b"", 0
        with os.fdopen(os.dup(self._file.fileno()), "rb") as file:
            file.seek(0)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                end += len(line)
                digest, _, payload = line[:-1].partition(b" ")
                if digest != _digest(last, payload):
                    raise self._altered(end, "was altered")
                last = digest
                yield digest, payload, end

    def _altered(self, end: int, what: str) -> LedgerAltered:
        return LedgerAltered(
            f"{self.path}: the line that ends at byte {end} {what}; move the file away to go on without the "
            "sheets in it, and keep it"
        )


def _digest(last: bytes, payload: bytes) -> bytes:
    return hashlib.sha256(last + b" " + payload).hexdigest().encode()
