"""What the page says of each bundle: its role here, and what its card tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from steelsight.names import on_one_line, shown_name
from steelsight.runtime.bundle.card import BundleCard
from steelsight.runtime.bundle.gate import GateReason
from steelsight.runtime.bundle.gate_record import GateRecord
from steelsight.service.context import Service
from steelsight.service.problem import Problem
from steelsight.service.releases.places import BundlePlace, Unusable, candidates, known_places
from steelsight.service.releases.promoting import check_gate, gate_command
from steelsight.service.releases.shadowing import check_comparable

__all__ = ["Adaptation", "BundleFacts", "Figure", "ParityFacts", "bundle_facts", "figures_of"]

LONGEST: Final = 2000  # characters of a sentence from a card
FIGURES: Final = ("balanced_accuracy", "shared", "defect_auc")


@dataclass(frozen=True)
class ParityFacts:
    """How far the graph lies from the model it was made of, as measured when it was made."""

    precision: str
    passed: bool
    sheets: int | None
    largest: float | None  # difference of a probability
    agreement: float | None  # share of equal verdicts
    broken: tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """One figure before and after an adaptation, each with bounds of 95 %."""

    name: str  # of FIGURES
    own: tuple[float, float, float]
    new: tuple[float, float, float]
    gain: tuple[float, float, float]


@dataclass(frozen=True)
class Adaptation:
    """One adaptation that led to a bundle; values are None where the card does not hold them."""

    source: str  # id of the bundle before
    sheets: int | None
    groups: int | None
    data: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class BundleFacts:
    """One bundle."""

    name: str
    model: str
    roles: tuple[str, ...]  # default, shadow, opened, candidate, kept
    card: BundleCard
    threshold: str  # what is certified or estimated of it, in the card's words
    parity: ParityFacts | None
    other_classes: bool  # than the default has
    adaptations: tuple[Adaptation, ...]
    gate: GateRecord | None  # the last one, of whatever policy
    passed: bool  # the gate, by the policy of the settings
    refusals: tuple[GateReason, ...]  # why its records do not let it be promoted; empty = they do
    no_policy: Problem | None  # why no record can count; None = one can
    command: str  # that mends it; "" = it may be promoted
    no_shadow: Problem | None  # why it may not judge beside the default; None = it may


def bundle_facts(service: Service, shadow: str | None) -> tuple[list[BundleFacts], list[Unusable]]:
    """All bundles at hand, the default first, and folders of candidates that hold none.

    shadow  id of the bundle that judges beside the default; None = none
    """
    groups: dict[str, list[BundlePlace]] = {}
    for place in known_places(service):
        groups.setdefault(place.model, []).append(place)
    default = service.bundles.default.bundle.card
    roles = _Roles(service, shadow)
    found = [_facts(service, places, roles.of(model), default) for model, places in groups.items()]
    return found, candidates(service.settings.candidates)[1]


class _Roles:
    """Which bundle is what."""

    def __init__(self, service: Service, shadow: str | None) -> None:
        self._ids: dict[str, set[str | None]] = {
            "default": {service.bundles.default.bundle.card.model_id},
            "shadow": {shadow},
            "opened": {each.bundle.card.model_id for _, each in service.bundles},
            "candidate": {each.model for each in candidates(service.settings.candidates)[0]},
        }

    def of(self, model: str) -> tuple[str, ...]:
        found = tuple(name for name, ids in self._ids.items() if model in ids)
        if "default" in found:
            found = ("default",)
        return found or ("kept",)


def _facts(
    service: Service, places: Sequence[BundlePlace], roles: tuple[str, ...], default: BundleCard
) -> BundleFacts:
    place = next((each for each in places if each.card.gates), places[0])
    passed, refusals, problem = _gate(service, places)
    return BundleFacts(
        name=places[0].name,
        model=place.model,
        roles=roles,
        card=place.card,
        threshold=words_of(place.card.threshold_statement),
        parity=_parity(place.card),
        other_classes=place.card.class_names != default.class_names,
        adaptations=tuple(_adaptations(place.card)),
        gate=place.card.gates[-1] if place.card.gates else None,
        passed=passed,
        refusals=refusals,
        no_policy=problem,
        command="" if passed else gate_command(service, places[0].folder),
        no_shadow=_comparable(place.card, default),
    )


def _comparable(card: BundleCard, default: BundleCard) -> Problem | None:
    try:
        check_comparable(card, default)
    except Problem as problem:
        return problem
    return None


def _gate(
    service: Service, places: Sequence[BundlePlace]
) -> tuple[bool, tuple[GateReason, ...], Problem | None]:
    """Whether a record lets the bundle be promoted, why none does, and why none can."""
    try:
        checks = [check_gate(service, each) for each in places]
    except Problem as problem:
        return False, (), problem
    if any(each.passed for each in checks):
        return True, (), None
    return False, checks[0].reasons, None


def words_of(text: str) -> str:
    """Text of a card without characters that act."""
    return on_one_line(shown_name(text))[:LONGEST]


def _parity(card: BundleCard) -> ParityFacts | None:
    trial = card.parity.get(card.precision)
    if not isinstance(trial, dict):
        return None
    engines = trial.get("engines")
    first = engines[0] if isinstance(engines, list) and engines else None
    values = first if isinstance(first, dict) else {}
    broken = trial.get("broken")
    return ParityFacts(
        precision=card.precision,
        passed=trial.get("passed") is True,
        sheets=_whole(values.get("sheets")),
        largest=_number(values.get("largest")),
        agreement=_number(values.get("agreement")),
        broken=tuple(words_of(str(each)) for each in broken) if isinstance(broken, list) else (),
    )


def _adaptations(card: BundleCard) -> Iterable[Adaptation]:
    entries = card.source.get("adapted")
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict):
            continue
        data = entry.get("data")
        names = (
            [str(each.get("name")) for each in data if isinstance(each, dict)]
            if isinstance(data, list)
            else []
        )
        yield Adaptation(
            source=str(entry.get("from_model_id", "")),
            sheets=_whole(entry.get("sheets")),
            groups=_whole(entry.get("groups")),
            data=", ".join(names),
            figures=figures_of(entry.get("cross_validated")),
        )


def figures_of(comparison: object) -> tuple[Figure, ...]:
    """Figures before and after, of what adaptation.compare gives; those that are not there are left out."""
    if not isinstance(comparison, Mapping):
        return ()
    found = []
    for name in FIGURES:
        each = comparison.get(name)
        if isinstance(each, Mapping):
            bounds = [_bounds(each.get(which)) for which in ("own", "new", "gain")]
            if None not in bounds:
                found.append(Figure(name, *bounds))  # type: ignore[arg-type]
    return tuple(found)


def _bounds(values: object) -> tuple[float, float, float] | None:
    if not isinstance(values, Mapping):
        return None
    numbers = [_number(values.get(name)) for name in ("estimate", "low", "high")]
    if any(each is None for each in numbers):
        return None
    return numbers[0], numbers[1], numbers[2]  # type: ignore[return-value]


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
