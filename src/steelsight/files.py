"""Write files atomically: after a crash or on a full disk a file is either complete or unchanged."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

from steelsight.errors import BadOutput
from steelsight.names import short_name, shown_name
from steelsight.plain import plain

__all__ = [
    "PARTIAL",
    "check_output",
    "dump_json",
    "refuse_output",
    "replace_file",
    "replace_through",
    "sync_folder",
    "write_json",
    "write_synced",
]

NAME_BYTES: Final = 255  # longest name of a file on common file systems
PARTIAL: Final = ".part"  # suffix of a file being written; those of an ended process may be removed

ADVICE: Final = "free space or choose another --out, and run the same command again"


def replace_file(
    path: Path, content: bytes | str | Callable[[BinaryIO], object], *, advice: str = ADVICE
) -> None:
    """Write beside `path`, sync, rename, sync the folder; missing folders are created.

    content  bytes, text as `shown_name` writes it in UTF-8, or a function that fills the open file
    advice   end of the message: what to do where writing fails
    raises   BadOutput where writing fails; an earlier file stays unchanged
    """

    def fill(partial: Path) -> None:
        with partial.open("wb") as file:
            if isinstance(content, str):
                file.write(shown_name(content).encode())
            elif isinstance(content, bytes):
                file.write(content)
            else:
                content(file)

    replace_through(path, fill, advice=advice)


def replace_through(path: Path, write: Callable[[Path], object], *, advice: str = ADVICE) -> None:
    """As `replace_file`, for a library that writes to a path: `write` receives the path to write to."""
    partial = path.with_name(_partial_name(path.name))
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


def _partial_name(name: str) -> str:
    """The name of a file while it is written: within the 255 bytes that file systems allow."""
    end = f".{os.getpid()}{PARTIAL}"
    return short_name(name, NAME_BYTES - len(end)) + end


def dump_json(value: Any, *, indent: int | None = 2) -> str:
    """One JSON document with a line end; NaN and infinity are written as null, because JSON has neither."""
    return json.dumps(plain(value), indent=indent, allow_nan=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """One readable JSON document, as `dump_json` writes it, by `replace_file`."""
    replace_file(path, dump_json(value))


def check_output(folder: Path, *, advice: str = "choose another folder") -> None:
    """Refuse a folder that cannot be written, before any work is done for it; nothing is created.

    advice  end of the message: what to do
    raises  BadOutput where the folder or one above it is a file or write-protected, or a name is too long
    """
    for path in (folder, *folder.parents):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        except NotADirectoryError:  # the file itself is one of the parents
            continue
        except OSError as error:
            raise BadOutput(f"{folder}: cannot be written ({error.strerror or error}); {advice}") from error
        if not stat.S_ISDIR(status.st_mode):
            raise BadOutput(f"{folder}: expected a folder to write, but {path} is a file; {advice}")
        if not os.access(path, os.W_OK | os.X_OK):
            raise BadOutput(f"{folder}: expected a folder to write, but {path} is write-protected; {advice}")
        return


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
