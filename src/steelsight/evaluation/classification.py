"""The classification report: the study's metrics and more, each with its interval.

A sheet of several defect types has several right classes. Such sheets are left out of the headline figures,
as in the study, and are reported apart: their verdict is right if it is one of their types.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.evaluation.answers import Alternatives, right_verdicts, single_answer
from steelsight.evaluation.confusion import confusion
from steelsight.evaluation.curves.roc import roc_auc, weighted_auc
from steelsight.evaluation.intervals.bootstrap import Groups, draw_weights, group_index, interval_of
from steelsight.evaluation.intervals.bounds import (
    is_constant,
    lone_classes,
    widen_certainties,
    wilson_at,
    withdraw_bounds,
)
from steelsight.evaluation.measures import measure
from steelsight.evaluation.probabilities import check_labels, check_probabilities, read_weights
from steelsight.plain import plain
from steelsight.types import Interval, Labels

HEADLINE = ("accuracy", "balanced_accuracy", "f1_weighted", "f1_macro", "auc")

__all__ = [
    "ClassReport",
    "ClassificationReport",
    "MultiTypeReport",
    "auc_interval",
    "classification_report",
]

Weights = Float[np.ndarray, "b n"]
GroupIndex = Int[np.ndarray, "n"]
Metrics = dict[str, Float[np.ndarray, "b"]]


@dataclass(frozen=True)
class ClassReport:
    """One class against the rest."""

    name: str
    sheets: int
    verdicts: int
    precision: Interval
    recall: Interval
    f1: Interval
    auc: Interval


@dataclass(frozen=True)
class MultiTypeReport:
    """Sheets with more than one right class."""

    sheets: int
    right: int  # the verdict is one of the sheet's types
    accuracy: Interval


@dataclass(frozen=True)
class ClassificationReport:
    """The metrics of one model on one test, with intervals by group bootstrap."""

    class_names: tuple[str, ...]
    sheets: int  # in the headline figures
    groups: int
    accuracy: Interval
    balanced_accuracy: Interval
    f1_weighted: Interval
    f1_macro: Interval
    auc: Interval  # of class 1 for two classes, else the macro mean of one against the rest
    classes: tuple[ClassReport, ...]
    confusion: Int[np.ndarray, "k k"] = field(compare=False)
    multi_type: MultiTypeReport | None
    accuracy_with_multi_type: Interval | None
    resamples: int
    undefined: dict[str, int]  # resamples that could not define a metric, where there were any
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values; undefined numbers are None."""
        report: dict[str, Any] = plain(asdict(self))
        return report


def classification_report(
    labels: Labels,
    probabilities: Float[np.ndarray, "m c"],
    class_names: Sequence[str],
    *,
    groups: Groups | None = None,
    rng: np.random.Generator,
    resamples: int = 1000,
    alternatives: Alternatives | None = None,
    weights: Float[np.ndarray, " w"] | None = None,
) -> ClassificationReport:
    """Score verdicts (the most probable class) and probabilities against labels.

    labels         (n,) class index; -1 only where `alternatives` names several right answers
    probabilities  (n, c) rows sum to 1
    groups         (n,) names of groups that are resampled together; None = each sheet its own
    alternatives   (n) right classes of each sheet; None = the label alone
    weights        (n,) >= 0, e.g. to weigh a balanced test by a mill's own shares; the matrix stays a count
    returns        intervals by bootstrap over groups, by Wilson's score where that shows no spread
    raises         BadInput for NaN, rows that do not sum to 1, labels out of range, lengths that differ,
                   and a test made only of sheets with several types
    """
    classes = len(class_names)
    check_probabilities(probabilities, labels.size, classes)
    single = single_answer(labels, alternatives)
    check_labels(np.where(single, labels, 0), classes)
    verdicts = probabilities.argmax(axis=1)
    right = right_verdicts(labels, verdicts, alternatives)
    group = group_index(groups, labels.size)

    def score(rows: Weights) -> Metrics:
        headline = measure(labels[single], probabilities[single], rows[:, single])
        return headline | {"all": _share(right, rows), "multi": _share(right[~single], rows[:, ~single])}

    importance = read_weights(weights, labels.size)
    metrics = _intervals(score, importance, group, rng, resamples)
    matrix = confusion(labels[single], verdicts[single], classes)
    intervals = {name: interval for name, (interval, _) in metrics.items()}
    widen_certainties(intervals, labels, verdicts, single, group, classes)
    lone = lone_classes(labels[single], group[single], classes)
    withdraw_bounds(intervals, lone, classes)
    constant = is_constant(labels[single], verdicts[single])
    if constant:
        estimate = intervals["balanced_accuracy"].estimate
        intervals["balanced_accuracy"] = Interval(estimate, float("nan"), float("nan"))
    several = int((~single).sum())
    return ClassificationReport(
        class_names=tuple(class_names),
        sheets=int(single.sum()),
        groups=int(np.unique(group[single]).size),
        **{name: intervals[name] for name in HEADLINE},
        classes=_class_reports(class_names, matrix, intervals),
        confusion=matrix,
        multi_type=MultiTypeReport(several, int(right[~single].sum()), intervals["multi"])
        if several
        else None,
        accuracy_with_multi_type=intervals["all"] if several else None,
        resamples=resamples,
        undefined={name: times for name, (_, times) in metrics.items() if times},
        notes=_notes(class_names, matrix, group, lone)
        + (f"every verdict is {class_names[verdicts[single][0]]}: no bounds for balanced accuracy",)
        * constant,
    )


def _intervals(
    score: Callable[[Weights], Metrics],
    importance: Float[np.ndarray, " n"],
    group: GroupIndex,
    rng: np.random.Generator,
    resamples: int,
) -> dict[str, tuple[Interval, int]]:
    """Every metric with its interval, and how many resamples could not define it though the sample can."""
    estimate = {name: float(values[0]) for name, values in score(importance[None]).items()}
    chunks = [score(times * importance) for times in _resamples(group, rng, resamples)]
    intervals = {}
    for name, value in estimate.items():
        draws = np.concatenate([chunk[name] for chunk in chunks]) if chunks else np.full(1, np.nan)
        interval, undefined = interval_of(value, draws)
        intervals[name] = (interval, undefined if chunks and not math.isnan(value) else 0)
    return intervals


def auc_interval(
    positive: Bool[np.ndarray, " n"],
    scores: Float[np.ndarray, " n"],
    groups: Groups | None = None,
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """The AUC of a score for a binary truth, with its interval.

    returns  NaN when all sheets are of one kind; no bounds when one side has a single group; where resampling
             has no spread, Wilson's bounds over as many disjoint pairs as the smaller side has groups
    """
    estimate = roc_auc(positive, scores)
    group = group_index(groups, positive.size)
    if lone_classes(positive.astype(np.int64), group, 2):
        return Interval(estimate, float("nan"), float("nan"), level)
    draws = [weighted_auc(positive, scores, times) for times in _resamples(group, rng, resamples)]
    interval = interval_of(estimate, np.concatenate(draws) if draws else np.full(1, np.nan), level=level)[0]
    return wilson_at(interval, min(np.unique(group[side]).size for side in (positive, ~positive)))


def _resamples(group: GroupIndex, rng: np.random.Generator, resamples: int) -> Iterator[Weights]:
    """Weights of resamples; none for a single group, which would give bounds without width."""
    return draw_weights(group, rng, resamples) if group.max() > 0 else iter(())


def _share(right: Bool[np.ndarray, " m"], weights: Float[np.ndarray, "b m"]) -> Float[np.ndarray, " b"]:
    share = np.full(len(weights), np.nan)
    total = weights.sum(axis=1)
    np.divide(weights @ right.astype(np.float64), total, out=share, where=total > 0)
    return share


def _class_reports(
    names: Sequence[str], matrix: Int[np.ndarray, "k k"], intervals: dict[str, Interval]
) -> tuple[ClassReport, ...]:
    return tuple(
        ClassReport(
            name,
            int(matrix[c].sum()),
            int(matrix[:, c].sum()),
            *(intervals[f"{metric}:{c}"] for metric in ("precision", "recall", "f1", "auc")),
        )
        for c, name in enumerate(names)
    )


def _notes(
    names: Sequence[str], matrix: Int[np.ndarray, "k k"], group: GroupIndex, lone: Sequence[int]
) -> tuple[str, ...]:
    counts = matrix.sum(axis=1)
    missing = [name for name, count in zip(names, counts, strict=True) if count == 0]
    notes = []
    if missing:
        notes.append(f"no sheet of {', '.join(missing)}: left out of balanced accuracy, macro F1 and AUC")
    if len(names) - len(missing) < 2:
        notes.append("AUC undefined: sheets of one class only, so no pair can be compared")
    if lone and group.max() > 0:
        several = ", ".join(names[c] for c in lone)
        notes.append(f"one group only of {several}: no bounds for AUC and the means over classes")
    if group.max() == 0:
        notes.append("no intervals: all sheets belong to one group")
    return tuple(notes)
