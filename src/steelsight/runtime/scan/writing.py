"""Files of a scan: whole, or what they were before, whenever the process dies or the disk fills."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

from steelsight.errors import BadOutput

__all__ = ["HALF", "refuse_output", "write_json", "write_whole"]

HALF: Final = ".half"  # suffix of files being written; what a dead process left of them is removed


def write_whole(path: Path, content: bytes | Callable[[BinaryIO], object]) -> None:
    """Write beside, sync, rename, sync the folder; raises BadOutput where the disk refuses.

    content  bytes, or a function that fills the open file
    """
    half = path.with_name(f"{path.name}.{os.getpid()}{HALF}")
    try:
        try:
            with half.open("wb") as file:
                if isinstance(content, bytes):
                    file.write(content)
                else:
                    content(file)
                file.flush()
                os.fsync(file.fileno())
            half.replace(path)
        except BaseException:  # an interrupt too must not leave half a file behind
            half.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise refuse_output(path, error) from error


def write_json(path: Path, value: Any) -> None:
    """One readable JSON document; NaN is refused, because JSON has none."""
    write_whole(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def refuse_output(path: Path, error: OSError) -> BadOutput:
    """The error for a path that cannot be written."""
    return BadOutput(
        f"{path}: could not be written ({error.strerror or error}); nothing half-written is left; "
        "free space or choose another --out, and run the same command again"
    )


def _sync_folder(folder: Path) -> None:
    """Make a rename outlast a power cut; some systems cannot open folders."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
