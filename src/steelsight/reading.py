"""Reads files that others may have written: regular files only, bounded in bytes and in nesting.

What is refused is an `OSError` (of the file) or a `ValueError` (of its text), so that each caller names the
file's purpose and the remedy in its own error.
"""

from __future__ import annotations

import errno
import json
import math
import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, BinaryIO, Final

__all__ = ["MOST_BYTES", "inside", "open_regular", "parse_json", "parse_object", "parse_toml", "read_regular"]

MOST_BYTES: Final = 2**30  # of one file without another limit
MOST_TOML_BYTES: Final = 2**18  # of a recipe or a policy; the shipped ones are below 2**13
DEEPEST: Final = 64  # levels of nesting; what Steelsight writes has at most ten
MOST_DOTS: Final = 64  # in one line of TOML: time grows with the square of a dotted key's parts


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; a pipe or a device, which could block for ever, is refused.

    raises  OSError: of the system, or EINVAL for what is no regular file
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return open(handle, "rb")  # noqa: PTH123  a descriptor has no path
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "not a regular file but a pipe or a device", str(path))


def read_regular(path: Path, *, most_bytes: int = MOST_BYTES) -> bytes:
    """The bytes of a regular file.

    raises  OSError as `open_regular`, EFBIG beyond `most_bytes`
    """
    with open_regular(path) as file:
        size = _size(file)
        content = file.read(min(size, most_bytes) + 1)  # a read takes as much memory as it may return
        if len(content) > size:  # it has grown, or the system does not know its size
            content += file.read(most_bytes + 1 - len(content))
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"more than the {most_bytes} bytes allowed", str(path))
    return content


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def parse_json(text: bytes | str, *, strict: bool = False) -> Any:
    """The value of a JSON text of at most DEEPEST levels; raises ValueError.

    strict  refuse what parsers read differently: a key given twice, NaN and infinity
    """
    try:
        value = json.loads(text, **_STRICT) if strict else json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    _refuse_depth(value)
    return value


def parse_object(text: bytes | str) -> dict[str, Any]:
    """The object of a JSON text, as `parse_json`; raises ValueError for another value."""
    value = parse_json(text)
    if isinstance(value, dict):
        return value
    raise ValueError(f"expected an object, found {type(value).__name__}")


def parse_toml(text: bytes | str) -> dict[str, Any]:
    """The table of a TOML text of at most MOST_TOML_BYTES bytes and DEEPEST levels; raises ValueError."""
    words = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    if len(words) > MOST_TOML_BYTES:
        raise ValueError(f"{len(words)} characters, more than the {MOST_TOML_BYTES} allowed")
    for number, line in enumerate(words.splitlines(), start=1):
        if line.count(".") > MOST_DOTS and not line.lstrip().startswith("#"):
            raise ValueError(f"line {number}: more than {MOST_DOTS} dots")
    try:
        table = tomllib.loads(words)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    _refuse_depth(table)
    return table


def inside(root: Path, name: str) -> Path:
    """The path of a name that was read from a file, which may not leave the folder that file is about.

    name    relative, with either slash; no drive, no `..`, no NUL
    returns root / name; a link inside the folder is not followed here
    raises  ValueError

    >>> inside(Path("run"), "fold-0-0/splits.csv").as_posix()
    'run/fold-0-0/splits.csv'
    >>> inside(Path("run"), "../victim")
    Traceback (most recent call last):
    ValueError: '../victim': expected a name inside run
    """
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    parts = {*posix.parts, *windows.parts}
    if not name.strip(". /\\") or "\0" in name or posix.is_absolute() or windows.anchor or ".." in parts:
        raise ValueError(f"{name!r:.120}: expected a name inside {root.name or root}")
    return root / name


def _distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key given twice")
    return found


def _finite_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text:.40}, which is no finite number")
    return number


_STRICT: Final[dict[str, Any]] = {
    "object_pairs_hook": _distinct_keys,
    "parse_constant": _finite_number,
    "parse_float": _finite_number,
}


def _refuse_depth(value: Any) -> None:
    """Raise ValueError beyond DEEPEST levels; what follows may walk the value by recursion."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            entry
            for each in level
            if isinstance(each, Mapping | list)
            for entry in (each.values() if isinstance(each, Mapping) else each)
            if isinstance(entry, Mapping | list)
        ]
        if not level:
            return
    raise ValueError(f"nested more than {DEEPEST} levels deep")
