"""Where on the strip a sheet lies: from its name by a pattern, or from a file beside it."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from io import StringIO
from pathlib import Path
from typing import Any, Final

from steelsight.errors import BadInput
from steelsight.name_fields import fields_of, match_name
from steelsight.reading import read_regular
from steelsight.service.station.source import Place

__all__ = ["NamePattern", "read_sidecar"]

KEYS: Final = tuple(field.name for field in fields(Place))
LARGEST: Final = 2**20  # bytes of a file beside an image
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
        named = fields_of(self.text)
        if not named or not set(named) <= set(KEYS) or len(set(named)) < len(named):
            raise BadInput(
                f"--pattern {self.text!r}: expected at least one of "
                f"{', '.join(f'{{{key}}}' for key in KEYS)}, each at most once, and {{*}} for anything else"
            )

    def read(self, name: str) -> Place | None:
        """The place that a name states; None where it does not match.

        raises  BadInput where it matches and a value is impossible
        """
        found = match_name(self.text, name, WORDS)
        return None if found is None else to_place(found)


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
