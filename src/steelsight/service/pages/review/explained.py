"""The sheets that the page may explain: not those of unknown input, nor those that are decided first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from steelsight.ledger.reading.lists import sheet_history
from steelsight.runtime.engine.inspector import Inspector
from steelsight.runtime.engine.reading import decode
from steelsight.service.access.roles import Caller
from steelsight.service.context import Service
from steelsight.service.problem import Problem
from steelsight.service.reviewing.deciding import is_blind
from steelsight.service.reviewing.entries import last_live, unknown_sheet
from steelsight.service.reviewing.people import reviewer
from steelsight.sheets.images.placement import Placement
from steelsight.types import GrayImage, State

__all__ = ["ExplainedSheet", "explained_sheet", "model_input"]


@dataclass(frozen=True, eq=False)
class ExplainedSheet:
    """A sheet that may be explained to a person."""

    person: str
    sheet: dict[str, Any]  # of `sheet_history`
    verdict: dict[str, Any]  # the last live one
    inspector: Inspector  # of the bundle that gave it


def explained_sheet(service: Service, caller: Caller, sheet: str) -> ExplainedSheet:
    """A sheet whose verdict may be explained.

    raises  Problem: 404 unknown_sheet, 403 decide_first for a draw that the person has not decided,
            409 unknown_input, other_bundle
    """
    person = reviewer(service, caller)
    with service.ledger.read() as connection:
        found = sheet_history(connection, sheet)
        verdict = None if found is None else last_live(found)
        if found is None or verdict is None:
            raise unknown_sheet(sheet)
        hidden = is_blind(connection, service, person, sheet)
    if hidden:
        raise Problem(
            403, "decide_first", "this sheet was drawn for audit: decide before its map is shown", "decide"
        )
    if verdict["state"] == State.UNKNOWN_INPUT.value:
        raise Problem(
            409,
            "unknown_input",
            "the sheet is unlike every training sheet: its map would not be valid",
            "look at the image alone",
        )
    inspector = service.bundles.find(verdict["bundle"])
    if inspector is None:
        raise Problem(
            409,
            "other_bundle",
            "the bundle that gave the verdict is not opened here",
            "add it to more_bundles",
        )
    return ExplainedSheet(person, found, verdict, inspector)


def model_input(inspector: Inspector, content: bytes) -> tuple[GrayImage, Placement]:
    """An image file as a bundle's model sees it.

    raises  Problem 409 bad_image
    """
    spec = inspector.bundle.card.input
    read = decode(content, "image", spec)
    if read.gray is None:
        raise Problem(
            409, "bad_image", read.detail, "the sheet cannot be explained: its image cannot be read"
        )
    return read.gray, read.placement(spec)
