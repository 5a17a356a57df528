"""Files that mark the folders of a command, so that a node can tell whether it sees the same ones."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from steelsight.cluster.checks import Mark
from steelsight.errors import BadOutput
from steelsight.files import take_lock

__all__ = ["marked"]

_NAME: Final = ".steelsight-nodes-"


@contextmanager
def marked(folder: Path) -> Iterator[Mark]:
    """A mark in a folder, which is made where it is not there, inside the `with`.

    Marks of commands that were killed are removed.
    raises  BadOutput where the folder cannot be written into
    """
    content = secrets.token_hex(16)
    path = folder / f"{_NAME}{content[:8]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_left(folder)
        mark = path.open("xb")
    except OSError as error:
        raise BadOutput(
            f"{folder}: cannot be written into ({error.strerror}); choose another --out"
        ) from error
    with mark:
        try:
            _is_free(mark)  # a lock for as long as this process lives
            mark.write(content.encode())  # what has no content yet is not removed by others
            mark.flush()
            yield Mark(str(path), content)
        finally:
            path.unlink(missing_ok=True)


def _remove_left(folder: Path) -> None:
    """Remove the marks whose commands have ended."""
    for path in folder.glob(f"{_NAME}*"):
        try:
            with path.open("r+b") as mark:
                if mark.read(1) and _is_free(mark):
                    path.unlink()
        except OSError:  # its command has ended meanwhile, or it is another user's
            continue


def _is_free(mark: BinaryIO) -> bool:
    """Whether the lock of a mark was taken; False where the file system has none: nobody can tell then."""
    try:
        return take_lock(mark.fileno())
    except OSError:
        return False
