"""What is certified of a bundle's threshold, as numbers: the card holds it as a sentence."""

from __future__ import annotations

import re
from typing import Final

from steelsight.quality.certificate import Certified
from steelsight.runtime.bundle.card import BundleCard

__all__ = ["certified_of"]

# As evaluation.abstention.guarantee.Certificate.statement writes it.
STATEMENT: Final = re.compile(
    r"with [0-9.]+ % confidence at most (?P<risk>[0-9.e-]+) of the answers.* are wrong at threshold "
    r"[0-9.e-]+, where (?P<coverage>[0-9.]+) % of the sheets are answered"
)


def certified_of(card: BundleCard) -> Certified | None:
    """Risk and coverage of the card's certificate; None where nothing is certified."""
    found = STATEMENT.match(card.threshold_statement) if card.threshold_by == "certificate" else None
    if found is None:
        return None
    return Certified(float(found["risk"]), round(float(found["coverage"]) / 100, 6))
