"""What a person asks for with a form or a request, and the checks that all choices of bundles share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from steelsight.errors import BadBundle
from steelsight.ledger.database import schema
from steelsight.runtime.bundle.open import Bundle, open_bundle
from steelsight.service.problem import Problem
from steelsight.service.releases.choices import Choice, mark_of
from steelsight.service.releases.places import BundlePlace

__all__ = [
    "LONGEST_REASON",
    "Wish",
    "changed_meanwhile",
    "default_already",
    "done_already",
    "one_at_a_time",
    "open_whole",
    "refuse_no_reason",
    "unknown_bundle",
]

LONGEST_REASON: Final = 2000  # characters


@dataclass(frozen=True)
class Wish:
    """What a form asks for."""

    model: str  # id of the bundle that is to judge, or that is to shadow or to end it
    seen: str  # `mark_of` the choices that the page showed
    reason: str


def refuse_no_reason(reason: str) -> None:
    """Raise Problem 422 no_reason where there is none."""
    if not reason.strip():
        raise Problem(422, "no_reason", "expected a reason, got none", "say why, for those who ask later")


def default_already() -> Problem:
    """The bundle that is wished for judges already."""
    return Problem(409, "default_already", "this bundle judges already", "look at the page anew")


def done_already(choices: Sequence[Choice], wish: Wish, person: str, name: str) -> Choice | None:
    """The choice that this very form has made, where it was sent before.

    name  of the event that it makes
    """
    if not choices:
        return None
    last = choices[-1]
    same = (last.name, last.model, last.person) == (name, wish.model, person)
    return last if same and mark_of(choices[:-1]) == wish.seen else None


def unknown_bundle(model: str) -> Problem:
    """The refusal of a bundle that is nowhere at hand."""
    return Problem(404, "unknown_bundle", f"there is no bundle {model!r:.60} here", "look at the page anew")


def changed_meanwhile(place: BundlePlace) -> Problem:
    """The refusal of a folder that holds another bundle than the page showed."""
    return Problem(
        409,
        "bundle_changed",
        f"the bundle in {place.name!r:.80} was replaced meanwhile",
        "look at the page anew, and decide again",
    )


def open_whole(place: BundlePlace) -> Bundle:
    """The bundle in a folder, with every file checked; raises Problem 409 bad_bundle."""
    try:
        return open_bundle(place.folder)
    except BadBundle as error:
        raise Problem(409, "bad_bundle", str(error), "restore the bundle, or choose another one") from error


def one_at_a_time(connection: Connection) -> None:
    """Hold off other processes until the transaction ends; SQLite has one that writes anyway."""
    connection.execute(select(schema.ledger.c.id).with_for_update())
