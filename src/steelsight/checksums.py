"""Checksums of the files of a folder that later commands rely on, in its checksums.json.

They show damage, not authorship: whoever can write the folder can write its checksums. A folder of an older
version has none; its files are read unchecked, and `is_checked` tells a report to say so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from steelsight.errors import BadCheckpoint
from steelsight.files import write_json
from steelsight.reading import MOST_BYTES, parse_json, read_regular

__all__ = ["CHECKSUMS_FILE", "UNCHECKED", "is_checked", "read_checked", "write_checksums"]

CHECKSUMS_FILE: Final = "checksums.json"
FORMAT: Final = 1
UNCHECKED: Final = (
    f"the run has no {CHECKSUMS_FILE} (runs of older versions have none), so damage to its records would "
    "not be noticed"
)


def write_checksums(folder: Path, names: Iterable[str], texts: Mapping[str, str] = {}) -> None:
    """Write checksums.json anew; files of earlier ones that are not named here lose theirs.

    names   of files that lie in the folder, complete
    texts   of files that will be written next, as `replace_file` writes them, by name
    raises  BadOutput; OSError where a file cannot be read
    """
    sums = {name: _sum(read_regular(folder / name)) for name in names}
    sums |= {name: _sum(text.encode()) for name, text in texts.items()}
    write_json(folder / CHECKSUMS_FILE, {"format": FORMAT, "sha256": sums})


def read_checked(path: Path, *, advice: str, most_bytes: int = MOST_BYTES) -> bytes:
    """The bytes of a file, compared with its checksum where its folder has one.

    advice  end of the message: what to do where it differs
    raises  OSError as `read_regular`; BadCheckpoint where the file was altered or its checksums are damaged
    """
    content = read_regular(path, most_bytes=most_bytes)
    expected = _sums(path.parent).get(path.name)
    if expected is not None and expected != _sum(content):
        raise BadCheckpoint(
            f"{path}: expected the file that was written, as in {CHECKSUMS_FILE}, got another; "
            f"it was altered or damaged; {advice}"
        )
    return content


def is_checked(folder: Path, name: str) -> bool:
    """Whether a file of the folder has a checksum; raises BadCheckpoint where the checksums are damaged."""
    return name in _sums(folder)


def _sums(folder: Path) -> Mapping[str, str]:
    path = folder / CHECKSUMS_FILE
    try:
        raw = parse_json(read_regular(path, most_bytes=2**20))
        sums = {str(name): str(value) for name, value in raw["sha256"].items()}
        form = raw["format"]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise BadCheckpoint(
            f"{path}: expected checksums as a training writes them, got {error!s:.120}; restore the file"
        ) from error
    if form != FORMAT:
        raise BadCheckpoint(
            f"{path}: expected format {FORMAT}, got {form!r:.40}; use the steelsight version that wrote it"
        )
    return sums


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
