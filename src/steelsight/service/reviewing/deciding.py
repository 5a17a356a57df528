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
from steelsight.service.reviewing.answers import hidden_answers, was_told
from steelsight.service.reviewing.claims import drop_claim, not_ended
from steelsight.service.reviewing.entries import GivenReview, last_live, review_entry, unknown_sheet
from steelsight.service.reviewing.known import is_known, is_shown
from steelsight.service.reviewing.recommended import check_recommended
from steelsight.service.reviewing.second import is_chosen, is_second
from steelsight.service.reviewing.seen import has_seen, note_seen_within

__all__ = ["UNDO_S", "Decided", "decide", "is_blind", "withdraw"]

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
    if not _is_drawn(connection, sheet):
        shown = is_shown(service.ledger.id, person, sheet, service.settings.known_cases_shown)
        if shown or not is_known(connection, sheet):
            return False
    return not has_seen(connection, person, sheet)


def _is_drawn(connection: Connection, sheet: str) -> bool:
    draws = schema.draws
    return connection.execute(select(draws.c.sheet).where(draws.c.sheet == sheet)).one_or_none() is not None


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
    raises  Problem: 409 reviewed_meanwhile with who has said what; those of `check_recommended` and
            `review_entry`
    """
    sheet, share = given.sheet, service.settings.second_review_share
    again = is_second(connection, service.ledger.id, person, sheet, share)
    blind = is_blind(connection, service, person, sheet)
    given = replace(given, independent=again and _is_unaided(connection, person, sheet, blind=blind))
    if blind:
        given = _blind(connection, given)
    check_recommended(connection, service, person, given)
    entry = review_entry(connection, service, given, person)  # a bad answer is refused before others are told
    if not second:
        known = is_known(connection, sheet)
        kept = bool(hidden_answers(connection, service, person, [sheet]))
        told = not (blind or kept or is_chosen(service.ledger.id, sheet, share))
        _refuse_reviewed(connection, person, sheet, claim, own=again or known, told=told)
    link = writer.append_within(connection, [entry])[0]
    drop_claim(connection, given.sheet)
    if blind:  # it is shown the verdict now
        note_seen_within(connection, person, [given.sheet])
    return Decided(link.writer, link.seq, given.sheet, blind)


def _is_unaided(connection: Connection, person: str, sheet: str, *, blind: bool) -> bool:
    """Whether a person has not seen what others said of a sheet; of one that was drawn, nor its verdict.

    The verdict is shown when a draw was decided: an answer that follows one that was taken back is aided.
    """
    if _is_drawn(connection, sheet):
        return blind
    return not was_told(connection, person, sheet)


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
