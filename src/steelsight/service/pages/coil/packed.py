"""A coil for its map in the browser: a header in JSON, and columns of numbers that become typed arrays.

    4 bytes  length of the header, little-endian; it is padded with spaces to a multiple of 4
    header   JSON: names that columns refer to, extents, and `columns`: name, kind, first byte, length
    columns  little-endian; first bytes count from the end of the header

Metres count from the coil's first image, so that 32 bits hold them to less than a millimetre.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from steelsight.service.pages.coil.reading import Coil

__all__ = ["pack_coil"]

KINDS: Final = {"<f4": "Float32Array", "<u4": "Uint32Array", "<u2": "Uint16Array", "|u1": "Uint8Array"}
ALIGNED: Final = 4
FAST: Final = 1  # level of gzip
Column = npt.NDArray[Any]


def pack_coil(coil: Coil, ends_m: float) -> bytes:
    """The map of a coil, compressed by gzip.

    ends_m  of its head and tail
    """
    labels, label = _coded([each.defect.label for each in coil.defects])
    sides, side = _coded([each.defect.side or "" for each in coil.defects])
    stations, station = _coded([each.station for each in coil.sheets])
    states, state = _coded([each.state for each in coil.sheets])
    number = {name: code for code, name in enumerate(states)}
    ends = coil.ends(ends_m)
    sheet = np.array([each.sheet for each in coil.defects], "<u4")
    columns: dict[str, Column] = {
        **_boxes("", [each.defect.place for each in coil.defects], coil.along_m[0]),
        "probability": np.array([_or_nan(each.probability) for each in coil.defects], "<f4"),
        "sheet": sheet,
        "label": label,
        "station": station[sheet],
        "side": side,
        "state": np.array([number[each.state] for each in coil.defects], "<u2"),
        **_boxes("sheet_", [each.place for each in coil.sheets], coil.along_m[0]),
        "sheet_station": station,
        "sheet_state": state,
        "sheet_id": np.frombuffer(bytes.fromhex("".join(each.sheet for each in coil.sheets)), "|u1"),
    }
    header = {
        **{"count": len(coil.defects), "sheets": len(coil.sheets)},
        **{"labels": labels, "sides": sides, "stations": stations, "states": states},
        **{"first_m": coil.along_m[0], "length_m": coil.length_m, "across_mm": coil.across_mm},
        "ends_m": None if ends is None else [each - coil.along_m[0] for each in ends],
    }
    return gzip.compress(_joined(header, columns), FAST, mtime=0)


def _coded(names: Sequence[str]) -> tuple[list[str], Column]:
    """The different names, sorted, and the number of each name's place among them."""
    known = sorted(set(names))
    codes = {name: code for code, name in enumerate(known)}
    return known, np.array([codes[name] for name in names], "<u2")


def _boxes(before: str, places: Sequence[Any], first_m: float) -> dict[str, Column]:
    """Four columns; NaN for what has no place."""
    nowhere = (np.nan,) * 4
    rows = np.array(
        [
            nowhere
            if each is None
            else (each.start_m - first_m, each.end_m - first_m, each.left_mm, each.right_mm)
            for each in places
        ],
        "<f4",
    ).reshape(-1, 4)
    return {f"{before}{name}": rows[:, at] for at, name in enumerate(("start", "end", "left", "right"))}


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _joined(header: dict[str, Any], columns: dict[str, Column]) -> bytes:
    described, parts, place = [], [], 0
    for name, column in columns.items():
        content = np.ascontiguousarray(column).tobytes()
        described.append((name, KINDS[column.dtype.str], place, column.size))
        content += b"\0" * (-len(content) % ALIGNED)
        parts.append(content)
        place += len(content)
    text = json.dumps({**header, "columns": described}, ensure_ascii=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNED)
    return b"".join([len(text).to_bytes(4, "little"), text, *parts])
