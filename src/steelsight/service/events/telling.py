"""Which draws and reviews one caller of a stream is told; what a person is told of them is put on record."""

from __future__ import annotations

from collections.abc import Sequence

from steelsight.service.access.roles import Caller
from steelsight.service.context import Service
from steelsight.service.events.messages import Message
from steelsight.service.reviewing.answers import note_told, only_reviews, told_answers
from steelsight.service.reviewing.people import viewer
from steelsight.service.reviewing.seen import note_seen

__all__ = ["may_be_told"]


def may_be_told(service: Service, caller: Caller, messages: Sequence[Message]) -> list[bool]:
    """Of each message whether the caller is told it; call it before they are sent.

    A draw names a stratum, such as the verdict's label, and a review a label: whoever is sent one has seen
    the verdict.
    raises  BadLedger where that cannot be put on record: then none is to be sent
    """
    person = viewer(service, caller)
    if person is None:
        return [True] * len(messages)
    kept = only_reviews(caller)
    reviews = [each.data for each in messages if each.kind == "review"]
    with service.ledger.read() as connection:
        told = told_answers(connection, service, caller, reviews)
    draws = [] if kept else [each.data for each in messages if each.kind == "draw"]
    note_told(service, person, told)
    note_seen(service, caller, (row["sheet"] for row in (*draws, *told)))
    shown = {id(row) for row in (*draws, *told)}
    return [each.kind not in ("draw", "review") or id(each.data) in shown for each in messages]
