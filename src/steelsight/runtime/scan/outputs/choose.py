"""Open the output of a scan: a folder, or a prefix of a bucket."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from steelsight.errors import BadOutput
from steelsight.runtime.scan.objects.address import is_address
from steelsight.runtime.scan.objects.faults import ObjectFault
from steelsight.runtime.scan.objects.writing import WritableStore
from steelsight.runtime.scan.output import lock_output
from steelsight.runtime.scan.outputs.bucket import BucketOutput, bucket_place
from steelsight.runtime.scan.outputs.folder import FolderOutput

__all__ = ["ScanOutput", "open_output"]

ScanOutput: TypeAlias = FolderOutput | BucketOutput


@contextmanager
def open_output(out: Path | str, *, fresh: bool) -> Iterator[ScanOutput]:
    """Lock an output for this process while the block runs.

    out     a folder, or an address s3://BUCKET/PREFIX as text
    fresh   remove what an earlier scan wrote, and nothing else
    raises  BadOutput where it cannot be written, holds something else, or another process scans into it
    """
    if not is_address(str(out)):
        with lock_output(Path(out), fresh=fresh):
            yield FolderOutput(Path(out))
        return
    place = bucket_place(str(out))
    with tempfile.TemporaryDirectory(prefix="steelsight-scan-") as work:
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
