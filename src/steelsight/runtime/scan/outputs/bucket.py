"""A scan's output in object storage: files are made in a folder of this machine and written from there.

Every object is written under the condition that the store has it as this scan saw it last: a part that is
not there only where there is still none (If-None-Match), a damaged one only in its own place (If-Match).
So no part is written twice, whatever happens to locks and clocks.
"""

from __future__ import annotations

import errno
import hashlib
import shutil
import threading
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from steelsight.errors import BadOutput, BadSource, ScanIncomplete
from steelsight.files import refuse_output
from steelsight.reading import MOST_BYTES
from steelsight.runtime.scan.job import FinishedPart
from steelsight.runtime.scan.objects.address import ObjectAddress, parse_address
from steelsight.runtime.scan.objects.faults import ObjectFault
from steelsight.runtime.scan.objects.ranged_file import ObjectFile
from steelsight.runtime.scan.objects.read_ahead import ReadAhead
from steelsight.runtime.scan.objects.writing import WritableStore
from steelsight.runtime.scan.output import OURS, SCAN_FILE, ScanIdentity, load_scan
from steelsight.runtime.scan.outputs.lease import LOCK, WriteLease
from steelsight.runtime.scan.parts import PARTITIONS, VERDICTS, parse_part, part_path
from steelsight.runtime.scan.plan import PLAN_FILE

__all__ = ["BucketOutput", "bucket_place"]

UPLOADS: Final = 8  # parts at a time
COPIED: Final = 2**24  # bytes at once
_DENIED: Final = (
    "permission denied; allow these credentials s3:PutObject and s3:GetObject below the output "
    "(s3:DeleteObject too for --fresh), and s3:ListBucket of its bucket"
)
_CHANGED: Final = "another process wrote it since this scan looked; let one scan at a time write there"


class BucketOutput:
    """A prefix of a bucket that this process locks, and a folder of this machine for what is being made."""

    def __init__(self, place: ObjectAddress, work: Path, store: WritableStore) -> None:
        """Nothing is asked of the store yet.

        place  prefix without a slash at its end
        work   an empty folder
        """
        self.place = place
        self.work = work
        self._store = store
        self._lease = WriteLease(store, place)
        self._etags: dict[str, str] = {}  # of every object below the prefix, by its name, as last seen
        self._lock = threading.Lock()
        self._ahead = ReadAhead(self._read)

    def open(self, *, fresh: bool) -> None:
        """Lock the prefix and list it.

        fresh   remove the objects of an earlier scan, and no others
        raises  BadOutput where the prefix holds something else, or another scan writes there; ObjectFault
        """
        self._list()
        self._lease.take()
        self._list()
        if fresh:
            self._remove_scan()

    def close(self) -> None:
        """Give the lock back."""
        self._ahead.close()
        self._lease.give_back()
        self._store.close()

    def load(self, identity: ScanIdentity) -> dict[str, Any] | None:
        """What scan.json says, as `load_scan`; it and the plan are then in `work`."""
        if SCAN_FILE not in self._etags:
            return None
        self._fetch(SCAN_FILE)
        saved = load_scan(self.work, identity, shown=self.place)
        if PLAN_FILE not in self._etags:
            raise BadOutput(f"{self.place / PLAN_FILE}: expected the plan of a scan, got none; use --fresh")
        self._fetch(PLAN_FILE)
        return saved

    def part_names(self) -> set[str]:
        """Names of the objects among the parts."""
        return {name.removeprefix(f"{VERDICTS}/") for name in self._etags if name.startswith(f"{VERDICTS}/")}

    def expect(self, numbers: Iterable[int]) -> None:
        """Read these parts ahead, in the order in which `read_part` will be called."""
        self._ahead.expect(name for name in map(self._name, numbers) if name in self._etags)

    def read_part(self, number: int, schema: pa.Schema | None = None) -> pa.Table:
        """A part, as `parts.read_part`; raises ObjectFault too."""
        name = self._name(number)
        content = self._ahead.take(name)
        return parse_part(self._read(name) if content is None else content, self.place / name, schema)

    def keep(self, finished: Generator[FinishedPart, None, None]) -> Generator[FinishedPart, None, None]:
        """Write each part that lies in `work`, and yield it when the store has it.

        Where one cannot be written, those that are being written are waited for.
        """
        waiting: deque[tuple[FinishedPart, Future[None]]] = deque()
        with closing(finished), ThreadPoolExecutor(UPLOADS, thread_name_prefix="upload") as pool:
            try:
                for part in finished:
                    waiting.append((part, pool.submit(self._write, self._name(part.part), spent=True)))
                    while waiting and (waiting[0][1].done() or len(waiting) >= UPLOADS):
                        yield _result(*waiting.popleft())
            except ScanIncomplete:  # it says that all other parts are complete
                while waiting:
                    yield _result(*waiting.popleft())
                raise
            while waiting:
                yield _result(*waiting.popleft())

    def write_files(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Write objects by their names in the output, but for those that are there.

        raises  BadOutput, ObjectFault
        """
        waiting: deque[Future[None]] = deque()
        with ThreadPoolExecutor(UPLOADS, thread_name_prefix="upload") as pool:
            for name, content in files:
                # The usual ETag; where a store has another one, the object is written again.
                usual = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
                if self._etags.get(name) == usual:
                    continue
                waiting.append(pool.submit(self._put, name, content))
                if len(waiting) >= UPLOADS:
                    waiting.popleft().result()
            for written in waiting:
                written.result()

    def publish(self, *names: str) -> None:
        """Write these files of `work`, in this order, those that are there; raises BadOutput, ObjectFault."""
        for name in names:
            if (self.work / name).exists():
                self._write(name)

    def refuse(self, fault: ObjectFault) -> BadOutput:
        """The error of a scan that ends by a fault: what happened, what is kept, how to go on."""
        words = {errno.EACCES: _DENIED, errno.ESTALE: _CHANGED}.get(fault.errno or 0, str(fault.strerror))
        again = "" if "the same command" in words else "; then run the same command again"
        parts = len(self.part_names())
        kept = f"; {parts} parts are there and are kept" if parts else ""
        return BadOutput(f"{fault.filename or self.place}: {words}{kept}{again}")

    def _remove_scan(self) -> None:
        """Remove an earlier scan, scan.json last: parts without it are refused."""
        parts = (f"{VERDICTS}/part-*.parquet", f"{PARTITIONS}/*/part-*.parquet")  # at any depth
        ours = [name for name in self._etags if name in OURS or any(fnmatch(name, each) for each in parts)]
        ours.sort(key=lambda name: name == SCAN_FILE)
        self._store.remove(self.place.bucket, [(self.place / name).key for name in ours])
        for name in ours:
            del self._etags[name]

    def _name(self, number: int) -> str:
        return f"{VERDICTS}/{part_path(self.work, number).name}"

    def _list(self) -> None:
        """Look what is below the prefix; raises BadOutput for anything else than an earlier scan."""
        prefix = ObjectAddress(self.place.bucket, f"{self.place.key}/" if self.place.key else "")
        etags = {}
        for entry in self._store.iterate_entries(prefix):
            name = entry.key.removeprefix(prefix.key)
            if name in (
                "",
                f"{VERDICTS}/",
                LOCK,
            ):  # the first two stand for folders, as some tools write them
                continue
            if name.partition("/")[0] not in OURS:
                raise self._refuse_foreign(name)
            etags[name] = entry.etag
        if SCAN_FILE not in etags and any(name.startswith(f"{VERDICTS}/") for name in etags):
            raise self._refuse_foreign(f"{VERDICTS}/ without {SCAN_FILE}")
        self._etags = etags

    def _refuse_foreign(self, came: str) -> BadOutput:
        return BadOutput(
            f"{self.place}: expected a new prefix or an earlier scan, found {came:.200}; choose another --out"
        )

    def _read(self, name: str) -> bytes:
        try:
            read = self._store.read_state(self.place / name, most_bytes=MOST_BYTES)
        except ObjectFault as fault:
            raise self._named(fault, name) from fault
        with self._lock:
            self._etags[name] = read.etag
        return read.content

    def _fetch(self, name: str) -> None:
        """Copy an object into `work`, by ranges of one state of it."""
        try:
            with ObjectFile(self._store, self.place / name) as source, (self.work / name).open("wb") as file:
                self._etags[name] = source.status.etag
                shutil.copyfileobj(source, file, COPIED)
        except ObjectFault as fault:
            raise self._named(fault, name) from fault
        except OSError as error:  # of this machine's disk
            raise refuse_output(self.work / name, error) from error

    def _write(self, name: str, *, spent: bool = False) -> None:
        """Write a file of `work` in place of what was seen last.

        spent  whether the file is no longer needed here
        """
        path = self.work / name
        self._put(name, path)
        if spent:
            path.unlink()

    def _put(self, name: str, content: bytes | Path) -> None:
        """Write an object in place of what was seen last."""
        self._lease.check()
        try:
            etag = self._store.write(self.place / name, content, replaces=self._etags.get(name, ""))
        except ObjectFault as fault:
            raise self._named(fault, name) from fault
        with self._lock:
            self._etags[name] = etag

    def _named(self, fault: ObjectFault, name: str) -> ObjectFault:
        """The same fault, with the address of the object that it is about."""
        return ObjectFault(fault.errno, fault.strerror, str(self.place / name))


def bucket_place(out: str) -> ObjectAddress:
    """The prefix that an address names, without a slash at its end; raises BadOutput."""
    try:
        address = parse_address(out)
    except BadSource as error:
        raise BadOutput(str(error)) from error
    return ObjectAddress(address.bucket, address.key.rstrip("/"))


def _result(part: FinishedPart, written: Future[None]) -> FinishedPart:
    written.result()
    return part
