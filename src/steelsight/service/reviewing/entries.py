"""The ledger's entry of what a person says of a sheet, checked against the sheet and its verdict."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from steelsight.errors import BadAnnotation
from steelsight.ledger.chain.entries import Answer, LedgerRegion, Recommended, Review
from steelsight.ledger.keeping.people import commit_text
from steelsight.ledger.reading.lists import sheet_history
from steelsight.service.context import Service
from steelsight.service.problem import Problem
from steelsight.sheets.rle import check_runs

__all__ = ["GivenReview", "classes_of", "last_live", "review_entry", "unknown_sheet"]

History = dict[str, Any]  # of `sheet_history`


@dataclass(frozen=True)
class GivenReview:
    """What a person says, as it was sent."""

    sheet: str
    answer: Answer
    label: str | None = None  # several are joined by " + "
    verdict: tuple[str, int] | None = None  # writer and seq of the one that was shown; None = the last live
    regions: tuple[LedgerRegion, ...] = ()
    nuisance: str | None = None
    comment: str | None = None
    seconds: float | None = None
    mask: str | None = None  # run lengths of the original image
    blind: bool = False
    recommended: Recommended | None = None  # as it was shown; nothing is recommended before a blind decision
    independent: bool = False  # a second review, without the first one's answer


def review_entry(connection: Connection, service: Service, given: GivenReview, person: str) -> Review:
    """The entry of a review; its comment is stored beside the chain.

    raises  Problem: 404 unknown_sheet, 409 no_verdict, 422 unknown_verdict, bad_label, bad_region, bad_mask
    """
    sheet = sheet_history(connection, given.sheet)
    if sheet is None:
        raise unknown_sheet(given.sheet)
    verdict = _verdict(sheet, given)
    label = _label(service, given, verdict)
    _check_regions(given, sheet)
    _check_mask(given, sheet)
    comment = commit_text(connection, person, given.comment) if given.comment else None
    return Review(
        sheet=given.sheet,
        person=person,
        answer=given.answer,
        label=label,
        verdict=(verdict["writer"], verdict["seq"]),
        regions=given.regions,
        nuisance=given.nuisance,
        comment=comment,
        seconds=given.seconds,
        mask=given.mask,
        blind=given.blind,
        recommended=given.recommended,
        independent=given.independent,
    )


def unknown_sheet(sheet: str) -> Problem:
    """The refusal of a sheet that is not in the ledger."""
    return Problem(404, "unknown_sheet", f"there is no sheet {sheet!r:.120}", "GET /api/v1/sheets lists them")


def last_live(sheet: History) -> dict[str, Any] | None:
    """The last verdict of a sheet that was shown at the line."""
    live = [each for each in sheet["verdicts"] if each["mode"] == "live"]
    return live[-1] if live else None


def _verdict(sheet: History, given: GivenReview) -> dict[str, Any]:
    """The verdict that is answered: the one named, else the last live one."""
    if given.verdict is None:
        found = last_live(sheet)
        if found is None:
            raise Problem(
                409, "no_verdict", "the sheet has no live verdict yet", "name a verdict, or review it later"
            )
        return found
    for each in sheet["verdicts"]:
        if (each["writer"], each["seq"]) == given.verdict:
            verdict: dict[str, Any] = each
            return verdict
    raise Problem(
        422,
        "unknown_verdict",
        f"the sheet has no verdict {given.verdict[0]!r:.120} {given.verdict[1]}",
        f"GET /api/v1/sheets/{given.sheet} lists its verdicts",
    )


def _label(service: Service, given: GivenReview, verdict: dict[str, Any]) -> str | None:
    """The right label, checked against the classes of the verdict's bundle."""
    label, shown = given.label, verdict["label"] or None
    if given.answer is Answer.UNSURE:
        if label is not None:
            raise _bad_label("expected no label with the answer unsure", ())
        return None
    if given.answer is Answer.CONFIRMED:
        if label not in (None, shown):
            raise _bad_label(f"expected the verdict's label {shown!r} with the answer confirmed", ())
        return shown
    classes = classes_of(service, verdict)
    if label is None or label not in {*classes, " + ".join(_parts(label, classes))}:
        raise _bad_label(f"expected a class of the verdict's bundle, got {label!r:.120}", classes)
    if label == shown and given.mask is None and not given.regions:
        raise _bad_label(f"the verdict says {label!r:.120} already; answer confirmed", ())
    return label


def _parts(label: str, classes: Collection[str]) -> list[str]:
    """The classes in a label of several; empty where one is unknown or comes twice."""
    parts = label.split(" + ")
    return parts if set(parts) <= set(classes) and len(set(parts)) == len(parts) else []


def classes_of(service: Service, verdict: dict[str, Any]) -> list[str]:
    """The classes that a verdict's bundle knows, in its order, and the name of a sheet without defect."""
    inspector = service.bundles.find(verdict["bundle"])
    if inspector is None:  # of an earlier model: the verdict names its classes itself
        return list(verdict["probabilities"])
    names = list(inspector.class_names)
    clean = inspector.bundle.card.no_defect
    return names if clean in names else [clean, *names]


def _bad_label(message: str, classes: Collection[str]) -> Problem:
    facts = {"classes": sorted(classes)} if classes else {}
    return Problem(422, "bad_label", message, "GET /api/v1/bundles names the classes", facts=facts)


def _check_regions(given: GivenReview, sheet: History) -> None:
    for number, region in enumerate(given.regions):
        left, top, right, bottom = region.box
        inside = (sheet["width"] is None or right <= sheet["width"]) and (
            sheet["height"] is None or bottom <= sheet["height"]
        )
        if not (left < right and top < bottom and inside):
            raise Problem(
                422,
                "bad_region",
                f"region {number}: expected left < right and top < bottom inside "
                f"{sheet['width']} x {sheet['height']} px, got {list(region.box)}",
                "send pixels of the image as the history gives its size",
            )


def _check_mask(given: GivenReview, sheet: History) -> None:
    """Refuse a mask that is not one of this image, such as one painted outside of it."""
    if given.mask is None:
        return
    if not sheet["width"] or not sheet["height"]:
        raise _bad_mask("the size of this sheet's image is not known, so no mask can lie on it")
    try:
        check_runs(given.mask, (sheet["height"], sheet["width"]), where="mask")
    except BadAnnotation as error:
        raise _bad_mask(str(error)) from error


def _bad_mask(message: str) -> Problem:
    return Problem(
        422,
        "bad_mask",
        message,
        "send run lengths of the image's own pixels, down the columns, as Severstal's EncodedPixels",
    )
