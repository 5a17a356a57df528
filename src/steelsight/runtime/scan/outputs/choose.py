"""Open the output of a scan: a folder, or a prefix of a bucket."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from steelsight.errors import BadOutput
from steelsight.files import take_lock
from steelsight.runtime.scan.objects.address import is_address
from steelsight.runtime.scan.objects.faults import ObjectFault
from steelsight.runtime.scan.objects.writing import WritableStore
from steelsight.runtime.scan.output import LOCK, lock_output
from steelsight.runtime.scan.outputs.bucket import BucketOutput, bucket_place
from steelsight.runtime.scan.outputs.folder import FolderOutput

__all__ = ["ScanOutput", "open_output", "remove_left_folders"]

WORK: Final = "steelsight-scan-"  # how folders in TMPDIR begin, in which results for object storage are made
_OTHER_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_YOUNG_S: Final = 3600.0  # folders that may not be locked yet

ScanOutput: TypeAlias = FolderOutput | BucketOutput


@contextmanager
def open_output(out: Path | str, *, fresh: bool) -> Iterator[ScanOutput]:
    """Lock an output for this process while the block runs.

    out     a folder, or an address s3://BUCKET/PREFIX as text
    fresh   remove what an earlier scan wrote, and nothing else
    raises  BadOutput where it cannot be written, holds something else, or another process scans into it
    """
    if not is_address(str(out)):
        if _OTHER_ADDRESS.match(str(out)):
            raise BadOutput(
                f"{str(out)!r:.200}: expected a folder or s3://BUCKET/PREFIX, got another address"
            )
        with lock_output(Path(out), fresh=fresh):
            yield FolderOutput(Path(out))
        return
    place = bucket_place(str(out))
    remove_left_folders()
    with tempfile.TemporaryDirectory(prefix=WORK) as work:
        output = BucketOutput(place, Path(work), WritableStore())
        try:
            with lock_output(output.work, fresh=False):
                output.open(fresh=fresh)
                yield output
        except ObjectFault as fault:
            raise output.refuse(fault) from fault
        except BadOutput as error:
            if work in str(error):  # of this machine's disk
                raise BadOutput(f"{error}; TMPDIR may name a folder with more space") from error
            raise
        finally:
            output.close()


def remove_left_folders() -> None:
    """Remove this user's folders in TMPDIR of scans that were killed: those that no process holds locked."""
    if os.name != "posix":  # without such locks nobody knows
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{WORK}*"):
        try:
            facts = folder.lstat()
            if facts.st_uid != os.getuid() or time.time() - facts.st_mtime < _YOUNG_S:
                continue
            with (folder / LOCK).open("rb") as lock:
                if take_lock(lock.fileno()):
                    shutil.rmtree(folder)
        except OSError:  # no lock, or gone meanwhile: it is no obstacle to this scan
            continue
