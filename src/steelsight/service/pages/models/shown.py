"""What the templates of the page need."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request
from sqlalchemy import Connection

from steelsight.errors import BadInput
from steelsight.ledger.keeping.people import find_person, read_text
from steelsight.ledger.reading.disagreements import Judging, list_disagreements, recent_judging
from steelsight.ledger.writing.projection import sheets_of
from steelsight.ledger.writing.writer import now_us
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.context import Service
from steelsight.service.learning.jobs import Learning, missing_parts
from steelsight.service.pages.models.facts import BundleFacts, bundle_facts, figures_of
from steelsight.service.pages.models.wording import Said
from steelsight.service.pages.words import language_of, words_in
from steelsight.service.problem import Problem
from steelsight.service.releases.choices import Choice, mark_of, rollback_target
from steelsight.service.releases.following import Releases
from steelsight.service.reviewing.seen import note_seen

__all__ = ["learning_values", "page_values"]

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
PER_PAGE: Final = 50
SHOWN_CHOICES: Final = 10
DAYS: Final = (1, 7, 30, 365)


def page_values(
    request: Request,
    service: Service,
    caller: Caller,
    *,
    days: int,
    shadow: str | None,
    cursor: str | None,
) -> dict[str, Any]:
    """What the whole page needs."""
    releases: Releases = request.app.state.releases
    choices = releases.choices()
    shadow_choices, running = releases.shadow_choices(), releases.shadow()
    bundles, unusable = bundle_facts(service, running)
    names = {each.model: each.name for each in bundles}
    with service.ledger.read() as connection:
        judging = recent_judging(connection, now_us() - HOUR_US)
        history, shadows = (
            [_shown_choice(connection, each, names) for each in made[::-1][:SHOWN_CHOICES]]
            for made in (choices, shadow_choices)
        )
    target = rollback_target(choices)
    return {
        "bundles": bundles,
        "unusable": unusable,
        "names": names,
        "choices": history,
        "seen": mark_of(choices),
        "target": target,
        "target_here": target in names,
        "trouble": releases.trouble,
        "shadow_choices": shadows,
        "shadow_seen": mark_of(shadow_choices),
        "shadow_now": running,
        "shadow_trouble": releases.shadow_trouble,
        "station": service.settings.watch is not None,
        "configured": service.bundles.configured,
        "judging": judging,
        "may_act": caller.may(Permission.CONFIGURE),
        "may_review": caller.may(Permission.REVIEW),
        "policy": service.settings.gate_policy,
        **_disagreements(service, caller, bundles, judging, days=days, shadow=shadow, cursor=cursor),
        **learning_values(request, service, caller),
    }


def _shown_choice(connection: Connection, choice: Choice, names: dict[str, str]) -> dict[str, Any]:
    return {
        "act": choice.name,
        "because": choice.because,
        "made_us": choice.made_us,
        "name": names.get(choice.model, choice.model[:12]),
        "before": names.get(choice.before, choice.before[:12]),
        "person": _person(connection, choice.person),
        "reason": _reason(connection, choice.reason),
    }


def _person(connection: Connection, person: str | None) -> str:
    found = None if person is None else find_person(connection, person)
    return "" if found is None else found.name


def _reason(connection: Connection, commitment: str | None) -> str | None:
    """The text; None where it was erased, or altered since."""
    if commitment is None:
        return None
    try:
        return read_text(connection, commitment)
    except BadInput:
        return None


def _disagreements(
    service: Service,
    caller: Caller,
    bundles: Sequence[BundleFacts],
    judging: Iterable[Judging],
    *,
    days: int,
    shadow: str | None,
    cursor: str | None,
) -> dict[str, Any]:
    """A page of disagreements of one shadow bundle: the one asked for, else the first that judges."""
    known = [each.model for each in bundles if "shadow" in each.roles]
    shadows = list(dict.fromkeys([*known, *(each.bundle for each in judging if each.mode == "shadow")]))
    wanted = shadow or next(iter(shadows), None)
    values: dict[str, Any] = {"shadows": shadows, "shadow": wanted, "days": days, "all_days": DAYS}
    if wanted is None:
        return {**values, "disagreements": [], "items": {}, "following": None}
    since = now_us() - days * DAY_US
    with service.ledger.read() as connection:
        try:
            page = list_disagreements(connection, wanted, since, limit=PER_PAGE, cursor=cursor)
        except BadInput as error:
            raise Problem(422, "bad_cursor", str(error), "open the page anew") from error
        items = sheets_of(connection, [row["sheet"] for row in page.rows])
    note_seen(service, caller, (row["sheet"] for row in page.rows))
    following = None
    if page.cursor is not None:
        following = "/models?" + urlencode({"days": days, "shadow": wanted, "cursor": page.cursor})
    return {**values, "disagreements": page.rows, "items": items, "following": following}


def learning_values(request: Request, service: Service, caller: Caller) -> dict[str, Any]:
    """What the part about learning needs."""
    learning: Learning = request.app.state.learning
    job, words = learning.job(), words_in(language_of(request))
    with service.ledger.read() as connection:
        by = "" if job is None else _person(connection, job.person)
    return {
        "say": Said(words),
        "job": job,
        "job_by": by,
        "job_figures": () if job is None else figures_of(job.comparison),
        "running": job is not None and job.outcome is None,
        "missing": missing_parts(),
        "can_learn": service.settings.candidates is not None and service.images is not None,
        "new_job": secrets.token_hex(16),
        "may_act": caller.may(Permission.CONFIGURE),
    }
