"""Reviews with what can be erased of them: comments, and names of people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from steelsight.errors import BadInput
from steelsight.ledger.keeping.people import find_person, read_text
from steelsight.service.api.models.values import public

__all__ = ["with_comments"]


def with_comments(
    connection: Connection, reviews: Sequence[Mapping[str, Any]], *, names: bool
) -> list[dict[str, Any]]:
    """Reviews as the API shows them.

    names  whether to add the names of their people
    """
    people: dict[str, str | None] = {}
    shown = []
    for row in reviews:
        text = _text(connection, row["comment"])
        person = row["person"]
        if names and person not in people:
            found = find_person(connection, person)
            people[person] = None if found is None else found.name
        erased = row["comment"] is not None and text is None
        shown.append(
            {
                **public(row),
                "comment": text,
                "comment_erased": erased,
                "person_name": people.get(person),
            }
        )
    return shown


def _text(connection: Connection, commitment: str | None) -> str | None:
    """The text of a commitment; None where it was erased, or altered since."""
    if commitment is None:
        return None
    try:
        return read_text(connection, commitment)
    except BadInput:
        return None
