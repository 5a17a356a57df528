"""Promotion through the gate, and one step back: each by a person with a reason, on record.

A bundle is refused that passed no gate by the policy of the settings, or was replaced meanwhile; so is a form
of a page that is not current any more.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from steelsight.ledger.chain.entries import Event
from steelsight.ledger.chain.event_names import BUNDLE_PROMOTED, BUNDLE_ROLLED_BACK
from steelsight.ledger.keeping.people import commit_text
from steelsight.runtime.bundle.default import FOLDER
from steelsight.runtime.bundle.gate import GateCheck, verify_gate
from steelsight.runtime.bundle.gate_record import GateRecord
from steelsight.runtime.bundle.open import Bundle, open_bundle
from steelsight.service.access.roles import Caller
from steelsight.service.context import Service
from steelsight.service.problem import Problem
from steelsight.service.releases.choices import Choice, chosen, mark_of, rollback_target
from steelsight.service.releases.following import Releases, inspector_of
from steelsight.service.releases.places import BundlePlace, find_bundle, keep_bundle, known_places
from steelsight.service.releases.shadowing import shadow_end
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

__all__ = ["check_gate", "gate_command", "promote", "roll_back"]


def check_gate(service: Service, place: BundlePlace | Bundle) -> GateCheck:
    """Whether a bundle may be promoted by the records of its card and the policy of the settings.

    raises  Problem 409: no policy is set, or it cannot be read
    """
    policy = service.settings.gate_policy
    if policy is None:
        raise Problem(
            409,
            "no_gate_policy",
            "expected the setting gate_policy, found none: without a policy no bundle can be promoted",
            "write a policy (docs/gate.md) and start the service with `--set gate_policy=FILE`",
        )
    bundle = place if isinstance(place, Bundle) else place.as_bundle()
    try:
        return verify_gate(bundle, policy=policy)
    except OSError as error:
        raise Problem(
            409,
            "gate_policy_unreadable",
            f"the policy that the setting gate_policy names cannot be read ({error.strerror or error})",
            "restore it, or name another one",
        ) from error


def gate_command(service: Service, folder: Path) -> str:
    """The command that writes the record which a promotion needs."""
    policy = service.settings.gate_policy
    words = ["steelsight", "gate", str(folder), "DATA", "--policy", "FILE" if policy is None else str(policy)]
    if folder.resolve().parent == FOLDER.resolve():  # of the package, which is not changed
        out = (service.settings.candidates or Path("BUNDLES")) / folder.resolve().name
        words += ["--out", str(out)]
    return shlex.join([*words, "--groups", "column:coil"])


def promote(service: Service, releases: Releases, caller: Caller, wish: Wish) -> Choice:
    """Let a bundle judge by default, in every service on the ledger.

    returns  the choice that stands; the same form sent twice changes nothing the second time
    raises   Problem: 404 unknown_bundle; 409 gate_not_passed, no_gate_policy, default_changed,
             bundle_changed; 422 no_reason; 403 person_needed
    """
    person = reviewer(service, caller)
    refuse_no_reason(wish.reason)
    with releases.acting:
        done = done_already(releases.choices(), wish, person, BUNDLE_PROMOTED)
        if done is not None:
            return done
        place, bundle, record = _passed(service, wish.model)
        kept = keep_bundle(service, bundle)
        if service.bundles.by_id(wish.model) is None:
            bundle = bundle if kept == bundle.folder else open_bundle(kept)
            service.bundles.add(place.name, inspector_of(service, bundle))
        details = {
            "gate": record.sha256,
            "policy": record.policy_sha256,
            "card": hashlib.sha256(bundle.card_text).hexdigest(),
        }
        _write(service, releases, caller, wish, name=BUNDLE_PROMOTED, details=details)
        releases.follow()
        return releases.choices()[-1]


def roll_back(service: Service, releases: Releases, caller: Caller, wish: Wish) -> Choice:
    """Let the bundle judge again that did before the last promotion; no gate is asked for.

    returns  the choice that stands; the same form sent twice goes back once
    raises   Problem: 409 nothing_to_roll_back, default_changed, bundle_not_at_hand; 422 no_reason;
             403 person_needed
    """
    person = reviewer(service, caller)
    refuse_no_reason(wish.reason)
    with releases.acting:
        choices = releases.choices()
        done = done_already(choices, wish, person, BUNDLE_ROLLED_BACK)
        if done is not None:
            return done
        if rollback_target(choices) is None:
            raise Problem(
                409,
                "nothing_to_roll_back",
                "expected a promotion to roll back, found none",
                "look at the page anew",
            )
        if find_bundle(service, wish.model) is None:
            raise Problem(
                409,
                "bundle_not_at_hand",
                f"the bundle {wish.model:.12}… that judged before is not at hand",
                "put its folder into the folder of candidates, or promote another one",
            )
        _write(service, releases, caller, wish, name=BUNDLE_ROLLED_BACK, details={})
        releases.follow()
        return releases.choices()[-1]


def _passed(service: Service, model: str) -> tuple[BundlePlace, Bundle, GateRecord]:
    """The bundle, opened whole from a place where its card has the record of a gate that was passed."""
    places = [each for each in known_places(service) if each.model == model]
    if not places:
        raise unknown_bundle(model)
    checks = [(place, check_gate(service, place)) for place in places]
    passed = [place for place, check in checks if check.passed]
    if not passed:
        reasons = checks[0][1].reasons
        raise Problem(
            409,
            "gate_not_passed",
            f"this bundle has not passed the gate: {'; '.join(map(str, reasons))}",
            f"run `{gate_command(service, places[0].folder)}`",
            facts={"reasons": [asdict(each) for each in reasons]},
        )
    place = passed[0]
    bundle = open_whole(place)  # what is checked now is what will judge
    check = check_gate(service, bundle)
    if bundle.card.model_id != model or not check.passed or check.record is None:
        raise changed_meanwhile(place)
    return place, bundle, check.record


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
        choices = releases.choices_within(connection)
        if mark_of(choices) != wish.seen or _is_other_target(choices, wish, name):
            raise Problem(
                409,
                "default_changed",
                "another bundle was promoted or rolled back since this page was shown",
                "look at the page anew, and decide again",
            )
        before = chosen(choices) or service.bundles.configured
        if before == wish.model:
            raise default_already()
        person = known_person(connection, service, caller)
        number = choices[-1].number + 1 if choices else 1
        reason = commit_text(connection, person, wish.reason.strip())
        facts = {"number": number, "before": before, "reason": reason, **details}
        made = Event(name=name, person=person, subject=wish.model, details=facts)
        ended = shadow_end(connection, service, releases, default=wish.model, person=person)
        writer.append_within(connection, [made, *ended])


def _is_other_target(choices: tuple[Choice, ...], wish: Wish, name: str) -> bool:
    return name == BUNDLE_ROLLED_BACK and rollback_target(choices) != wish.model
