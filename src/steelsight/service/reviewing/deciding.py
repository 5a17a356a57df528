"""Write the decision of a reviewer, once and only where nobody else has decided meanwhile; take one back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, select

from steelsight.ledger.chain.entries import Answer, Event
from steelsight.ledger.chain.event_names import REVIEW_WITHDRAWN
from steelsight.ledger.database import schema
from steelsight.ledger.database.reviewing import claims
from steelsight.ledger.reading.lists import sheet_history
from steelsight.ledger.reading.review_marks import withdrawn
from steelsight.ledger.writing.writer import Writer, now_us
from steelsight.service.context import Service
from steelsight.service.problem import Problem
from steelsight.service.reviewing.claims import drop_claim, not_ended
from steelsight.service.reviewing.entries import GivenReview, last_live, review_entry, unknown_sheet
from steelsight.service.reviewing.known import is_known, is_shown
from steelsight.service.reviewing.second import is_second
from steelsight.service.reviewing.seen import has_seen, note_seen_within

__all__ = ["UNDO_S", "Decided", "decide", "hides_answers", "is_blind", "withdraw"]

UNDO_S: Final = 3600  # a review can be taken back for so long


@dataclass(frozen=True)
class Decided:
    """A review that was written."""

    writer: str
    seq: int
    sheet: str
    blind: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(vars(self))


def is_blind(connection: Connection, service: Service, person: str, sheet: str) -> bool:
    """Whether a person decides a sheet before its verdict is shown.

    It was drawn, or is a known case that this person decides so, and its verdict was not seen yet.
    """
    draws = schema.draws
    drawn = connection.execute(select(draws.c.sheet).where(draws.c.sheet == sheet)).one_or_none()
    if drawn is None:
        shown = is_shown(service.ledger.id, person, sheet, service.settings.known_cases_shown)
        if shown or not is_known(connection, sheet):
            return False
    return not has_seen(connection, person, sheet)


def decide(
    connection: Connection,
    writer: Writer,
    service: Service,
    person: str,
    given: GivenReview,
    *,
    claim: str | None,
    second: bool = False,
) -> Decided:
    """Write a review in a transaction, and end the sheet's claim.

    claim   of the sheet, as it was handed out; where it has ended, the answer is taken all the same unless
            somebody else has reviewed the sheet since
    second  take it although somebody else has
    raises  Problem: 409 reviewed_meanwhile with who has said what; those of `review_entry`
    """
    again = is_second(
        connection, service.ledger.id, person, given.sheet, service.settings.second_review_share
    )
    given = replace(given, independent=again)
    blind = is_blind(connection, service, person, given.sheet)
    if blind:
        given = _blind(connection, given)
    entry = review_entry(connection, service, given, person)  # a bad answer is refused before others are told
    if not second:
        known = is_known(connection, given.sheet)
        told = not (blind or again or known)
        _refuse_reviewed(connection, person, given.sheet, claim, own=again or known, told=told)
    link = writer.append_within(connection, [entry])[0]
    drop_claim(connection, given.sheet)
    if blind:  # it is shown the verdict now
        note_seen_within(connection, person, [given.sheet])
    return Decided(link.writer, link.seq, given.sheet, blind)


def hides_answers(connection: Connection, service: Service, person: str, sheet: str) -> bool:
    """Whether a person must not see what others said of a sheet: a known case, or one for a second review."""
    share = service.settings.second_review_share
    return is_known(connection, sheet) or is_second(connection, service.ledger.id, person, sheet, share)


def _refuse_reviewed(
    connection: Connection, person: str, sheet: str, claim: str | None, *, own: bool, told: bool
) -> None:
    """Refuse an answer to a sheet that was reviewed since it was handed out.

    own   only the person's own reviews count
    told  say what was answered, where it is not to be kept from the person
    """
    reviews = schema.reviews
    held = select(claims.c.claim).where(
        claims.c.sheet == sheet,
        claims.c.claim == claim,
        claims.c.person == person,
        not_ended(connection),
    )
    if claim is not None and connection.execute(held).one_or_none() is not None:
        return
    query = (
        select(reviews)
        .where(reviews.c.sheet == sheet, ~withdrawn(reviews))
        .order_by(reviews.c.entered_us.desc())
    )
    if own:
        query = query.where(reviews.c.person == person)
    row = connection.execute(query.limit(1)).one_or_none()
    if row is not None:
        answered = {"answer": row.answer, "label": row.label}
        raise Problem(
            409,
            "reviewed_meanwhile",
            "this sheet was reviewed by "
            + ("yourself" if row.person == person else "somebody else")
            + " since it was handed out",
            "send the answer again as a second opinion, or drop it",
            facts={"own": row.person == person} | (answered if told or row.person == person else {}),
        )


def _blind(connection: Connection, given: GivenReview) -> GivenReview:
    """What a person who has not seen the verdict says of it: a label that agrees with it confirms it."""
    sheet = sheet_history(connection, given.sheet)
    if sheet is None:
        raise unknown_sheet(given.sheet)
    if given.answer is Answer.CONFIRMED:
        raise Problem(
            422,
            "decide_first",
            "expected a class or the answer unsure: the verdict of this sheet was not shown yet",
            "choose what the sheet shows",
        )
    verdict = last_live(sheet)
    given = replace(given, blind=True, verdict=None, nuisance=None, recommended=None)
    if given.answer is Answer.CORRECTED and verdict is not None and given.label == verdict["label"]:
        return replace(given, answer=Answer.CONFIRMED, label=None)
    return given


def withdraw(connection: Connection, writer: Writer, person: str, name: tuple[str, int]) -> str:
    """Take one's own review back; it stays on record. Returns its sheet.

    name    writer and seq of the review
    raises  Problem: 404 unknown_review, 409 withdrawn_already, too_late
    """
    reviews = schema.reviews
    query = select(reviews).where(reviews.c.writer == name[0], reviews.c.seq == name[1])
    row = connection.execute(query).one_or_none()
    if row is None or row.person != person:
        raise Problem(404, "unknown_review", "this review is not one of yours", "undo your own reviews")
    if connection.execute(query.where(withdrawn(reviews))).one_or_none() is not None:
        raise Problem(
            409, "withdrawn_already", "this review was taken back already", "decide the sheet again"
        )
    if now_us() - row.entered_us > UNDO_S * 1_000_000:
        raise Problem(
            409,
            "too_late",
            f"a review can be taken back for {UNDO_S // 60} minutes",
            "review the sheet again: the later review is on record beside the earlier one",
        )
    details = {"writer": name[0], "seq": name[1]}
    event = Event(name=REVIEW_WITHDRAWN, person=person, subject=row.sheet, details=details)
    writer.append_within(connection, [event])
    return str(row.sheet)
