"""A coil as its page shows it: sheets and merged defects on the strip, each with station and state."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, select

from steelsight.coils.images import image_spacings
from steelsight.ledger.chain.event_names import CALIBRATED
from steelsight.ledger.coils.calibration import Calibration, StripBox
from steelsight.ledger.coils.defects import MergedDefect, PlacedRegion, merge_regions
from steelsight.ledger.database import schema
from steelsight.ledger.reading.defects import Calibrations, place_regions
from steelsight.types import State

__all__ = ["Coil", "SheetOnStrip", "ShownDefect", "Version", "coil_version", "read_coil"]

Version = tuple[int, ...]  # another one = the coil has to be read again
# From the most certain to the least: a defect on several sheets has the state of the least certain one.
DOUBT: Final = {each.value: number for number, each in enumerate(State)}


@dataclass(frozen=True)
class SheetOnStrip:
    """A sheet with the last of its live verdicts."""

    sheet: str
    station: str
    state: str
    probability: float | None
    captured_us: int
    place: StripBox | None  # of the whole image; None = not known


@dataclass(frozen=True)
class ShownDefect:
    """A defect, with what the verdicts of its sheets say."""

    defect: MergedDefect
    sheet: int  # number of the first of its sheets, which a click opens
    station: str  # of that sheet
    state: str  # of its least certain sheet
    probability: float | None  # the highest of its sheets


@dataclass(frozen=True)
class Coil:
    """What the ledger says of a coil."""

    name: str
    version: Version
    sheets: tuple[SheetOnStrip, ...]  # along the coil; those without a place come last
    defects: tuple[ShownDefect, ...]  # along the coil
    unplaced: int  # regions of sheets without a place, which are in no defect
    along_m: tuple[float, float]  # from the first image to the end of the last; (0, 0) = none has a place
    across_mm: tuple[float, float]
    spacings: tuple[float, ...]  # even distances between images, see `coils.images`

    @property
    def length_m(self) -> float:
        """From the first image to the end of the last."""
        return self.along_m[1] - self.along_m[0]

    def ends(self, ends_m: float) -> tuple[float, float] | None:
        """Where the head ends and the tail begins; None where the coil is too short to have both."""
        if not ends_m or self.length_m <= 2 * ends_m:
            return None
        return self.along_m[0] + ends_m, self.along_m[1] - ends_m


def coil_version(connection: Connection, coil: str) -> Version | None:
    """What changes with every verdict of a coil and every calibration; None where no sheet is of it."""
    verdicts, events = schema.verdicts, schema.events
    columns = (func.count(), func.max(verdicts.c.entered_us), func.max(verdicts.c.seq))
    query = select(*columns).where(verdicts.c.coil == coil, verdicts.c.mode == "live")
    count, entered, seq = connection.execute(query).one()
    if not count:
        return None
    calibrations = select(func.count()).select_from(events).where(events.c.name == CALIBRATED)
    return count, entered, seq, connection.execute(calibrations).scalar_one()


def read_coil(connection: Connection, coil: str, version: Version) -> Coil:
    """A coil; its defects are those of `coil_defects`.

    raises  BadInput where too many regions lie at one place
    """
    calibrations = Calibrations(connection)
    placed: list[PlacedRegion] = []
    sheets: list[SheetOnStrip] = []
    unplaced = 0
    for row in _last_verdicts(connection, coil):
        calibration = calibrations.of(row["sheet_writer"], row["sheet_seq"])
        regions = json.loads(row["regions"])
        found = place_regions(row, row["label"], regions, calibration)
        placed += found
        unplaced += len(regions) - len(found)
        sheets.append(_sheet(row, calibration))
    sheets.sort(key=lambda each: (each.place is None, each.place.start_m if each.place else 0.0, each.sheet))
    merged = merge_regions(coil, placed)
    places = [each.place for each in sheets if each.place] + [each.place for each in merged]
    return Coil(
        coil,
        version,
        tuple(sheets),
        tuple(_shown(merged, sheets)),
        unplaced,
        _extent((each.start_m for each in places), (each.end_m for each in places)),
        _extent((each.left_mm for each in places), (each.right_mm for each in places)),
        image_spacings(connection, coil),
    )


def _last_verdicts(connection: Connection, coil: str) -> Iterable[dict[str, Any]]:
    """Each sheet of a coil with the last of its live verdicts, in one row."""
    sheets, verdicts = schema.sheets, schema.verdicts
    own = ("sheet", "station", "captured_us", "width", "height")
    place = ("position_m", "length_m", "across_mm", "side")
    columns = [sheets.c[name] for name in (*own, *place)]
    marks = (sheets.c.writer.label("sheet_writer"), sheets.c.seq.label("sheet_seq"))
    judged = [verdicts.c[name] for name in ("label", "state", "probability", "regions")]
    query = (
        select(*columns, *marks, *judged)
        .join(verdicts, verdicts.c.sheet == sheets.c.sheet)
        .where(sheets.c.coil == coil, verdicts.c.mode == "live")
        .order_by(verdicts.c.entered_us, verdicts.c.writer, verdicts.c.seq)
    )
    return {row.sheet: dict(row._mapping) for row in connection.execute(query)}.values()


def _sheet(row: dict[str, Any], calibration: Calibration | None) -> SheetOnStrip:
    whole = {"box": (0, 0, row["width"] or 0, row["height"] or 0), "area_px": 0, "score": 0.0}
    found = place_regions(row, row["label"], [whole], calibration)
    place = found[0].place if found else None
    return SheetOnStrip(
        row["sheet"], row["station"], row["state"], row["probability"], row["captured_us"], place
    )


def _shown(merged: Sequence[MergedDefect], sheets: Sequence[SheetOnStrip]) -> Iterable[ShownDefect]:
    numbers = {each.sheet: number for number, each in enumerate(sheets)}
    for defect in merged:
        own = [numbers[sheet] for sheet, _ in defect.members]
        first = sheets[own[0]]
        if len(own) == 1:
            yield ShownDefect(defect, own[0], first.station, first.state, first.probability)
            continue
        chances = [sheets[number].probability for number in own]
        state = max((sheets[number].state for number in own), key=lambda each: DOUBT.get(each, len(DOUBT)))
        likely = max((chance for chance in chances if chance is not None), default=None)
        yield ShownDefect(defect, own[0], first.station, state, likely)


def _extent(starts: Iterable[float], ends: Iterable[float]) -> tuple[float, float]:
    return min(starts, default=0.0), max(ends, default=0.0)
