"""Where on the strip a sheet lies: from its name by a pattern, or from a file beside it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from io import StringIO
from pathlib import Path
from typing import Any, Final

from steelsight.errors import BadInput
from steelsight.reading import read_regular
from steelsight.service.station.source import Place

__all__ = ["NamePattern", "read_sidecar"]

KEYS: Final = tuple(field.name for field in fields(Place))
LARGEST: Final = 2**20  # bytes of a file beside an image
LONGEST_PART: Final = 255  # characters between two slashes of a name, as file systems allow
ANYTHING: Final = "{*}"
WORDS: Final = {
    "coil": r"[^/_]+",
    "position_m": r"-?\d+(?:\.\d+)?",
    "length_m": r"\d+(?:\.\d+)?",
    "across_mm": r"-?\d+(?:\.\d+)?",
    "side": r"top|bottom",
}


@dataclass(frozen=True)
class NamePattern:
    """A pattern such as `{coil}_{position_m}_{side}.jpg`, matched against the end of a sheet's name.

    raises  BadInput for an unknown or repeated field
    """

    text: str

    def __post_init__(self) -> None:
        named = re.findall(r"\{([^{}]*)\}", self.text)
        unknown = [name for name in named if name not in KEYS and name != "*"]
        places = [name for name in named if name != "*"]
        if unknown or not places or len(set(places)) < len(places):
            raise BadInput(
                f"--pattern {self.text!r}: expected at least one of "
                f"{', '.join(f'{{{key}}}' for key in KEYS)}, each at most once, and {{*}} for anything else"
            )

    def read(self, name: str) -> Place | None:
        """The place that a name states; None where it does not match.

        raises  BadInput where it matches and a value is impossible
        """
        parts = [part for part in re.split(r"(\{[^{}]*\})", self.text) if part]
        depth = self.text.count("/") + 1
        components = name.split("/")[-depth:]
        if len(components) < depth or max(map(len, components)) > LONGEST_PART:
            return None
        found = _match("/".join(components), parts)
        return None if found is None else to_place(found)


def _match(name: str, parts: Sequence[str]) -> dict[str, str] | None:
    """The fields of a whole name; each place is tried once for each part, whatever the pattern."""
    failed: set[tuple[int, int]] = set()

    def match_from(part: int, at: int) -> dict[str, str] | None:
        if part == len(parts):
            return {} if at == len(name) else None
        if (part, at) in failed:
            return None
        for end in _ends(name, at, parts[part]):
            rest = match_from(part + 1, end)
            if rest is not None:
                return {parts[part][1:-1]: name[at:end], **rest}
        failed.add((part, at))
        return None

    return match_from(0, 0)


def _ends(name: str, at: int, part: str) -> Iterator[int]:
    """Where a part of a pattern that begins at a place of the name can end, in order of preference."""
    word = WORDS.get(part[1:-1]) if part.startswith("{") else None
    if part == ANYTHING:
        stop = name.find("/", at)
        yield from range(at, (len(name) if stop < 0 else stop) + 1)
    elif word is None:
        if name.startswith(part, at):
            yield at + len(part)
    else:
        longest = re.compile(word).match(name, at)
        for end in range(longest.end() if longest else at, at, -1):
            if re.compile(word).fullmatch(name, at, end):
                yield end


def read_sidecar(image: Path) -> Place | None:
    """The place in `NAME.json` or `NAME.csv` beside an image; None where there is no such file.

    raises  BadInput where the file is there and cannot be used
    """
    for suffix in (".json", ".csv"):
        path = image.with_suffix(suffix)
        try:
            content = read_regular(path, most_bytes=LARGEST)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise BadInput(f"{path}: cannot be read ({error.strerror or error})") from error
        try:
            return to_place(_values(content.decode("utf-8-sig"), suffix))
        except (ValueError, TypeError, OverflowError, RecursionError, csv.Error) as error:
            raise BadInput(f"{path}: expected {', '.join(KEYS)} of one sheet ({error})") from error
    return None


def _values(text: str, suffix: str) -> Mapping[str, Any]:
    if suffix == ".csv":
        rows = list(csv.DictReader(StringIO(text)))
        if len(rows) != 1:
            raise ValueError(f"got {len(rows)} rows")
        return rows[0]
    return dict(json.loads(text))


def to_place(values: Mapping[str, Any]) -> Place:
    """A place from text or JSON values; other keys are ignored; raises BadInput for an impossible value."""
    coil, side = values.get("coil"), values.get("side")
    numbers = {}
    for key in ("position_m", "length_m", "across_mm"):
        value = values.get(key)
        try:
            numbers[key] = None if value in (None, "") else float(value)
        except (ValueError, TypeError, OverflowError) as error:
            raise BadInput(f"{key}: expected a number, got {value!r:.40}") from error
    if side not in (None, "", "top", "bottom"):
        raise BadInput(f"side: expected top or bottom, got {side!r:.40}")
    return Place(coil=str(coil) if coil not in (None, "") else None, side=side or None, **numbers)
