"""The sheets that are offered to a person, in order: ordinary ones, draws, known cases, second reviews."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Connection

from steelsight.service.context import Service
from steelsight.service.reviewing.known import count_held_known, known_waiting, place_chance
from steelsight.service.reviewing.queue import (
    BETWEEN_DRAWS,
    Costs,
    Only,
    Order,
    audit_due,
    count_waiting,
    waiting_draws,
    waiting_sheets,
)
from steelsight.service.reviewing.second import second_chance, second_waiting

__all__ = ["count_offered", "offered_sheets"]

_RANDOM: Final = secrets.SystemRandom()


def offered_sheets(
    connection: Connection,
    service: Service,
    person: str,
    order: Order,
    only: Only,
    *,
    skip: Sequence[str] = (),
    chance: Callable[[], float] = _RANDOM.random,
) -> list[str]:
    """Sheets in the order in which they are offered: now and then a draw or a known case first.

    Known cases are not offered because nothing else waits: a person would soon have seen all of them.
    skip    sheets that the person has put off or has on the page, the last ones last
    chance  a number in [0, 1), uniform
    """
    settings = service.settings
    costs = Costs(settings.cost_escape, settings.cost_overkill)
    ordinary = waiting_sheets(connection, service.bundles, order, only, skip=skip, costs=costs)
    share = settings.second_review_share
    second, second_draws = second_waiting(connection, service.ledger.id, person, share, skip=skip)
    ordinary = [*second, *ordinary] if chance() < second_chance(share) else [*ordinary, *second]
    draws = [*waiting_draws(connection, person, skip=skip), *second_draws]
    due = audit_due(connection, person, skip=skip)
    first: tuple[str, ...] = ()
    if ordinary or draws:
        first = _known_first(connection, service, person, skip, due=due, draws=bool(draws), chance=chance)
    return [*first, *draws, *ordinary] if due else [*first, *ordinary, *draws]


def count_offered(connection: Connection, service: Service, person: str, only: Only) -> int:
    """How many sheets wait for a person; known cases are not among them.

    Those that the person holds are taken off, as another sheet would be that was handed out: so the number
    does not tell them.
    """
    share = service.settings.second_review_share
    second, second_draws = second_waiting(connection, service.ledger.id, person, share)
    waiting = count_waiting(connection, service.bundles, person, only) + len(second) + len(second_draws)
    return max(0, waiting - count_held_known(connection, person))


def _known_first(
    connection: Connection,
    service: Service,
    person: str,
    skip: Sequence[str],
    *,
    due: bool,
    draws: bool,
    chance: Callable[[], float],
) -> tuple[str, ...]:
    settings = service.settings
    share, shown_share = settings.known_cases, settings.known_cases_shown
    if not share:
        return ()
    blind = due and chance() < place_chance(share * (1 - shown_share), BETWEEN_DRAWS, draws=draws)
    shown = chance() < share * shown_share
    if not blind and not shown:
        return ()
    known = known_waiting(connection, service.ledger.id, person, shown_share, skip=skip)
    if blind and known.blind:
        return known.blind
    return known.shown if shown else ()
