"""Reviews: what people say of sheets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from sqlalchemy import Connection, insert, select

from steelsight.ledger.chain.entries import Answer, Review
from steelsight.ledger.database import schema
from steelsight.ledger.keeping.people import commit_text, find_person
from steelsight.ledger.reading.lists import sheet_history
from steelsight.ledger.reading.records import ReviewFilter, list_reviews
from steelsight.ledger.writing.writer import now_us
from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.api.comments import with_comments
from steelsight.service.api.idempotency import IdempotencyKey, once
from steelsight.service.api.models.sheets import NewReview, ReviewAnswer, ReviewPage, ReviewQuery
from steelsight.service.api.parts import ServicePart, filter_of, unknown
from steelsight.service.context import Service
from steelsight.service.problem import Problem

__all__ = ["router"]

router = APIRouter(tags=["reviews"])
OPEN_NAME = "anybody, under --open"


@router.get("/reviews")
def get_reviews(
    query: Annotated[ReviewQuery, Query()],
    service: ServicePart,
    caller: Annotated[Caller, Depends(needs(Permission.READ))],
) -> ReviewPage:
    """Reviews, newest first."""
    wanted = filter_of(ReviewFilter, query)
    with service.ledger.read() as connection:
        page = list_reviews(connection, wanted, limit=query.limit, cursor=query.cursor)
        items = with_comments(connection, page.rows, names=caller.may(Permission.AUDIT))
    return ReviewPage.model_validate({"items": items, "next": page.cursor})


@router.post("/reviews", status_code=201, response_model=ReviewAnswer)
def add_review(
    review: NewReview,
    service: ServicePart,
    caller: Annotated[Caller, Depends(needs(Permission.REVIEW))],
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Answer to a verdict; the person is the one who is logged in."""
    request = once(caller, "POST /reviews", key, review.model_dump_json().encode())
    with service.console.transaction() as (connection, writer):
        earlier = request.stored(connection) if request else None
        if earlier is not None:
            return _answer(connection, earlier[1], caller)
        person = _person(connection, service, caller)
        link = writer.append_within(connection, [_entry(connection, service, review, person)])[0]
        place = {"writer": link.writer, "seq": link.seq}
        if request is not None:  # the comment is not stored a second time: it can be erased
            request.store(connection, 201, place, days=service.settings.idempotency_days)
        return _answer(connection, place, caller)


def _answer(connection: Connection, place: dict[str, Any], caller: Caller) -> JSONResponse:
    """The review at a place of the ledger."""
    table = schema.reviews
    query = select(table).where(table.c.writer == place["writer"], table.c.seq == place["seq"])
    row = dict(connection.execute(query).one()._mapping)
    row["regions"] = json.loads(row["regions"])
    shown = with_comments(connection, [row], names=caller.may(Permission.AUDIT))[0]
    return JSONResponse(ReviewAnswer.model_validate(shown).model_dump(mode="json"), 201)


def _person(connection: Connection, service: Service, caller: Caller) -> str:
    """Who reviews.

    raises  Problem 403 for a token: a machine has no opinion
    """
    if caller.person is not None:
        return caller.person
    if caller.token is not None:
        raise Problem(
            403, "person_needed", "expected a person, got a machine's token", "log in with an account"
        )
    person = hashlib.sha256(f"{OPEN_NAME}\0{service.ledger.id}".encode()).hexdigest()[:32]
    if find_person(connection, person) is None:
        row = {"person": person, "name": OPEN_NAME, "address": "", "created_us": now_us()}
        connection.execute(insert(schema.people).values(row))
    return person


def _entry(connection: Connection, service: Service, review: NewReview, person: str) -> Review:
    sheet = sheet_history(connection, review.sheet)
    if sheet is None:
        raise unknown("sheet", review.sheet, "/api/v1/sheets")
    verdict = _verdict(sheet, review)
    label = _label(service, review, verdict)
    _check_regions(review, sheet)
    comment = commit_text(connection, person, review.comment) if review.comment else None
    return Review(
        sheet=review.sheet,
        person=person,
        answer=review.answer,
        label=label,
        verdict=(verdict["writer"], verdict["seq"]),
        regions=review.regions,
        nuisance=review.nuisance,
        comment=comment,
        seconds=review.seconds,
    )


def _verdict(sheet: dict[str, Any], review: NewReview) -> dict[str, Any]:
    """The verdict that is answered: the one named, else the last live one."""
    found: list[dict[str, Any]] = sheet["verdicts"]
    if review.verdict is None:
        live = [each for each in found if each["mode"] == "live"]
        if not live:
            raise Problem(
                409, "no_verdict", "the sheet has no live verdict yet", "name a verdict, or review it later"
            )
        return live[-1]
    named = (review.verdict.writer, review.verdict.seq)
    for each in found:
        if (each["writer"], each["seq"]) == named:
            return each
    raise Problem(
        422,
        "unknown_verdict",
        f"the sheet has no verdict {named[0]!r:.120} {named[1]}",
        f"GET /api/v1/sheets/{review.sheet} lists its verdicts",
    )


def _label(service: Service, review: NewReview, verdict: dict[str, Any]) -> str | None:
    """The right label, checked against the classes of the verdict's bundle."""
    given, shown = review.label, verdict["label"] or None
    if review.answer is Answer.UNSURE:
        if given is not None:
            raise _bad_label("expected no label with the answer unsure", ())
        return None
    if review.answer is Answer.CONFIRMED:
        if given not in (None, shown):
            raise _bad_label(f"expected the verdict's label {shown!r} with the answer confirmed", ())
        return shown
    classes = _classes(service, verdict)
    if given is None or given not in classes | {" + ".join(_parts(given, classes))}:
        raise _bad_label(f"expected a class of the verdict's bundle, got {given!r:.120}", classes)
    if given == shown:
        raise _bad_label(f"the verdict says {given!r:.120} already; answer confirmed", ())
    return given


def _parts(label: str, classes: Collection[str]) -> list[str]:
    """The classes in a label of several; empty where one is unknown or comes twice."""
    parts = label.split(" + ")
    return parts if set(parts) <= set(classes) and len(set(parts)) == len(parts) else []


def _classes(service: Service, verdict: dict[str, Any]) -> set[str]:
    inspector = service.bundles.find(verdict["bundle"])
    if inspector is None:  # of an earlier model: the verdict names its classes itself
        return set(verdict["probabilities"])
    return {*inspector.class_names, inspector.bundle.card.no_defect}


def _bad_label(message: str, classes: Collection[str]) -> Problem:
    facts = {"classes": sorted(classes)} if classes else {}
    return Problem(422, "bad_label", message, "GET /api/v1/bundles names the classes", facts=facts)


def _check_regions(review: NewReview, sheet: dict[str, Any]) -> None:
    for number, region in enumerate(review.regions):
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
