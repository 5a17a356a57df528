"""The recommendation that an answer names: one that was shown, or one that the policy gives now."""

from __future__ import annotations

from sqlalchemy import Connection

from steelsight.ledger.reading.lists import sheet_history
from steelsight.service.context import Service
from steelsight.service.problem import Problem
from steelsight.service.recommending.advice import advise
from steelsight.service.reviewing.entries import GivenReview, last_live

__all__ = ["check_recommended"]


def check_recommended(connection: Connection, service: Service, person: str, given: GivenReview) -> None:
    """Refuse an answer whose recommendation was not made for this sheet.

    After a restart of the service it is compared with what the policy says of the last live verdict.
    raises  Problem 409 recommendation_changed
    """
    named = given.recommended
    if named is None:
        return
    sent = {"action": str(named.action), "rule": named.rule, "policy": named.policy}
    if service.recommended.has(person, given.sheet, sent):
        return
    sheet = sheet_history(connection, given.sheet)
    verdict = None if sheet is None else last_live(sheet)
    if sheet is None or verdict is None:
        return  # refused for that
    found = advise(connection, service, sheet, verdict)
    if found is None or found.as_sent() != sent:
        raise Problem(
            409,
            "recommendation_changed",
            f"expected the recommendation that is shown with the sheet, got {named.action} "
            f"by the rule {named.rule!r:.120}",
            "look at the sheet again, and answer what is recommended now",
        )
