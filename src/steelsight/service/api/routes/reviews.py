"""Reviews: what people say of sheets."""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from sqlalchemy import Connection, select

from steelsight.ledger.database import schema
from steelsight.ledger.reading.records import ReviewFilter, list_reviews
from steelsight.ledger.reading.review_marks import with_marks
from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.api.comments import with_comments
from steelsight.service.api.idempotency import IdempotencyKey, once
from steelsight.service.api.models.sheets import NewReview, ReviewAnswer, ReviewPage, ReviewQuery
from steelsight.service.api.parts import ServicePart, filter_of
from steelsight.service.reviewing.answers import note_told, only_reviews, told_answers
from steelsight.service.reviewing.entries import GivenReview, review_entry
from steelsight.service.reviewing.people import known_person, viewer
from steelsight.service.reviewing.seen import note_seen

__all__ = ["router"]

router = APIRouter(tags=["reviews"])


@router.get("/reviews")
def get_reviews(
    query: Annotated[ReviewQuery, Query()],
    service: ServicePart,
    caller: Annotated[Caller, Depends(needs(Permission.READ))],
) -> ReviewPage:
    """Reviews, newest first; for operators without those of others on sheets they may yet decide."""
    wanted = filter_of(ReviewFilter, query)
    with service.ledger.read() as connection:
        shown = partial(told_answers, connection, service, caller) if only_reviews(caller) else None
        page = list_reviews(connection, wanted, limit=query.limit, cursor=query.cursor, shown=shown)
        items = with_comments(connection, page.rows, names=caller.may(Permission.AUDIT))
    note_seen(service, caller, (row["sheet"] for row in page.rows))
    note_told(service, viewer(service, caller), page.rows)
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
    note_seen(service, caller, [review.sheet])  # answer and refusals tell the verdict's label
    with service.console.transaction() as (connection, writer):
        earlier = request.stored(connection) if request else None
        if earlier is not None:
            return _answer(connection, earlier[1], caller)
        person = known_person(connection, service, caller)
        entry = review_entry(connection, service, _given(review), person)
        link = writer.append_within(connection, [entry])[0]
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
    shown = with_comments(connection, with_marks(connection, [row]), names=caller.may(Permission.AUDIT))[0]
    return JSONResponse(ReviewAnswer.model_validate(shown).model_dump(mode="json"), 201)


def _given(review: NewReview) -> GivenReview:
    values = {name: getattr(review, name) for name in NewReview.model_fields if name != "verdict"}
    named = None if review.verdict is None else (review.verdict.writer, review.verdict.seq)
    return GivenReview(**values, verdict=named)
