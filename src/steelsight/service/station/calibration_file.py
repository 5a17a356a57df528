"""A station's calibration from a TOML or JSON file: scales, or two points and the edges of the strip."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from steelsight.errors import BadInput
from steelsight.ledger.coils.calibration import Calibration
from steelsight.reading import parse_object, parse_toml, read_regular

__all__ = ["read_calibration"]

LARGEST: Final = 2**16  # bytes
KEYS: Final = frozenset(
    (
        *("version", "mm_per_px_along", "mm_per_px_across", "offset_across_mm"),
        *("along", "direction", "metres", "points", "strip"),
    )
)


def read_calibration(path: Path) -> Calibration:
    """The calibration in a file.

    raises  BadInput: it cannot be read, has an unknown key, states a scale twice, or an impossible value
    """
    try:
        content = read_regular(path, most_bytes=LARGEST)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        values = parse_object(content) if path.suffix.lower() == ".json" else parse_toml(content)
        return Calibration.from_dict(_scaled(values))
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise BadInput(f"{path}: expected a calibration in TOML, or in JSON as .json ({error})") from error


def _scaled(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the scales that points and edges imply."""
    unknown = sorted(set(values) - KEYS)
    if unknown:
        raise BadInput(f"{unknown[0]}: unknown; expected {', '.join(sorted(KEYS))}")
    found = {name: value for name, value in values.items() if name not in ("points", "strip")}
    if "points" in values:
        _refuse_twice(found, "points", "mm_per_px_along")
        px, mm = _pair(values["points"], "points", "px"), _pair(values["points"], "points", "mm")
        found["mm_per_px_along"] = abs(_ratio("points", mm[1] - mm[0], px[1] - px[0]))
    if "strip" in values:
        _refuse_twice(found, "strip", "mm_per_px_across", "offset_across_mm")
        px = _pair(values["strip"], "strip", "px")
        width = _number(values["strip"].get("width_mm"), "strip.width_mm")
        scale = _ratio("strip", width, px[1] - px[0])
        found |= {"mm_per_px_across": scale, "offset_across_mm": -px[0] * scale}
    return found


def _refuse_twice(found: Mapping[str, Any], table: str, *names: str) -> None:
    twice = [name for name in names if name in found]
    if twice:
        raise BadInput(f"{table}: states {twice[0]} too; give one of the two")


def _pair(table: Any, name: str, key: str) -> tuple[float, float]:
    pair = table.get(key) if isinstance(table, Mapping) else None
    if not isinstance(pair, list) or len(pair) != 2:
        raise BadInput(f"{name}.{key}: expected two numbers, got {pair!r:.40}")
    return _number(pair[0], f"{name}.{key}"), _number(pair[1], f"{name}.{key}")


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{name}: expected a number, got {value!r:.40}")
    return float(value)


def _ratio(name: str, mm: float, px: float) -> float:
    if not px:
        raise BadInput(f"{name}.px: expected two different pixels, got the same twice")
    return mm / px
