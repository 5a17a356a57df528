"""Files that are either whole or what they were before, whenever the process dies or the disk fills."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from steelsight.errors import BadCheckpoint

__all__ = ["write_file", "write_json", "write_through"]


def write_file(path: Path, data: bytes) -> None:
    """Write beside, sync, rename; raises BadCheckpoint where the disk refuses; the old file stays."""
    write_through(path, lambda new: new.write_bytes(data))


def write_json(path: Path, value: Any) -> None:
    """One readable JSON document; NaN is refused, because JSON has none."""
    write_file(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def write_through(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then put it in its place; raises BadCheckpoint as write_file."""
    new = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(new)
            _sync(new)
            new.replace(path)
        except BaseException:  # an interrupt too must not leave half a file behind
            new.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadCheckpoint(
            f"{path}: could not be written ({error.strerror or error}); the file saved before is unharmed; "
            "free space or choose another folder, and run the same command again"
        ) from error


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
