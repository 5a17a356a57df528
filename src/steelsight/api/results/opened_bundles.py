"""What a bundle holds, and whether it answers on this computer as the model it was exported from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelsight.errors import ParityRefused
from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable

if TYPE_CHECKING:
    from steelsight.runtime.bundle.card import BundleCard
    from steelsight.runtime.bundle.gate_record import GateRecord
    from steelsight.runtime.bundle.open import Bundle
    from steelsight.runtime.parity.verify import Verified

__all__ = ["BundleContent", "BundleVerification", "describe_gate"]


@dataclass(frozen=True, eq=False, repr=False)
class BundleVerification(NotebookResult):
    """Every installed engine compared with the source model; the first one is used by default."""

    bundle: Path  # as it was named
    signed_by: Path | None  # the public key that was checked
    engines: tuple[Verified, ...]  # their fields are not part of the API's promise

    @property
    def passed(self) -> bool:
        """Whether the first engine is within the bounds of parity."""
        return not self.engines[0].broken

    @property
    def title(self) -> str:
        """The bundle, and whether it may be used here."""
        return f"{self.bundle}: " + (
            "answers as its source" if self.passed else "does not answer as its source"
        )

    def check(self) -> None:
        """Raise ParityRefused where the first engine is not within the bounds of parity."""
        if not self.passed:
            raise ParityRefused(
                f"{self.bundle}: on this machine it does not answer as its source: "
                f"{'; '.join(self.engines[0].broken)}; do not use it here; export it again for this machine, "
                "if need be with `steelsight export --precision f32`"
            )

    def as_dict(self) -> dict[str, Any]:
        """The bundle, the key, and every engine with the bounds that it breaks."""
        engines = [asdict(each) for each in self.engines]
        values: dict[str, Any] = plain(
            {"bundle": str(self.bundle), "signed_by": self.signed_by, "engines": engines}
        )
        return values

    def table(self) -> ResultTable:
        """One row an engine: largest difference of a probability, equal verdicts, and cosine of the maps."""
        rows = (
            (
                each.parity.engine,
                each.parity.largest,
                each.parity.agreement,
                each.parity.cosine_p5,
                "; ".join(each.broken) or "as its source",
            )
            for each in self.engines
        )
        titles = ("engine", "largest |Δp|", "same verdicts", "map cosine 5 %", "parity")
        return ResultTable(titles, tuple(rows))


@dataclass(frozen=True, eq=False, repr=False)
class BundleContent(NotebookResult):
    """A complete bundle and its card."""

    opened: Bundle  # all of it; its fields are not part of the API's promise

    @property
    def card(self) -> BundleCard:
        """The card: model, classes, input, threshold, gates."""
        return self.opened.card

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user of the bundle should know."""
        return self.opened.notes

    @property
    def title(self) -> str:
        """The folder, and the network."""
        return f"{self.opened.folder.name}: {self.card.model}, {self.card.precision}"

    def as_dict(self) -> dict[str, Any]:
        """The whole card."""
        return self.card.model_dump(mode="json")

    def table(self) -> ResultTable:
        """One row a fact: model, classes, input, threshold and what is certified of it, label sets, gate."""
        card = self.card
        facts = {
            "model": f"{card.model}, {card.head} head, {card.precision}, id {card.model_id}",
            "classes": ", ".join(card.class_names),
            "input": f"{card.input.height}x{card.input.width}, {card.input.fit}",
            "threshold": "none" if card.threshold is None else f"{card.threshold:g}",
            "promise": card.threshold_statement or "none",
            "label sets": _describe_label_sets(card),
            "made by": f"steelsight {card.steelsight_version}",
            **({"gate": describe_gate(card.gates[-1])} if card.gates else {}),
        }
        return ResultTable(("fact", "value"), tuple(facts.items()))


def describe_gate(record: GateRecord) -> str:
    """The record of a release gate in words."""
    outcome = "passed" if record.passed else "not passed"
    return f"{outcome} by {record.policy} on {record.sheets} sheets of {record.data}, {record.made}"


def _describe_label_sets(card: BundleCard) -> str:
    sets = card.label_sets
    if sets is None:
        return "none"
    lacking = [f"{name} {more}" for name, more in zip(card.class_names, sets.needed, strict=True) if more]
    words = f"at least {sets.coverage:.0%} of the familiar sheets of each class have it in their set"
    return f"{words}; more sheets needed: {', '.join(lacking)}" if lacking else words
