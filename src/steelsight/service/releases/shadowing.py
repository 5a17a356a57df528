"""Start and end of a shadow, which judges beside the default: each by a person with a reason, on record.

A shadow asks for no gate, because its verdicts are not shown at the line. A bundle is refused whose labels or
input are not those of the bundle that judges: where the two disagree would say nothing then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from sqlalchemy import Connection

from steelsight.errors import BadBundle, BadInput
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.chain.event_names import SHADOW_ENDED, SHADOW_STARTED
from steelsight.ledger.keeping.people import commit_text
from steelsight.runtime.bundle.card import BundleCard
from steelsight.runtime.bundle.open import Bundle
from steelsight.service.access.roles import Caller
from steelsight.service.context import Service
from steelsight.service.problem import Problem
from steelsight.service.releases.choices import Choice, chosen_shadow, mark_of
from steelsight.service.releases.following import Releases, inspector_of, shadow_id
from steelsight.service.releases.places import keep_bundle, known_places
from steelsight.service.releases.wishes import (
    Wish,
    changed_meanwhile,
    default_already,
    done_already,
    one_at_a_time,
    open_whole,
    refuse_no_reason,
    unknown_bundle,
)
from steelsight.service.reviewing.people import known_person, reviewer

__all__ = ["check_comparable", "end_shadow", "shadow_end", "start_shadow"]


def start_shadow(service: Service, releases: Releases, caller: Caller, wish: Wish) -> Choice:
    """Let a bundle judge beside the default, without being shown, at every station that follows the ledger.

    An earlier shadow ends with it.

    returns  the choice that stands; the same form sent twice changes nothing the second time
    raises   Problem: 404 unknown_bundle; 409 default_already, shadow_already, shadow_other_classes,
             shadow_other_input, shadow_changed, bundle_changed, bad_bundle; 422 no_reason; 403 person_needed
    """
    person = reviewer(service, caller)
    refuse_no_reason(wish.reason)
    with releases.acting:
        done = done_already(releases.shadow_choices(), wish, person, SHADOW_STARTED)
        if done is not None:
            return done
        bundle = _usable(service, wish.model)
        keep_bundle(service, bundle)
        details = {
            "beside": service.bundles.default.bundle.card.model_id,
            "card": hashlib.sha256(bundle.card_text).hexdigest(),
        }
        _write(service, releases, caller, wish, name=SHADOW_STARTED, details=details)
        releases.follow()
        return releases.shadow_choices()[-1]


def end_shadow(service: Service, releases: Releases, caller: Caller, wish: Wish) -> Choice:
    """End the shadow; that of the setting `shadow` too, which is not used from then on.

    returns  the choice that stands; the same form sent twice changes nothing the second time
    raises   Problem: 409 no_shadow, shadow_changed; 422 no_reason; 403 person_needed
    """
    person = reviewer(service, caller)
    refuse_no_reason(wish.reason)
    with releases.acting:
        done = done_already(releases.shadow_choices(), wish, person, SHADOW_ENDED)
        if done is not None:
            return done
        _write(service, releases, caller, wish, name=SHADOW_ENDED, details={})
        releases.follow()
        return releases.shadow_choices()[-1]


def check_comparable(card: BundleCard, default: BundleCard) -> None:
    """Refuse a bundle whose disagreements with the default would say nothing.

    raises  Problem 409: shadow_other_classes, shadow_other_input; `facts` says what differs
    """
    own, judging = _labels(card, default)
    if own != judging:
        raise Problem(
            409,
            "shadow_other_classes",
            f"expected a bundle with the classes of the one that judges ({judging}), got {own}",
            "choose another bundle; this one can be promoted without being a shadow",
            facts={"expected": judging, "got": own},
        )
    if card.input != default.input:
        own, judging = _inputs(card, default)
        raise Problem(
            409,
            "shadow_other_input",
            f"expected a bundle with the input of the one that judges ({judging}), got {own}",
            "choose another bundle; this one can be promoted without being a shadow",
            facts={"expected": judging, "got": own},
        )


def _labels(*cards: BundleCard) -> tuple[str, ...]:
    """What the labels of bundles mean, in words; the order of their classes does not matter."""
    names = {tuple(sorted(each.class_names)) for each in cards}
    if len(names) > 1:
        return tuple(f"{', '.join(sorted(each.class_names)):.300}" for each in cards)
    return tuple(f"{each.task}, {each.no_defect:.100}" for each in cards)


def _inputs(*cards: BundleCard) -> tuple[str, ...]:
    """The inputs of bundles, in words."""
    shapes = tuple(f"{each.input.height}x{each.input.width} {each.input.fit}" for each in cards)
    return shapes if len(set(shapes)) > 1 else tuple(each.input.decoder for each in cards)


def _usable(service: Service, model: str) -> Bundle:
    """The bundle, opened whole, comparable with the default, and seen to run here."""
    places = [each for each in known_places(service) if each.model == model]
    if not places:
        raise unknown_bundle(model)
    if model == service.bundles.default.bundle.card.model_id:
        raise default_already()
    bundle = open_whole(places[0])
    if bundle.card.model_id != model:
        raise changed_meanwhile(places[0])
    check_comparable(bundle.card, service.bundles.default.bundle.card)
    try:
        inspector_of(service, bundle)
    except (BadBundle, BadInput) as error:
        raise Problem(409, "bad_bundle", str(error), "restore the bundle, or choose another one") from error
    return bundle


def _write(
    service: Service,
    releases: Releases,
    caller: Caller,
    wish: Wish,
    *,
    name: str,
    details: Mapping[str, str],
) -> None:
    """Write the choice, unless another one was made since the page was shown."""
    with service.console.transaction() as (connection, writer):
        one_at_a_time(connection)
        choices = releases.shadow_choices_within(connection)
        _refuse_stale(service, choices, wish, name)
        person = known_person(connection, service, caller)
        reason = commit_text(connection, person, wish.reason.strip())
        facts = {"reason": reason, **details}
        writer.append_within(connection, [_event(service, choices, name, wish.model, person, facts)])


def _refuse_stale(service: Service, choices: tuple[Choice, ...], wish: Wish, name: str) -> None:
    standing = chosen_shadow(choices, shadow_id(service))
    if mark_of(choices) != wish.seen:
        raise _changed()
    if name == SHADOW_STARTED:
        if standing == wish.model:
            raise Problem(409, "shadow_already", "this bundle is the shadow already", "look at the page anew")
        if service.bundles.default.bundle.card.model_id == wish.model:  # promoted meanwhile
            raise default_already()
    elif standing is None:
        raise Problem(
            409, "no_shadow", "expected a shadow bundle to end, found none", "look at the page anew"
        )
    elif standing != wish.model:
        raise _changed()


def _changed() -> Problem:
    return Problem(
        409,
        "shadow_changed",
        "another shadow bundle was started or ended since this page was shown",
        "look at the page anew, and decide again",
    )


def shadow_end(
    connection: Connection, service: Service, releases: Releases, *, default: str, person: str
) -> list[Event]:
    """The event that ends the shadow where another bundle becomes the default and the shadow cannot stay.

    That is where the new default is the shadow itself, or is not comparable with it.

    default  model id of the bundle that judges from then on
    person   who chose it
    returns  to be written in the same transaction; empty = the shadow stays, or there is none
    """
    choices = releases.shadow_choices_within(connection)
    standing = chosen_shadow(choices, shadow_id(service))
    if standing is None or (standing != default and _may_stay(service, standing, default)):
        return []
    because = "promoted" if standing == default else "not_comparable"
    return [_event(service, choices, SHADOW_ENDED, standing, person, {"because": because})]


def _may_stay(service: Service, shadow: str, default: str) -> bool:
    cards = {each.model: each.card for each in known_places(service)}
    if shadow not in cards or default not in cards:  # then nothing is known against it
        return True
    try:
        check_comparable(cards[shadow], cards[default])
    except Problem:
        return False
    return True


def _event(
    service: Service,
    choices: tuple[Choice, ...],
    name: str,
    model: str,
    person: str,
    details: Mapping[str, str],
) -> Event:
    number = choices[-1].number + 1 if choices else 1
    before = chosen_shadow(choices, shadow_id(service)) or ""
    facts = {"number": number, "before": before, **details}
    return Event(name=name, person=person, subject=model, details=facts)
