"""The recommendation for one sheet, from the policy file as it is now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from steelsight.errors import BadInput
from steelsight.service.context import Service
from steelsight.service.recommending.finding import sheet_finding
from steelsight.service.recommending.firing import FiredRule, fire
from steelsight.service.recommending.policy import LoadedRules, read_rules, unknown_types

__all__ = ["Advice", "advise"]


@dataclass(frozen=True)
class Advice:
    """What the policy says of a sheet, or why it says nothing."""

    fired: FiredRule | None = None  # None = the policy cannot be used
    policy: str = ""  # SHA-256 of the file
    unknown: tuple[tuple[str, str], ...] = ()  # rule and class, of classes that no opened bundle has
    fault: str = ""  # why the policy cannot be used

    def as_sent(self) -> dict[str, str] | None:
        """What the page sends back with the answer."""
        if self.fired is None:
            return None
        return {"action": self.fired.rule.action.value, "rule": self.fired.rule.name, "policy": self.policy}


def advise(
    connection: Connection, service: Service, sheet: dict[str, Any], verdict: dict[str, Any]
) -> Advice | None:
    """The recommendation for a sheet; None where there is no policy.

    The file is read anew each time, so that a change counts at once. A fault in it is told and never raised.
    sheet    its row of `sheets`
    verdict  its row of `verdicts`, with regions read
    """
    path = service.settings.recommendation_policy
    if path is None:
        return None
    try:
        policy = read_rules(Path(path))
    except BadInput as error:
        return Advice(fault=str(error))
    found = sheet_finding(connection, sheet, verdict, within_m=_within(policy))
    unknown = unknown_types(policy.rules, _classes(service))
    return Advice(fire(policy, found), policy.sha256, tuple(unknown))


def _within(policy: LoadedRules) -> float | None:
    """How far defects are counted; None where no rule asks for their number."""
    asked = any(rule.least_per_metre is not None for rule in policy.rules)
    return policy.count_within_m if asked else None


def _classes(service: Service) -> set[str]:
    cards = [inspector.bundle.card for _, inspector in service.bundles]
    return {name for card in cards for name in (*card.class_names, card.no_defect)}
