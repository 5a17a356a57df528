"""What the page shows of one sheet; nothing of the verdict where the person decides first."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection

from steelsight.evaluation.abstention.label_sets import label_sets
from steelsight.ledger.reading.lists import sheet_history
from steelsight.service.api.comments import with_comments
from steelsight.service.context import Service
from steelsight.service.pages.review.advice import ShownAdvice, shown_advice
from steelsight.service.pages.review.reliability import MapFlag, MapReliability, nothing_known
from steelsight.service.reviewing.answers import hidden_answers
from steelsight.service.reviewing.entries import classes_of, last_live, unknown_sheet
from steelsight.sheets.images.placement import place
from steelsight.types import State

__all__ = ["NUISANCES", "ReviewSheet", "shown_sheet"]

NUISANCES: Final = ("stain", "sheet end")  # causes with a key of their own


@dataclass(frozen=True)
class ReviewSheet:
    """One sheet on the page."""

    sheet: str
    station: str
    item: str
    coil: str | None
    position_m: float | None
    captured_us: int
    width: int | None
    height: int | None
    classes: tuple[str, ...]  # that an answer may name
    clean: str | None  # the one of them that is no defect
    several: bool  # whether an answer may name several
    blind: bool  # nothing below is given where True
    verdict: tuple[str, int] | None = None  # writer and seq
    label: str = ""
    state: str = ""
    reason: str = ""
    probability: float | None = None
    threshold: float | None = None
    bundle: str = ""
    probabilities: tuple[tuple[str, float], ...] = ()
    label_set: tuple[str, ...] = ()
    coverage: float | None = None  # of the label set, as the bundle's card says
    regions: tuple[dict[str, Any], ...] = ()
    maps: tuple[str, ...] = ()  # classes with a map
    map_label: str = ""  # the one that is shown first
    map_box: tuple[float, ...] = ()  # the part of the image that maps cover
    no_map: str = ""  # why there is none: unknown_input, other_bundle
    map_flag: MapFlag | None = None  # why the maps are not to be relied on
    reviews: tuple[dict[str, Any], ...] = ()  # earlier ones
    advice: ShownAdvice | None = None  # None where there is no policy

    def script_values(self) -> str:
        """What the script needs, as JSON."""
        names: tuple[str, ...] = (
            "sheet",
            "width",
            "height",
            "classes",
            "clean",
            "several",
            "blind",
            "verdict",
            "label",
        )
        names += ("regions", "maps", "map_label", "map_box", "no_map")
        values = asdict(self)
        recommended = None if self.advice is None else self.advice.advice.as_sent()
        found = {name: values[name] for name in names}
        return json.dumps({**found, "recommended": recommended}, ensure_ascii=False)


def shown_sheet(
    connection: Connection,
    service: Service,
    sheet: str,
    person: str,
    *,
    blind: bool,
    revealed: bool = False,
    reliability: MapReliability = nothing_known,
) -> ReviewSheet:
    """One sheet as the page shows it.

    person       who sees it; answers of others are left out where the sheet measures the person
    blind        whether the person decides before the verdict is shown
    revealed     the person has just decided blind: answers of others are left out too
    reliability  flags maps that are not to be relied on
    raises       Problem 404 unknown_sheet
    """
    found = sheet_history(connection, sheet)
    verdict = None if found is None else last_live(found)
    if found is None or verdict is None:
        raise unknown_sheet(sheet)
    inspector = service.bundles.find(verdict["bundle"])
    card = None if inspector is None else inspector.bundle.card
    classes = classes_of(service, verdict)
    clean = None if card is None else card.no_defect
    several = card is not None and card.task == "multilabel"
    names = ("station", "item", "coil", "position_m", "captured_us", "width", "height")
    plain = {name: found[name] for name in names}
    head = {"sheet": sheet, **plain, "classes": tuple(classes), "clean": clean, "several": several}
    if blind:
        return ReviewSheet(**head, blind=True)
    hidden = revealed or bool(hidden_answers(connection, service, person, [sheet]))
    earlier = [each for each in found["reviews"] if not hidden or each["person"] == person]
    reviews = with_comments(connection, earlier, names=False)
    return ReviewSheet(
        **head,
        blind=False,
        verdict=(verdict["writer"], verdict["seq"]),
        **{name: verdict[name] for name in ("label", "state", "reason", "probability", "bundle")},
        threshold=None if card is None else card.threshold,
        probabilities=tuple(sorted(verdict["probabilities"].items(), key=lambda each: -each[1])),
        regions=tuple(verdict["regions"]),
        reviews=tuple(reviews),
        advice=shown_advice(connection, service, found, verdict),
        **_label_set(card, verdict),
        **_maps(card, found, verdict, reliability),
    )


def _label_set(card: Any, verdict: dict[str, Any]) -> dict[str, Any]:
    """The classes that the sheet may be; none for an unfamiliar one, as of the bundle's own verdicts."""
    known = card is not None and card.label_sets is not None and card.task != "multilabel"
    if not known or verdict["state"] == State.UNKNOWN_INPUT.value:
        return {}
    values = np.array([[verdict["probabilities"].get(name, 0.0) for name in card.class_names]])
    inside = label_sets(values, card.label_sets.least)[0]
    names = tuple(name for name, there in zip(card.class_names, inside.tolist(), strict=True) if there)
    return {"label_set": names, "coverage": card.label_sets.coverage}


def _maps(
    card: Any, sheet: dict[str, Any], verdict: dict[str, Any], reliability: MapReliability
) -> dict[str, Any]:
    """Which maps there are. None for an unfamiliar sheet: what the model says of it is not valid."""
    if verdict["state"] == State.UNKNOWN_INPUT.value:
        return {"no_map": State.UNKNOWN_INPUT.value}
    if card is None or not sheet["width"] or not sheet["height"]:
        return {"no_map": "other_bundle" if card is None else "no_size"}
    box = place((sheet["height"], sheet["width"]), card.input).original_box
    first = verdict["label"].split(" + ")[0]
    label = first if first in card.class_names else card.class_names[0]
    return {
        "maps": tuple(card.class_names),
        "map_label": label,
        "map_box": tuple(float(edge) for edge in box),
        "map_flag": reliability(verdict, card),
    }
