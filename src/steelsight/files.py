"""Write files atomically: after a crash or on a full disk a file is either complete or unchanged."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

from steelsight.errors import BadOutput
from steelsight.plain import plain

__all__ = [
    "PARTIAL",
    "dump_json",
    "refuse_output",
    "replace_file",
    "replace_through",
    "sync_folder",
    "write_json",
    "write_synced",
]

PARTIAL: Final = ".part"  # suffix of a file being written; those of an ended process may be removed

ADVICE: Final = "free space or choose another --out, and run the same command again"


def replace_file(path: Path, content: bytes | Callable[[BinaryIO], object], *, advice: str = ADVICE) -> None:
    """Write beside `path`, sync, rename, sync the folder; missing folders are created.

    content  bytes, or a function that fills the open file
    advice   end of the message: what to do where writing fails
    raises   BadOutput where writing fails; an earlier file stays unchanged
    """

    def fill(partial: Path) -> None:
        with partial.open("wb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                content(file)

    replace_through(path, fill, advice=advice)


def replace_through(path: Path, write: Callable[[Path], object], *, advice: str = ADVICE) -> None:
    """As `replace_file`, for a library that writes to a path: `write` receives the path to write to."""
    partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(partial)
            _sync(partial)
            partial.replace(path)
        except BaseException:  # also after an interrupt
            partial.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise refuse_output(path, error, advice=advice) from error


def dump_json(value: Any, *, indent: int | None = 2) -> str:
    """One JSON document with a line end; NaN and infinity are written as null, because JSON has neither."""
    return json.dumps(plain(value), indent=indent, allow_nan=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """One readable JSON document, as `dump_json` writes it, by `replace_file`."""
    replace_file(path, dump_json(value).encode())


def refuse_output(path: Path, error: OSError, *, advice: str = ADVICE) -> BadOutput:
    """The error for a path that cannot be written."""
    return BadOutput(
        f"{path}: could not be written ({error.strerror or error}); an earlier file is unchanged; {advice}"
    )


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and force it to the disk; for files of a folder that is renamed afterwards."""
    path.write_bytes(content)
    _sync(path)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut; some systems cannot open folders, where this does nothing."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
