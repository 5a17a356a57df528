"""The distance between a coil's images: what repeats with it may come from the camera, not from a roll."""

from __future__ import annotations

from typing import Final

import numpy as np
from sqlalchemy import Connection, select

from steelsight.coils.points import Floats
from steelsight.ledger.database import schema

__all__ = ["image_multiple", "image_spacings"]

FEWEST: Final = 3  # images of a station
EVEN: Final = 0.01  # relative spread of the distances, of images that follow each other evenly
MOST: Final = 20  # image lengths in a repeat distance
NEAR: Final = 0.001  # relative; of a period and a multiple of the distance
ERRORS: Final = 3.0  # standard errors that a period may be off


def image_spacings(connection: Connection, coil: str) -> tuple[float, ...]:
    """The distance between images of each station in metres, where it is even; the smallest first."""
    table = schema.sheets
    columns = (table.c.station, table.c.side, table.c.position_m)
    query = select(*columns).where(table.c.coil == coil, table.c.position_m.is_not(None)).order_by(*columns)
    places: dict[tuple[str, str | None], list[float]] = {}
    for row in connection.execute(query):
        places.setdefault((row.station, row.side), []).append(row.position_m)
    found = {_even_spacing(np.unique(values)) for values in places.values()}
    return tuple(sorted(each for each in found if each is not None))


def _even_spacing(positions: Floats) -> float | None:
    """The median distance; None where fewer than half of the distances are within 1 % of it."""
    steps = np.diff(positions)
    if steps.size < FEWEST - 1:
        return None
    middle = float(np.median(steps))
    return round(middle, 6) if (np.abs(steps - middle) <= EVEN * middle).mean() >= 0.5 else None


def image_multiple(period_m: float, error_m: float, spacings: tuple[float, ...]) -> int | None:
    """How many images lie in a period, where that is a whole number; None where it is none.

    >>> image_multiple(1.2, 0.0001, (0.4,)), image_multiple(1.25, 0.0001, (0.4,))
    (3, None)
    """
    for spacing in spacings:
        number = round(period_m / spacing)
        if 1 <= number <= MOST and abs(period_m - number * spacing) <= max(NEAR * period_m, ERRORS * error_m):
            return number
    return None
