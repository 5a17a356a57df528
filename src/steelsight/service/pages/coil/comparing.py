"""Two coils beside each other: counts by type, rates with bounds, bands of metres, and both maps."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import Field

from steelsight.coils.compare import CoilComparison, compare_coils
from steelsight.errors import BadInput
from steelsight.ledger.reading.coils import CoilFilter, list_coils
from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.api.models.values import Parameters
from steelsight.service.api.parts import ServicePart
from steelsight.service.pages.coil.addresses import coil_address
from steelsight.service.pages.coil.kept import KeptCoils
from steelsight.service.pages.coil.reading import Coil
from steelsight.service.pages.coil.script_words import map_words
from steelsight.service.pages.rendering import render
from steelsight.service.pages.words import language_of, words_in
from steelsight.service.reviewing.seen import note_coil_seen

__all__ = ["band_width", "router"]

BANDS: Final = 25  # about; of the width that is chosen where none is given
SHOWN: Final = 200  # bands with a defect
NEWEST: Final = 50  # names that are offered
NAME: Final = r"^[^\x00-\x1f\x7f]*$"

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, Depends(needs(Permission.READ))]
Name = Annotated[str, Field(max_length=200, pattern=NAME)]


class CompareQuery(Parameters):
    """The names of two coils."""

    a: Name = ""
    b: Name = ""
    band_m: Annotated[str, Field(max_length=20)] = ""  # empty = chosen by the length


@router.get("/coils/compare")
def show_comparison(
    query: Annotated[CompareQuery, Query()], request: Request, service: ServicePart, caller: Reader
) -> HTMLResponse:
    """The page; without two names a form that asks for them."""
    with service.ledger.read() as connection:
        newest = [row["coil"] for row in list_coils(connection, CoilFilter(), limit=NEWEST).rows]
    values: dict[str, Any] = {"newest": newest, "query": query, "found": None, "fault": ""}
    if query.a and query.b:
        coils: KeptCoils = request.app.state.coils
        pair = (coils.of(query.a).coil, coils.of(query.b).coil)
        for coil in pair:
            note_coil_seen(service, caller, coil.name)
        values |= _compared(pair, query)
    return render(
        request,
        "coil/compare.html",
        caller,
        **values,
        review=caller.may(Permission.REVIEW),
        words_of_map=map_words(words_in(language_of(request))),
    )


def _compared(pair: tuple[Coil, Coil], query: CompareQuery) -> dict[str, Any]:
    try:
        width = float(query.band_m) if query.band_m else band_width(max(each.length_m for each in pair))
        found = _comparison(pair, width)
    except ValueError:
        return {"fault": f"band: expected metres such as 10, got {query.band_m!r:.40}"}
    except BadInput as error:
        return {"fault": str(error)}
    bands = [each for each in found.bands if any(map(any, each.counts.values()))]
    return {
        "found": found,
        "pair": pair,
        "addresses": [coil_address(each.name) for each in pair],
        "bands": bands[:SHOWN],
        "more_bands": max(0, len(bands) - SHOWN),
        "most": max((max(counts) for band in bands for counts in band.counts.values()), default=1),
        "width": width,
    }


def _comparison(pair: tuple[Coil, Coil], width: float) -> CoilComparison:
    one, other = ([each.defect for each in coil.defects] for coil in pair)
    return compare_coils(
        (pair[0].name, pair[1].name), (one, other), (pair[0].along_m, pair[1].along_m), width
    )


def band_width(length_m: float) -> float:
    """A round width that makes at most about 25 bands.

    >>> band_width(300.0), band_width(1.0), band_width(0.0)
    (20.0, 0.1, 0.1)
    """
    least = max(length_m / BANDS, 0.1)
    power = 10.0 ** math.floor(math.log10(least))
    return next(
        round(step * power, 6) for step in (1.0, 2.0, 5.0, 10.0) if step * power >= least * (1 - 1e-9)
    )
