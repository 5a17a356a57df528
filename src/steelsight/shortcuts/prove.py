"""Whether a network takes a harmless thing for a sign of a class: the study's test, a counterfactual, a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from steelsight.models.classifier import SheetClassifier
from steelsight.shortcuts.sheets import ProofSheets

__all__ = ["Proof", "Verdict", "prove"]

Verdict = Literal["proven", "not found at this power", "inconclusive"]


@dataclass(frozen=True)
class Proof:
    """What was found about one nuisance; `as_dict` is JSON."""

    nuisance: str  # stain, end, or the name of a list
    suspect: str  # the class it is suspected to speak for
    verdict: Verdict
    because: str  # the rule that gave it, in words with numbers

    def as_dict(self) -> dict[str, Any]:
        """Every number, for programs."""
        raise NotImplementedError


def prove(
    model: SheetClassifier,
    sheets: ProofSheets,
    nuisance: Any,
    *,
    limit: int = 500,
    rng: np.random.Generator,
) -> Proof:
    """Test one nuisance on sheets the model did not learn from.

    sheets    from `sheets.proof_sheets`, or made of arrays
    nuisance  which sheets have it and what to paste: `nuisance.open_nuisance(sheets, "stain" | "end" | FILE)`
    limit     at most so many sheets are pasted on
    raises    BadInput where neither the test nor the counterfactual can be done
    """
    raise NotImplementedError
