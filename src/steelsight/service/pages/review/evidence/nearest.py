"""The reviewed sheets of the ledger that are nearest to a sheet, as the bundle of its verdict sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Select, exists, or_, select

from steelsight.ledger.chain.entries import Answer
from steelsight.ledger.database import schema
from steelsight.ledger.reading.known_cases import was_known
from steelsight.ledger.reading.review_marks import withdrawn
from steelsight.runtime.familiarity import distances_between
from steelsight.service.api.images import stored_image
from steelsight.service.context import Service
from steelsight.service.pages.review.evidence.embeddings import Embeddings
from steelsight.service.pages.review.explained import ExplainedSheet
from steelsight.service.reviewing.answers import note_told
from steelsight.service.reviewing.second import second_sheets

__all__ = ["NearCase", "NearCases", "near_cases"]

SHOWN: Final = 3
CONSIDERED: Final = 200  # newest reviewed sheets
ROWS: Final = 2 * CONSIDERED  # of reviews: some sheets have several
NEW: Final = 24  # images that one request reads at most; those of later requests come in addition


@dataclass(frozen=True)
class NearCase:
    """A reviewed sheet near to the one that is shown."""

    sheet: str
    item: str
    label: str  # that of the last review
    nuisance: str | None  # of a right answer with a wrong reason
    share: float | None  # distance, as a share of the limit of familiarity; None = the bundle has none


@dataclass(frozen=True)
class NearCases:
    """What is known of the reviewed sheets near to a sheet."""

    cases: tuple[NearCase, ...]  # nearest first
    compared: int  # reviewed sheets whose images were compared
    reviewed: int  # those that there are, up to CONSIDERED


def near_cases(service: Service, shown: ExplainedSheet, embeddings: Embeddings) -> NearCases:
    """Compare a sheet with the newest reviewed sheets that the person may see.

    raises  Problem 404 image_missing where the station could not read the sheet's own image
    """
    own = shown.sheet["image_hash"]
    with service.ledger.read() as connection:
        rows = reviewed_sheets(connection, shown.person, sheet=shown.sheet["sheet"], image=own)
        rows = _without_second(connection, service, shown.person, rows)
    if own is None:
        stored_image(service, shown.sheet)  # tells why there is none
    if own is None or not rows:
        return NearCases((), 0, len(rows))
    by_digest: dict[str, dict[str, Any]] = {row["image_hash"]: row for row in reversed(rows)}
    by_digest[own] = shown.sheet

    def read(digest: str) -> bytes:
        return stored_image(service, by_digest[digest])

    digests = [own, *(row["image_hash"] for row in rows)]
    found = embeddings.of(shown.inspector, digests, read, most_new=NEW)
    here = found.get(own)
    there = [row for row in rows if row["image_hash"] in found]
    if here is None or not there:
        return NearCases((), 0, len(rows))
    bundle = shown.inspector.bundle
    others = np.stack([found[row["image_hash"]] for row in there])
    distances = distances_between(here, others, bundle.statistics)
    limit = None if bundle.card.familiarity is None else bundle.card.familiarity.limit
    nearest = np.argsort(distances, kind="stable")[:SHOWN].tolist()
    note_told(service, shown.person, [there[at] for at in nearest])
    cases = [_case(there[at], None if limit is None else float(distances[at]) / limit) for at in nearest]
    return NearCases(tuple(cases), len(there), len(rows))


def _case(row: dict[str, Any], share: float | None) -> NearCase:
    return NearCase(row["sheet"], row["item"], row["label"], row["nuisance"], share)


def _without_second(
    connection: Connection, service: Service, person: str, rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Rows without the sheets that the person may yet review as the second one."""
    share = service.settings.second_review_share
    names = [row["sheet"] for row in rows]
    second = second_sheets(connection, service.ledger.id, person, names, share)
    return [row for row in rows if row["sheet"] not in second]


def reviewed_sheets(
    connection: Connection, person: str, *, sheet: str, image: str | None
) -> list[dict[str, Any]]:
    """The newest reviewed sheets with an image, that reviewed last first, at most CONSIDERED.

    A sheet drawn for audit is among them only where the person has decided it, a known case never. Sheets
    with the same image as the one that is shown are left out: their label would be the answer.
    sheet, image  that which is shown, and its hash
    """
    found: dict[str, dict[str, Any]] = {}
    for row in connection.execute(_query(person, sheet, image).limit(ROWS)):
        if len(found) < CONSIDERED:
            found.setdefault(row.sheet, dict(row._mapping))
    return list(found.values())


def _query(person: str, sheet: str, image: str | None) -> Select[Any]:
    reviews, sheets, draws = schema.reviews, schema.sheets, schema.draws
    own = reviews.alias()
    decided = exists().where(own.c.sheet == reviews.c.sheet, own.c.person == person, ~withdrawn(own))
    drawn = exists().where(draws.c.sheet == reviews.c.sheet)
    query = (
        select(sheets, reviews.c.label, reviews.c.nuisance, reviews.c.person)
        .select_from(reviews)
        .join(sheets, sheets.c.sheet == reviews.c.sheet)
        .where(
            reviews.c.answer != Answer.UNSURE.value,
            reviews.c.label.is_not(None),
            reviews.c.sheet != sheet,
            sheets.c.image_hash.is_not(None),
            ~withdrawn(reviews),
            or_(~drawn, decided),
            ~was_known(reviews.c.sheet),
        )
        .order_by(reviews.c.entered_us.desc(), reviews.c.writer.desc(), reviews.c.seq.desc())
    )
    return query if image is None else query.where(sheets.c.image_hash != image)
