"""What the ledger says of a sheet, as far as rules ask for it: sizes of its places, and defects around it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Connection, func, select

from steelsight.errors import BadInput
from steelsight.ledger.coils.calibration import Calibration
from steelsight.ledger.coils.defects import TOLERANCE_MM, PlacedRegion, merge_regions
from steelsight.ledger.database import schema
from steelsight.ledger.reading.defects import Calibrations, own_scale, place_regions
from steelsight.service.recommending.firing import SheetFinding
from steelsight.types import State

__all__ = ["defects_per_metre", "sheet_finding"]

MOST_SHEETS: Final = 500  # around one sheet


def sheet_finding(
    connection: Connection, sheet: dict[str, Any], verdict: dict[str, Any], *, within_m: float | None
) -> SheetFinding:
    """The values of one sheet.

    sheet     its row of `sheets`
    verdict   its row of `verdicts`, with regions read
    within_m  defects are counted so far before and behind it; None = they are not asked for
    """
    calibrations = Calibrations(connection)
    scale = calibrations.of(sheet["writer"], sheet["seq"]) or own_scale(sheet)
    regions = verdict["regions"]
    size = (sheet["height"], sheet["width"])
    share = area = length = None
    if all(size):
        share = max((each["area_px"] for each in regions), default=0) / (size[0] * size[1])
        if scale is not None:
            square = scale.mm_per_px_along * scale.mm_per_px_across
            area = max((each["area_px"] * square for each in regions), default=0.0)
            length = max((_length_mm(scale, tuple(each["box"]), size) for each in regions), default=0.0)
    around = None if within_m is None else defects_per_metre(connection, sheet, within_m, calibrations)
    types = tuple(verdict["label"].split(" + ")) if verdict["label"] else ()
    state = State(verdict["state"]) if verdict["state"] in set(State) else State.DOUBTFUL
    probability = None if state is State.UNKNOWN_INPUT else verdict["probability"]  # it means nothing there
    return SheetFinding(types, state, probability, area, length, share, around)


def _length_mm(scale: Calibration, box: Any, size: tuple[int, int]) -> float:
    place = scale.to_strip(box, size, 0.0)
    return (place.end_m - place.start_m) * 1000


def defects_per_metre(
    connection: Connection, sheet: dict[str, Any], within_m: float, calibrations: Calibrations
) -> float | None:
    """Defects on the coil around a sheet, by the metres that have an image there.

    Places that meet at the border of two images count once, as in the list of a coil's defects.
    returns  None where the sheet has no coil or position, or no image there has a length in mm
    """
    if sheet["coil"] is None or sheet["position_m"] is None:
        return None
    placed: list[PlacedRegion] = []
    ends: list[tuple[float, float]] = []
    for each, label, regions in _around(connection, sheet, within_m):
        calibration = calibrations.of(each["writer"], each["seq"])
        scale, size = calibration or own_scale(each), (each["height"], each["width"])
        if scale is None or not all(size):
            continue
        whole = scale.to_strip((0, 0, size[1], size[0]), size, each["position_m"], each["across_mm"])
        ends.append((whole.start_m, whole.end_m))
        placed += place_regions(each, label, regions, calibration)
    metres = _covered(ends)
    if not metres:
        return None
    try:
        return len(merge_regions(sheet["coil"], placed, TOLERANCE_MM)) / metres
    except BadInput:  # too many places at one metre
        return None


def _around(
    connection: Connection, sheet: dict[str, Any], within_m: float
) -> Iterable[tuple[dict[str, Any], str, list[dict[str, Any]]]]:
    """Sheets of the coil near one: row, label and regions of the last live verdict."""
    sheets, verdicts = schema.sheets, schema.verdicts
    low, high = sheet["position_m"] - within_m, sheet["position_m"] + within_m
    near = select(sheets).where(sheets.c.coil == sheet["coil"], sheets.c.position_m.between(low, high))
    rows = {
        row.sheet: dict(row._mapping)
        for row in connection.execute(
            near.order_by(func.abs(sheets.c.position_m - sheet["position_m"]), sheets.c.sheet).limit(
                MOST_SHEETS
            )
        )
    }
    query = (
        select(verdicts.c.sheet, verdicts.c.label, verdicts.c.regions)
        .where(verdicts.c.sheet.in_(list(rows)), verdicts.c.mode == "live")
        .order_by(verdicts.c.entered_us, verdicts.c.writer, verdicts.c.seq)
    )
    last = {row.sheet: row for row in connection.execute(query)}
    return [(rows[name], row.label, json.loads(row.regions)) for name, row in last.items()]


def _covered(ends: list[tuple[float, float]]) -> float:
    """Metres that lie in at least one interval."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(ends):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
