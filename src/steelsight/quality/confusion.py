"""What the model says by what people say, in audit draws: counts, and shares of all sheets by weight."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from steelsight.quality.records import AuditData, Outcome

__all__ = ["NOT_DECIDED", "Confusion", "confusion_of"]

NOT_DECIDED = "(not decided)"  # the row of sheets that were referred to a person


@dataclass(frozen=True)
class Confusion:
    """Rows are the model's labels, columns the person's."""

    verdicts: tuple[str, ...]
    answers: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]  # draws
    shares: tuple[tuple[float, ...], ...]  # of all sheets, estimated by inclusion probability; their sum is 1

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(vars(self))


def confusion_of(data: AuditData) -> Confusion:
    """The table of a period; without rows where nothing was reviewed."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    weights: dict[tuple[str, str], float] = defaultdict(float)
    for each in data.audited:
        decided = each.group.outcome is not Outcome.REFERRED
        place = (each.verdict if decided else NOT_DECIDED, each.answer)
        counts[place] += 1
        weights[place] += 1 / each.probability
    verdicts = tuple(sorted({verdict for verdict, _ in counts}))
    answers = tuple(sorted({answer for _, answer in counts}))
    total = sum(weights.values())
    return Confusion(
        verdicts,
        answers,
        tuple(tuple(counts[verdict, answer] for answer in answers) for verdict in verdicts),
        tuple(tuple(weights[verdict, answer] / total for answer in answers) for verdict in verdicts),
    )
