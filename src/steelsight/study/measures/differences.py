"""Differences between two models on the same test sheets, with intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from steelsight.evaluation.intervals.bootstrap import PairedDifference, group_index, paired_bootstrap
from steelsight.evaluation.intervals.bounds import bounded_pair
from steelsight.evaluation.intervals.paired import McNemar, mcnemar
from steelsight.evaluation.measures import measure
from steelsight.streams import stream
from steelsight.study.results import ModelResult, StudyResults
from steelsight.types import Probabilities

__all__ = ["BinaryComparison", "compare_with_binary", "count_units", "metric_difference"]


@dataclass(frozen=True)
class BinaryComparison:
    """The binary model compared with the multi-class one used for defect or none; binary first."""

    test: McNemar  # on the clean sheets, unweighted
    accuracies: tuple[float, float]  # weighted like the study's results
    difference: PairedDifference  # of these accuracies, binary minus multi-class


def compare_with_binary(study: StudyResults, binary: StudyResults) -> BinaryComparison | None:
    """Compare both models on their common test sheets; None where one of them is missing."""
    one, other = binary.chosen, study.chosen
    if one is None or other is None:
        return None
    rows = {position: row for row, position in enumerate(binary.split.test.tolist())}
    kept = np.array([rows[position] for position in study.split.test.tolist()], dtype=np.int64)
    defect = study.labels > 0
    right = (one.clean.argmax(1)[kept] == 1) == defect, (other.clean.argmax(1) > 0) == defect
    counts = np.ones(defect.size) if study.weights is None else study.weights

    def accuracy(which: int) -> Callable[[Int[np.ndarray, " r"]], float]:
        return lambda rows: float(np.average(right[which][rows], weights=counts[rows]))

    paired = paired_bootstrap(
        accuracy(0),
        accuracy(1),
        defect.size,
        study.groups,
        rng=stream(study.options.seed, "study-halves"),
        resamples=study.options.resamples,
    )
    all_rows = np.arange(defect.size)
    means = accuracy(0)(all_rows), accuracy(1)(all_rows)
    return BinaryComparison(mcnemar(right[0], right[1]), means, bounded_pair(paired, count_units(study)))


def metric_difference(
    study: StudyResults, first: ModelResult, second: ModelResult, metric: str
) -> PairedDifference:
    """Difference of one metric between two models on the same noisy sheets, resampled by group.

    metric  a name of `evaluation.measures.measure`; weighted like the study's results
    """
    labels, base = study.labels, study.weights if study.weights is not None else np.ones(study.labels.size)

    def statistic(probabilities: Probabilities) -> Callable[[Int[np.ndarray, " r"]], float]:
        def score(rows: Int[np.ndarray, " r"]) -> float:
            weights = base[rows][None]
            return float(measure(labels[rows], probabilities[rows], weights)[metric][0])

        return score

    paired = paired_bootstrap(
        statistic(first.noisy),
        statistic(second.noisy),
        labels.size,
        study.groups,
        rng=stream(study.options.seed, "study-differences"),
        resamples=min(study.options.resamples, 200),  # each resample ranks all sheets for every class
    )
    return bounded_pair(paired, count_units(study))


def count_units(study: StudyResults) -> int:
    """The groups of the test sheets; without groups, the sheets."""
    return int(np.unique(group_index(study.groups, study.labels.size)).size)
