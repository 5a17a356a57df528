"""Which rule fires for a sheet, and which values made it fire."""

from __future__ import annotations

from dataclasses import dataclass

from steelsight.service.recommending.policy import ActionRule, LoadedRules
from steelsight.types import State

__all__ = ["FiredRule", "HeldCondition", "SheetFinding", "fire"]

Value = float | str


@dataclass(frozen=True)
class SheetFinding:
    """What was found on a sheet; None = not known."""

    types: tuple[str, ...]  # of the verdict's label
    state: State
    probability: float | None  # of the label
    area_mm2: float | None = None  # of the largest place; 0 without a place
    length_mm: float | None = None  # along the strip, of the longest place
    image_share: float | None = None  # of the image, by the largest place
    per_metre: float | None = None  # defects a metre of coil, around the sheet


@dataclass(frozen=True)
class HeldCondition:
    """A condition that holds."""

    key: str  # of the policy
    value: Value  # of the sheet
    limit: float | None = None  # of the rule; None for types and states


@dataclass(frozen=True)
class FiredRule:
    """The first rule that holds."""

    rule: ActionRule
    held: tuple[HeldCondition, ...]  # empty for the default
    undecidable: tuple[str, ...]  # earlier rules that need a value which is not known, by name


def fire(policy: LoadedRules, found: SheetFinding) -> FiredRule:
    """The first rule of a policy whose conditions all hold.

    A rule that needs a value which is not known does not fire; where nothing else speaks against it, it is
    named as undecidable.
    """
    undecidable: list[str] = []
    for rule in policy.rules:
        checked = _checks(rule, found)
        if all(holds for _, holds in checked):
            return FiredRule(rule, tuple(each for each, _ in checked if each), tuple(undecidable))
        if all(holds is not False for _, holds in checked):
            undecidable.append(rule.name)
    raise AssertionError("the last rule of a policy has no condition")


Checked = tuple[HeldCondition | None, bool | None]  # None = not known


def _checks(rule: ActionRule, found: SheetFinding) -> list[Checked]:
    """Each condition of a rule, with whether it holds."""
    checks: list[Checked] = []
    if rule.types is not None:
        same = [name for name in found.types if name in rule.types]
        checks.append((HeldCondition("types", " + ".join(same)), bool(same)))
    if rule.states is not None:
        checks.append((HeldCondition("states", found.state.value), found.state in rule.states))
    checks.append(_at_least("least_probability", rule.least_probability, found.probability))
    if rule.most_probability is not None:
        value, limit = found.probability, rule.most_probability
        holds = None if value is None else value <= limit
        checks.append((HeldCondition("most_probability", value or 0.0, limit), holds))
    checks += _sizes(rule, found)
    checks.append(_at_least("least_per_metre", rule.least_per_metre, found.per_metre))
    return [(each, holds) for each, holds in checks if each is not None]


def _sizes(rule: ActionRule, found: SheetFinding) -> list[Checked]:
    """Conditions in mm where pixels have a size; else the share of the image that stands for them."""
    in_mm = [
        _at_least("least_area_mm2", rule.least_area_mm2, found.area_mm2),
        _at_least("least_length_mm", rule.least_length_mm, found.length_mm),
    ]
    share = _at_least("least_image_share", rule.least_image_share, found.image_share)
    asked = [each for each in in_mm if each[0] is not None]
    if not asked:
        return [share]
    if share[0] is not None and all(holds is None for _, holds in asked):
        return [share]
    return asked


def _at_least(key: str, limit: float | None, value: float | None) -> Checked:
    if limit is None:
        return None, True
    return HeldCondition(key, value or 0.0, limit), None if value is None else value >= limit
