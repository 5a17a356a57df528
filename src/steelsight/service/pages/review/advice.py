"""The recommendation of a sheet in the language of the page: the rule that fired, and what made it fire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from steelsight.ledger.chain.entries import Action
from steelsight.service.context import Service
from steelsight.service.pages.words import Words
from steelsight.service.recommending.advice import Advice, advise
from steelsight.service.recommending.firing import HeldCondition
from steelsight.types import State

__all__ = ["ShownAdvice", "condition_words", "shown_advice"]

DIGITS: Final = 1


@dataclass(frozen=True)
class ShownAdvice:
    """The recommendation on the page."""

    advice: Advice

    @property
    def fault(self) -> str:
        """Why the policy cannot be used; empty where it can."""
        return self.advice.fault

    @property
    def action(self) -> str:
        """The recommended action."""
        return "" if self.advice.fired is None else self.advice.fired.rule.action.value

    @property
    def rule(self) -> str:
        """The name of the rule that fired."""
        return "" if self.advice.fired is None else self.advice.fired.rule.name

    @property
    def actions(self) -> tuple[str, ...]:
        """What the person may choose."""
        return tuple(each.value for each in Action)

    def reasons(self, words: Words) -> str:
        """The values that made the rule fire."""
        held = () if self.advice.fired is None else self.advice.fired.held
        if not held:
            return words("no other rule holds")
        return "; ".join(condition_words(words, each) for each in held)

    def notes(self, words: Words) -> list[str]:
        """Which rules could not be looked at as they are written."""
        undecidable = () if self.advice.fired is None else self.advice.fired.undecidable
        return [
            *(
                words(
                    'Rule "%(rule)s" was passed over: a size, share or number that it needs is not known.',
                    rule=name,
                )
                for name in undecidable
            ),
            *(
                words(
                    'Rule "%(rule)s" names the class "%(label)s", which no opened bundle has.',
                    rule=rule,
                    label=label,
                )
                for rule, label in self.advice.unknown
            ),
        ]


def condition_words(words: Words, held: HeldCondition) -> str:
    """One condition with the sheet's value and the rule's limit."""
    if held.key == "types":
        return words("type %(label)s", label=held.value)
    if held.key == "states":
        return words("state: %(state)s", state=_state(words, str(held.value)))
    value, limit = float(held.value), held.limit or 0.0
    if held.key in ("least_probability", "most_probability", "least_image_share"):
        values = {"value": words.percent(value, DIGITS), "limit": words.percent(limit, DIGITS)}
    else:
        values = {"value": words.number(value, DIGITS), "limit": words.number(limit, DIGITS)}
    texts = {
        "least_probability": words("probability %(value)s (at least %(limit)s)", **values),
        "most_probability": words("probability %(value)s (at most %(limit)s)", **values),
        "least_area_mm2": words("largest place %(value)s mm² (at least %(limit)s)", **values),
        "least_length_mm": words("longest place %(value)s mm (at least %(limit)s)", **values),
        "least_image_share": words("largest place %(value)s of the image (at least %(limit)s)", **values),
        "least_per_metre": words("%(value)s defects a metre (at least %(limit)s)", **values),
    }
    return texts[held.key]


def _state(words: Words, state: str) -> str:
    names = {
        State.DECIDED.value: words("decided"),
        State.DOUBTFUL.value: words("doubtful"),
        State.UNKNOWN_INPUT.value: words("unknown input"),
        State.BAD_IMAGE.value: words("bad image"),
    }
    return names.get(state, state)


def shown_advice(
    connection: Connection, service: Service, sheet: dict[str, Any], verdict: dict[str, Any]
) -> ShownAdvice | None:
    """The recommendation of a sheet; None where there is no policy."""
    found = advise(connection, service, sheet, verdict)
    return None if found is None else ShownAdvice(found)
