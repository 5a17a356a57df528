"""The stages of an adaptation, for whoever shows how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Stage", "StageName"]

StageName = Literal["reading", "network", "cross-validation", "graph", "parity"]
WORDS: Final[dict[StageName, str]] = {
    "reading": "reading the sheets",
    "network": "sheets through the network",
    "cross-validation": "cross-validation",
    "graph": "writing the graph",
    "parity": "parity",
}


@dataclass(frozen=True)
class Stage:
    """What begins now."""

    name: StageName
    sheets: int | None = None  # that it is about; None = no number is told

    def __str__(self) -> str:
        """In words.

        >>> str(Stage("network", 40))
        '40 sheets through the network'
        """
        return WORDS[self.name] if self.sheets is None else f"{self.sheets} {WORDS[self.name]}"
