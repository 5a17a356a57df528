"""The defects of a coil: regions of live verdicts, placed on the strip and merged across borders."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from steelsight.errors import BadInput
from steelsight.ledger.chain.event_names import CALIBRATED
from steelsight.ledger.coils.calibration import Calibration
from steelsight.ledger.coils.defects import TOLERANCE_MM, MergedDefect, PlacedRegion, merge_regions
from steelsight.ledger.database import schema
from steelsight.ledger.reading.paging import check_limit, read_cursor, write_cursor

__all__ = [
    "Calibrations",
    "CoilDefects",
    "DefectPage",
    "coil_defects",
    "defect_page",
    "own_scale",
    "place_regions",
]


@dataclass(frozen=True)
class CoilDefects:
    """What was found on a coil."""

    sheets: int  # of the coil that have a live verdict
    defects: tuple[MergedDefect, ...]  # along the coil
    unplaced: int  # regions of sheets without a position, or with neither calibration nor length


@dataclass(frozen=True)
class DefectPage:
    """A page of the defects of a coil, along it."""

    defects: tuple[MergedDefect, ...]
    unplaced: int  # of the whole coil, as in `CoilDefects`
    cursor: str | None  # of the next page; None = this is the last


class Calibrations:
    """The calibrations on record, by writer and the number of the entry from which on each applies."""

    def __init__(self, connection: Connection) -> None:
        table = schema.events
        query = select(table.c.writer, table.c.seq, table.c.details).where(table.c.name == CALIBRATED)
        self._seqs: dict[str, list[int]] = defaultdict(list)
        self._found: dict[str, list[Calibration]] = defaultdict(list)
        for row in connection.execute(query.order_by(table.c.writer, table.c.seq)):
            try:
                calibration = Calibration.from_dict(json.loads(row.details))
            except (BadInput, TypeError):  # of a later version of Steelsight: the one before goes on
                continue
            self._seqs[row.writer].append(row.seq)
            self._found[row.writer].append(calibration)

    def of(self, writer: str, seq: int) -> Calibration | None:
        """The last one that the writer entered before an entry; None where there is none."""
        number = bisect_left(self._seqs.get(writer, []), seq)
        return self._found[writer][number - 1] if number else None


def coil_defects(connection: Connection, coil: str, tolerance_mm: float = TOLERANCE_MM) -> CoilDefects:
    """The merged defects of a coil, along it; the same however the sheets came and were written.

    tolerance_mm  the largest gap between parts of one defect at a border
    raises        BadInput for an impossible tolerance, and where too many regions lie at one place
    """
    calibrations = Calibrations(connection)
    placed: list[PlacedRegion] = []
    sheets = unplaced = 0
    for sheet, verdict in _last_verdicts(connection, coil):
        sheets += 1
        regions = json.loads(verdict["regions"])
        found = place_regions(
            sheet, verdict["label"], regions, calibrations.of(sheet["writer"], sheet["seq"])
        )
        placed += found
        unplaced += len(regions) - len(found)
    return CoilDefects(sheets, merge_regions(coil, placed, tolerance_mm), unplaced)


def defect_page(
    connection: Connection,
    coil: str,
    tolerance_mm: float = TOLERANCE_MM,
    *,
    limit: int = 100,
    cursor: str | None = None,
) -> DefectPage | None:
    """A page of the merged defects of a coil; None where no sheet is of this coil.

    A defect that appears or grows between two pages is on the later one only where it begins after the end
    of the earlier one.
    raises  BadInput for an impossible tolerance, a cursor that is not of such a page, a limit out of range
    """
    check_limit(limit)
    place = None if cursor is None else read_cursor(cursor, (float, str))
    sheets = schema.sheets
    if connection.execute(select(sheets.c.sheet).where(sheets.c.coil == coil).limit(1)).first() is None:
        return None
    found = coil_defects(connection, coil, tolerance_mm)
    rest = [each for each in found.defects if place is None or (each.place.start_m, each.id) > place]
    shown = tuple(rest[:limit])
    following = write_cursor((shown[-1].place.start_m, shown[-1].id)) if len(rest) > limit else None
    return DefectPage(shown, found.unplaced, following)


def _last_verdicts(connection: Connection, coil: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each sheet of a coil with the last of its live verdicts."""
    sheets, verdicts = schema.sheets, schema.verdicts
    seen = {
        row.sheet: dict(row._mapping)
        for row in connection.execute(select(sheets).where(sheets.c.coil == coil))
    }
    columns = (verdicts.c.sheet, verdicts.c.label, verdicts.c.regions)
    query = (
        select(*columns)
        .where(verdicts.c.coil == coil, verdicts.c.mode == "live")
        .order_by(verdicts.c.entered_us, verdicts.c.writer, verdicts.c.seq)
    )
    last = {row.sheet: dict(row._mapping) for row in connection.execute(query)}
    return ((seen[sheet], verdict) for sheet, verdict in last.items() if sheet in seen)


def place_regions(
    sheet: dict[str, Any], label: str, regions: list[dict[str, Any]], calibration: Calibration | None
) -> list[PlacedRegion]:
    """Regions of a verdict on the strip; none where the sheet's place is not known.

    sheet        its row of `sheets`
    regions      each with box, area_px and score, in pixels
    calibration  None = the sheet's own length gives the scale, along and across
    """
    size = (sheet["height"], sheet["width"])
    if sheet["position_m"] is None or not all(size):
        return []
    scale = calibration or own_scale(sheet)
    if scale is None:
        return []
    known = calibration is not None or sheet["across_mm"] is not None
    where = (size, sheet["position_m"], sheet["across_mm"])
    image = scale.to_strip((0, 0, size[1], size[0]), *where)
    square_mm = scale.mm_per_px_along * scale.mm_per_px_across
    return [
        PlacedRegion(
            sheet=sheet["sheet"],
            index=index,
            station=sheet["station"],
            label=label,
            side=sheet["side"],
            place=scale.to_strip(tuple(region["box"]), *where),
            image=image,
            across_known=known,
            score=float(region["score"]),
            area_mm2=region["area_px"] * square_mm,
        )
        for index, region in enumerate(regions)
    ]


def own_scale(sheet: dict[str, Any]) -> Calibration | None:
    """Square pixels along x, by the length that the sheet states; None where that is none."""
    if not sheet["length_m"] or not sheet["width"]:  # an image that could not be read has no width
        return None
    try:
        scale = sheet["length_m"] * 1000 / sheet["width"]
        return Calibration(mm_per_px_along=scale, mm_per_px_across=scale)
    except BadInput:
        return None
