"""Results of adapting a bundle, and of its release gate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable

if TYPE_CHECKING:
    from steelsight.adaptation.gate.run import BundleGate
    from steelsight.adaptation.run import Adapted

__all__ = ["AdaptResult", "BundleGateResult"]


@dataclass(frozen=True, eq=False, repr=False)
class AdaptResult(NotebookResult):
    """A bundle with a new head, and its figures beside those of the head it had."""

    adapted: Adapted  # all of it; its fields are not part of the API's promise

    @property
    def bundle(self) -> Path:
        """The BUNDLE folder."""
        return self.adapted.folder

    @property
    def title(self) -> str:
        """The bundle, its precision and its threshold."""
        card = self.adapted.card
        return f"{self.bundle.name}: {card.precision}; {card.threshold_statement}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures must know."""
        return self.adapted.notes

    def as_dict(self) -> dict[str, Any]:
        """The folder, the comparison of both heads, notes, and the card."""
        values: dict[str, Any] = plain(
            {
                "bundle": str(self.bundle),
                "comparison": self.adapted.comparison.as_dict(),
                "notes": list(self.notes),
                "card": self.adapted.card.model_dump(mode="json"),
            }
        )
        return values

    def table(self) -> ResultTable:
        """One row a figure: of the bundle's own head, of the new one, and what is gained."""
        compared = self.adapted.comparison
        gains = {
            "balanced accuracy": compared.balanced_accuracy,
            "on the bundle's classes": compared.shared,
            "defect AUC": compared.defect_auc,
            "log loss, lower better": compared.log_loss,
        }
        rows = ((name, each.own, each.new, each.gain) for name, each in gains.items() if each is not None)
        return ResultTable(("figure", "own head", "new head", "gain"), tuple(rows))


@dataclass(frozen=True, eq=False, repr=False)
class BundleGateResult(NotebookResult):
    """Whether a bundle may be released by a policy."""

    gate: BundleGate  # all of it; its fields are not part of the API's promise

    @property
    def passed(self) -> bool:
        """Whether every limit of the policy is kept."""
        return self.gate.passed

    @property
    def title(self) -> str:
        """The decision in words."""
        return "the bundle may be released" if self.passed else "the bundle may not be released"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the decision must know."""
        return self.gate.notes

    @property
    def folder(self) -> Path:
        """The bundle whose card has the record."""
        return self.gate.folder

    def as_dict(self) -> dict[str, Any]:
        """The record, the proofs and the notes."""
        return self.gate.as_dict()

    def table(self) -> ResultTable:
        """One row a limit: shortcuts first, then metrics."""
        record = self.gate.record
        shortcuts = tuple((each.outcome, each.why) for each in record.shortcuts)
        metrics = tuple((each.outcome, each.why) for each in record.metrics)
        return ResultTable(("outcome", "why"), (*shortcuts, *metrics))
