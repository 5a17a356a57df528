"""Who reviews: the person who is logged in, or one person for everybody under `--open`."""

from __future__ import annotations

import hashlib
from typing import Final

from sqlalchemy import Connection, insert

from steelsight.ledger.database import schema
from steelsight.ledger.keeping.people import find_person
from steelsight.ledger.writing.writer import now_us
from steelsight.service.access.roles import Caller
from steelsight.service.context import Service
from steelsight.service.problem import Problem

__all__ = ["known_person", "reviewer", "viewer"]

OPEN_NAME: Final = "anybody, under --open"


def viewer(service: Service, caller: Caller) -> str | None:
    """The id of the person who sees what is answered; None for a machine's token."""
    if caller.person is not None or caller.token is not None:
        return caller.person
    return hashlib.sha256(f"{OPEN_NAME}\0{service.ledger.id}".encode()).hexdigest()[:32]


def reviewer(service: Service, caller: Caller) -> str:
    """The id of the person who reviews; raises Problem 403 for a token: a machine has no opinion."""
    person = viewer(service, caller)
    if person is None:
        raise Problem(
            403, "person_needed", "expected a person, got a machine's token", "log in with an account"
        )
    return person


def known_person(connection: Connection, service: Service, caller: Caller) -> str:
    """`reviewer`, whose row in `people` is made where it is missing; within a transaction that may write."""
    person = reviewer(service, caller)
    if caller.person is None and find_person(connection, person) is None:
        row = {"person": person, "name": OPEN_NAME, "address": "", "created_us": now_us()}
        connection.execute(insert(schema.people).values(row))
    return person
