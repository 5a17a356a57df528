"""Nested cross-validation by whole groups: no sheet takes part in what predicts it, the penalty included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.adaptation.head import EXACT, LIMIT, PENALTIES, ROUGH, AdaptedHead, fit_heads
from steelsight.evaluation.probabilities import softmax
from steelsight.sheets.grouping.splits import group_folds
from steelsight.streams import indexed_stream

__all__ = ["FitSheets", "NestedScores", "choose_penalty", "fit_best", "nested_scores"]

Positions = Int[np.ndarray, "_"]
_LEAST: Final = 1e-12  # probability in a log loss


@dataclass(frozen=True, eq=False)
class FitSheets:
    """Labelled sheets as the fit sees them."""

    features: Float[np.ndarray, "n d"]  # averages, then maxima, over places
    shares: Float[np.ndarray, "n c"]  # 1 for a sheet's class; of several types an equal share each
    groups: Sequence[str]  # "" = a group of its own
    limit: float = LIMIT  # of standardised features; docs/results/real.md compares it with none

    @property
    def labels(self) -> Int[np.ndarray, " n"]:
        """Class index; of a sheet with several types the lowest."""
        lowest: Int[np.ndarray, " n"] = self.shares.argmax(axis=1)
        return lowest

    @property
    def single(self) -> Bool[np.ndarray, " n"]:
        """Sheets with one type or none."""
        whole: Bool[np.ndarray, " n"] = self.shares.max(axis=1) == 1
        return whole

    def part(self, rows: Positions) -> FitSheets:
        """Some of the sheets."""
        groups = [self.groups[i] for i in rows.tolist()]
        return replace(self, features=self.features[rows], shares=self.shares[rows], groups=groups)

    def heads(self, penalties: Sequence[float], tolerance: float = ROUGH) -> list[AdaptedHead]:
        """A head for each penalty, fitted to all of these sheets."""
        return fit_heads(self.features, self.shares, penalties, tolerance=tolerance, limit=self.limit)

    def folds(self, folds: int, rng: np.random.Generator) -> list[tuple[Positions, Positions]]:
        """Folds by whole groups; fewer where a class has fewer groups, and at least two."""
        keys = np.array([name or f"\0{row}" for row, name in enumerate(self.groups)])
        fewest = min(np.unique(keys[self.labels == c]).size for c in np.unique(self.labels))
        return group_folds(self.labels, self.groups, max(2, min(folds, fewest)), rng=rng)


@dataclass(frozen=True, eq=False)
class NestedScores:
    """Out-of-fold logits of every repetition, and the penalties that the inner folds chose."""

    logits: Float[np.ndarray, "r n c"]
    penalties: tuple[float, ...]  # one an outer fold
    folds: tuple[tuple[Positions, Positions], ...]  # of the first repetition: fit, test
    heads: tuple[AdaptedHead, ...] = ()  # of those folds


def nested_scores(sheets: FitSheets, *, folds: int, repeats: int, seed: int) -> NestedScores:
    """Predict every sheet by heads that were fitted without its group, once a repetition."""
    logits = np.full((repeats, *sheets.shares.shape), np.nan)
    chosen: list[float] = []
    first: tuple[tuple[Positions, Positions], ...] = ()
    heads: list[AdaptedHead] = []
    for repeat in range(repeats):
        plan = sheets.folds(folds, indexed_stream(seed, repeat))
        first = first or tuple(plan)
        for number, (fit, test) in enumerate(plan):
            part = sheets.part(fit)
            penalty = choose_penalty(part, folds, indexed_stream(seed, repeat, number))
            chosen.append(penalty)
            head = part.heads([penalty])[0]
            logits[repeat, test] = head.logits(sheets.features[test])
            if not repeat:
                heads.append(head)
    return NestedScores(logits, tuple(chosen), first, tuple(heads))


def choose_penalty(sheets: FitSheets, folds: int, rng: np.random.Generator) -> float:
    """The penalty of the least log loss in a cross-validation by groups, every class weighed equally."""
    scores = np.zeros((len(PENALTIES), *sheets.shares.shape))
    for fit, test in sheets.folds(folds, rng):
        for row, head in enumerate(sheets.part(fit).heads(PENALTIES)):
            scores[row, test] = head.logits(sheets.features[test])
    losses = [_balanced_loss(each[sheets.single], sheets.labels[sheets.single]) for each in scores]
    return PENALTIES[int(np.argmin(losses))]


def fit_best(sheets: FitSheets, *, folds: int, seed: int) -> tuple[AdaptedHead, float]:
    """The head fitted to all sheets, and its penalty, chosen by a cross-validation on them."""
    penalty = choose_penalty(sheets, folds, indexed_stream(seed))
    return sheets.heads([penalty], EXACT)[0], penalty


def _balanced_loss(logits: Float[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> float:
    right = softmax(logits)[np.arange(labels.size), labels]
    loss = -np.log(np.maximum(right, _LEAST))
    return float(np.mean([loss[labels == c].mean() for c in np.unique(labels)]))
