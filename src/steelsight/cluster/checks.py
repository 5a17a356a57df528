"""Whether a computer of a cluster can do a task: the same software, and the same folders.

A task checks it where it begins, so that computers that join later are checked too.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Final

from steelsight.errors import BadInput, BadOutput
from steelsight.version import __version__

__all__ = ["Expected", "check_node", "expect_of_nodes"]

_SOFTWARE: Final = ("numpy", "torch")  # whose versions decide on figures
_SAMPLED: Final = 8  # files of a folder that are compared
_MARK: Final = ".steelsight-nodes-"


@dataclass(frozen=True)
class Expected:
    """What every computer must have."""

    versions: dict[str, str]
    files: dict[str, int | None]  # path: bytes, of files and folders that tasks read (-1 = a folder)
    marks: dict[str, str]  # file: content, in folders that tasks write into
    folder: str  # the current one, to which relative paths refer


@contextmanager
def expect_of_nodes(reads: Sequence[Path], writes: Sequence[Path]) -> Iterator[Expected]:
    """What computers need for tasks on these folders; a file marks the latter until the `with` ends.

    raises  BadOutput where a folder cannot be written into
    """
    files: dict[str, int | None] = {}
    for folder in reads:
        files |= _sample(folder.absolute())
    with ExitStack() as stack:
        marks = dict(stack.enter_context(_marked(folder.absolute())) for folder in writes)
        yield Expected(_versions(), files, marks, str(Path.cwd()))


def check_node(expected: Expected) -> None:
    """Check this computer, and go to the current folder of the one that asks.

    raises  BadInput, naming this computer and what it lacks
    """
    here = socket.gethostname()
    for name, wanted in expected.versions.items():
        if (found := _versions()[name]) != wanted:
            raise BadInput(
                f"node {here}: expected {name} {wanted}, as where the command runs, got {found}; "
                "install the same versions on all nodes"
            )
    for path, size in expected.files.items():
        if _size(Path(path)) != size:
            raise BadInput(
                f"node {here}: expected {path} as where the command runs, got "
                f"{'another file' if Path(path).exists() else 'nothing there'}; DATA must lie on a folder "
                "that all nodes see under one path"
            )
    for path, content in expected.marks.items():
        if _text(Path(path)) != content:
            raise BadInput(
                f"node {here}: expected to see the folder {Path(path).parent} that the command writes into, "
                "got another or none; --out must lie on a folder that all nodes see under one path"
            )
    if Path(expected.folder).is_dir():
        os.chdir(expected.folder)


def _versions() -> dict[str, str]:
    python = ".".join(map(str, sys.version_info[:2]))
    return {"steelsight": __version__, "Python": python} | {name: _version(name) for name in _SOFTWARE}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _sample(folder: Path) -> dict[str, int | None]:
    """A folder and some of its files with their sizes; a file alone."""
    found = {str(folder): _size(folder)}
    if folder.is_dir():
        found |= {str(path): _size(path) for path in islice(folder.iterdir(), _SAMPLED)}
    return found


def _size(path: Path) -> int | None:
    try:
        return -1 if path.is_dir() else path.stat().st_size
    except OSError:
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return None


@contextmanager
def _marked(folder: Path) -> Iterator[tuple[str, str]]:
    """A file with a random content in a folder inside the `with`."""
    content = secrets.token_hex(16)
    mark = folder / f"{_MARK}{content[:8]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_text(content)
    except OSError as error:
        raise BadOutput(
            f"{folder}: cannot be written into ({error.strerror}); choose another --out"
        ) from error
    try:
        yield str(mark), content
    finally:
        mark.unlink(missing_ok=True)
