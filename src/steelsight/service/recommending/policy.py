"""The recommendation policy: a TOML file that maps what was found on a sheet to an action.

    count_within_m = 5          # optional: defects a metre are counted so far before and behind the sheet

    [[rule]]
    name = "long scratch"
    action = "hold"             # accept, re-inspect, hold or downgrade
    types = ["scratch"]         # classes: one of them is in the verdict's label
    least_length_mm = 100       # where pixels have a size in mm
    least_image_share = 0.05    # where they have none: the largest place as a share of the image

    [[rule]]
    name = "everything else"    # the last rule has no condition: it is the default
    action = "accept"

The first rule whose conditions all hold fires.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from steelsight.errors import BadInput
from steelsight.ledger.chain.entries import Action
from steelsight.plain import plain
from steelsight.reading import MOST_TOML_BYTES, parse_toml, read_regular
from steelsight.types import State

__all__ = ["ActionRule", "LoadedRules", "parse_rules", "read_rules", "unknown_types"]

MOST_RULES: Final = 200
HEADING: Final = re.compile(r"\s*\[\[\s*(rule|\"rule\"|'rule')\s*\]\]")
RuleName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0, le=1e9)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ActionRule(_Section):
    """An action, and the conditions that must all hold; without any it always fires."""

    name: RuleName  # shown with the recommendation, and kept in the ledger
    action: Action = Field(strict=False)  # accept, re-inspect, hold or downgrade
    # Classes: the verdict's label has one of them; the name of sheets without a defect is one.
    types: tuple[RuleName, ...] | None = Field(default=None, min_length=1, strict=False)
    # States of the verdict: decided, doubtful, unknown_input.
    states: tuple[Annotated[State, Field(strict=False)], ...] | None = Field(
        default=None, min_length=1, strict=False
    )
    least_probability: Share | None = None  # of the verdict's label
    most_probability: Share | None = None  # likewise
    least_area_mm2: NotNegative | None = None  # of the largest place
    least_length_mm: NotNegative | None = None  # along the strip, of the longest place
    # Of the image, by the largest place. Beside a condition in mm it counts only where pixels have no size.
    least_image_share: Share | None = None
    least_per_metre: NotNegative | None = None  # defects a metre of coil, around the sheet

    @property
    def conditions(self) -> frozenset[str]:
        """Names of the conditions that it has."""
        return frozenset(self.model_fields_set - {"name", "action"})


class _Policy(_Section):
    count_within_m: Annotated[float, Field(gt=0, le=1000)] = 5.0  # before and behind the sheet
    rule: tuple[ActionRule, ...] = Field(min_length=1, max_length=MOST_RULES, strict=False)  # in their order


@dataclass(frozen=True)
class LoadedRules:
    """A policy file."""

    rules: tuple[ActionRule, ...]  # the last one has no condition
    count_within_m: float
    sha256: str  # of the file's bytes


def read_rules(path: Path) -> LoadedRules:
    """The rules of a policy file; raises BadInput: it cannot be read, or as `parse_rules`."""
    try:
        content = read_regular(path, most_bytes=MOST_TOML_BYTES)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror or error})") from error
    return parse_rules(content, str(path))


def parse_rules(content: bytes, where: str = "policy") -> LoadedRules:
    """The rules of a policy.

    where   of the file, for messages
    raises  BadInput, with line and rule: no TOML, an unknown key or action, a number out of range, a name
            that comes twice, a rule behind one without a condition, a last rule with conditions
    """
    try:
        values = parse_toml(content)
    except ValueError as error:
        raise BadInput(f"{where}: expected TOML, got {error}; correct that line") from error
    lines = [
        number
        for number, line in enumerate(content.decode("utf-8-sig").splitlines(), 1)
        if HEADING.match(line)
    ]
    try:
        policy = _Policy.model_validate(values)
    except ValidationError as error:
        raise BadInput(_message(error.errors()[0], values, where, lines)) from error
    _check_order(policy.rule, where, lines)
    return LoadedRules(policy.rule, policy.count_within_m, hashlib.sha256(content).hexdigest())


def _place(number: int, name: object, where: str, lines: list[int]) -> str:
    """A rule in a message: file, line of its heading, number and name."""
    line = f" line {lines[number]}" if number < len(lines) else ""
    named = f" {plain(name)!r:.80}" if isinstance(name, str) else ""
    return f"{where}{line}, rule {number + 1}{named}"


def _message(error: Any, values: dict[str, Any], where: str, lines: list[int]) -> str:
    loc = list(error["loc"])
    place = where
    if loc[:1] == ["rule"] and len(loc) > 1:
        number = int(loc[1])
        given = values["rule"][number]
        place = _place(number, given.get("name") if isinstance(given, dict) else None, where, lines)
        loc = loc[2:]
    key, came = ".".join(map(str, loc)), plain(error.get("input"))
    if error["type"] == "extra_forbidden":
        known = ActionRule.model_fields if place != where else _Policy.model_fields
        return f"{place}: unknown key {key!r:.80}; expected one of {', '.join(known)}"
    if error["type"] == "missing":
        return f"{place}: {key} is missing; give it"
    return f"{place}, {key or 'rule'}: {error['msg']}, got {came!r:.80}"


def _check_order(rules: tuple[ActionRule, ...], where: str, lines: list[int]) -> None:
    names: set[str] = set()
    for number, rule in enumerate(rules):
        place = _place(number, rule.name, where, lines)
        if rule.name in names:
            raise BadInput(f"{place}: the name comes a second time; give each rule its own")
        names.add(rule.name)
        last = number + 1 == len(rules)
        if not last and not rule.conditions:
            raise BadInput(f"{place}: has no condition, so no later rule can fire; put it last")
        if last and rule.conditions:
            raise BadInput(
                f"{place}: expected a last rule without a condition, as the default, got "
                f"{', '.join(sorted(rule.conditions))}; add one with name and action alone"
            )


def unknown_types(rules: tuple[ActionRule, ...], classes: Collection[str]) -> list[tuple[str, str]]:
    """Rule and class, for each class that a rule names and that is not among `classes`."""
    return [(rule.name, name) for rule in rules for name in rule.types or () if name not in classes]
