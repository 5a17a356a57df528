"""Two models on the same test sheets: the difference of a metric, with its interval."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Int

from steelsight.evaluation.intervals.bootstrap import PairedDifference, paired_bootstrap
from steelsight.evaluation.measures import measure
from steelsight.streams import stream
from steelsight.study.results import ModelResult, StudyResults
from steelsight.types import Probabilities

__all__ = ["metric_difference"]


def metric_difference(
    found: StudyResults, first: ModelResult, second: ModelResult, metric: str, *, noisy: bool = True
) -> PairedDifference:
    """One metric of two models on the same sheets, resampled by group; weighted as the findings are.

    metric  a name of `evaluation.measures.measure`
    """
    pair = [(each.noisy if noisy else each.clean) for each in (first, second)]
    labels, base = found.labels, found.weights if found.weights is not None else np.ones(found.labels.size)

    def statistic(probabilities: Probabilities) -> Callable[[Int[np.ndarray, " r"]], float]:
        def score(rows: Int[np.ndarray, " r"]) -> float:
            weights = base[rows][None]
            return float(measure(labels[rows], probabilities[rows], weights)[metric][0])

        return score

    return paired_bootstrap(
        statistic(pair[0]),
        statistic(pair[1]),
        labels.size,
        found.groups,
        rng=stream(found.options.seed, "study-differences"),
        resamples=min(found.options.resamples, 200),  # each resample ranks all sheets for every class
    )
