"""How long a league will take: measured on one sheet a method before, corrected while it runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from steelsight.explanations.benchmark.methods import CandidateMethod
from steelsight.explanations.benchmark.results import EvaluationCase
from steelsight.explanations.benchmark.scoring import score_method
from steelsight.explanations.benchmark.settings import LeagueRecipe

__all__ = ["TimeEstimate", "duration_words", "estimate_method"]

WARM_SECONDS = 1.0  # a first explanation faster than this is timed again, without the time of the start


@dataclass
class TimeEstimate:
    """Seconds expected for each method still to be evaluated, corrected by those already done."""

    expected: dict[str, float]  # by method
    spent: float = 0.0  # seconds, of methods done
    planned: float = 0.0  # what was expected for these
    _start: float = field(default=0.0, repr=False)

    def start(self) -> None:
        """A method begins."""
        self._start = time.monotonic()

    def finish(self, method: str) -> None:
        """A method is done."""
        self.spent += time.monotonic() - self._start
        self.planned += self.expected.pop(method)

    @property
    def left(self) -> float:
        """Seconds expected for the methods left, scaled by how long the others took against expectation."""
        scale = self.spent / self.planned if self.planned else 1.0
        return sum(self.expected.values()) * scale


def estimate_method(
    candidate: CandidateMethod, cases: Sequence[EvaluationCase], recipe: LeagueRecipe, seed: int
) -> float:
    """Seconds that a method is expected to take: the time of one sheet, times the explanations it needs."""
    case = cases[0]
    explain = candidate.prepare(case.clean, seed)
    one = case.evaluation.take(np.zeros(1, dtype=np.int64))

    def seconds() -> float:
        start = time.monotonic()
        score_method(one, explain, recipe.search_rules(), batch=1)
        return time.monotonic() - start

    took = seconds()
    if took < WARM_SECONDS:
        took = seconds()
    return took * _explanations(cases, recipe)


def _explanations(cases: Sequence[EvaluationCase], recipe: LeagueRecipe) -> int:
    """Sheets explained: to choose, to evaluate, again where the verdict is wrong, to check, to time."""
    count = 0
    for case in cases:
        wrong = int((case.evaluation.answers != case.evaluation.targets).sum())
        count += len(case.selection.images) + len(case.evaluation.images) + wrong
    checked = min(recipe.checks.sheets, len(cases[0].evaluation.images))
    return count + checked * (1 + recipe.checks.draws + recipe.checks.stages) + 1 + recipe.report.repeats


def duration_words(seconds: float) -> str:
    """A duration, rounded as an estimate deserves.

    >>> [duration_words(value) for value in (0.2, 42.0, 150.0, 3000.0, 9000.0)]
    ['a few seconds', '40 s', '3 min', '50 min', '2.5 h']
    """
    if seconds < 5:
        return "a few seconds"
    if seconds < 95:
        return f"{10 * max(1, round(seconds / 10))} s"
    if seconds < 5700:
        return f"{round(seconds / 60 + 0.01)} min"
    return f"{seconds / 3600:.1f} h"
