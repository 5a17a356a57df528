"""Accuracy over the strength of a corruption, for any function from sheets to probabilities.

All levels of a curve use the same random numbers, so that a curve is smooth where the model is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from steelsight.errors import BadInput
from steelsight.evaluation.balanced import balanced_interval
from steelsight.evaluation.intervals.bootstrap import Groups, share_interval
from steelsight.evaluation.probabilities import check_labels, check_probabilities
from steelsight.evaluation.robustness.corruptions import CORRUPTIONS, corrupt
from steelsight.evaluation.robustness.noise import STUDY_SIGMAS
from steelsight.streams import stream
from steelsight.types import GrayBatch, Interval, Labels, Probabilities

__all__ = ["SweepPoint", "sweep_corruption", "sweep_study_noise"]


@dataclass(frozen=True)
class SweepPoint:
    """One level of one corruption."""

    level: float  # 0 = unchanged sheets
    accuracy: Interval
    balanced_accuracy: float
    balanced_bounds: Interval | None = None


def sweep_corruption(
    predict: Callable[[GrayBatch], Probabilities],
    images: GrayBatch,
    labels: Labels,
    kind: str,
    *,
    rng_seed: int,
    groups: Groups | None = None,
    resamples: int = 200,
    levels: Sequence[float] | None = None,
) -> tuple[SweepPoint, ...]:
    """Accuracy under a corruption of `corruptions.CORRUPTIONS`, level by level.

    predict  (n, h, w) uint8 → (n, c) probabilities
    levels   None = the corruption's own
    returns  intervals by bootstrap over groups, by Wilson's score where that shows no spread
    raises   BadInput for another kind, a level below 0, no sheets, or unusable probabilities
    """
    if kind not in CORRUPTIONS:
        raise BadInput(f"corruption: expected one of {', '.join(CORRUPTIONS)}, got {kind!r}")
    return _sweep(
        lambda level: predict(corrupt(images, kind, level, np.random.default_rng(rng_seed))),
        labels,
        CORRUPTIONS[kind].levels if levels is None else levels,
        rng_seed,
        groups,
        resamples,
    )


def sweep_study_noise(
    predict_noisy: Callable[[float], Probabilities],
    labels: Labels,
    *,
    rng_seed: int,
    groups: Groups | None = None,
    resamples: int = 200,
    sigmas: Sequence[float] = STUDY_SIGMAS,
) -> tuple[SweepPoint, ...]:
    """Accuracy under the study's noise, which is added to the network's input, level by level.

    predict_noisy  sigma → (n, c) probabilities at X + sigma Z, always with the same Z
    raises         BadInput for a sigma below 0, no sheets, or unusable probabilities
    """
    return _sweep(predict_noisy, labels, sigmas, rng_seed, groups, resamples)


def _sweep(
    predict: Callable[[float], Probabilities],
    labels: Labels,
    levels: Sequence[float],
    seed: int,
    groups: Groups | None,
    resamples: int,
) -> tuple[SweepPoint, ...]:
    if not labels.size:
        raise BadInput("sweep: expected at least one sheet, got none")
    points = []
    for level in levels:
        if not (np.isfinite(level) and level >= 0):
            raise BadInput(f"sweep: expected levels of at least 0, got {level}")
        probabilities = predict(float(level))
        classes = probabilities.shape[1]
        check_probabilities(probabilities, labels.size, classes)
        check_labels(labels, classes)
        verdicts = probabilities.argmax(axis=1)
        accuracy = share_interval(
            verdicts == labels,
            np.ones(labels.size, dtype=bool),
            groups,
            rng=stream(seed, "sweep-intervals"),
            resamples=resamples,
        )
        balanced = balanced_interval(
            labels, verdicts, classes, groups, rng=stream(seed, "sweep-intervals"), resamples=resamples
        )
        points.append(SweepPoint(float(level), accuracy, balanced.estimate, balanced))
    return tuple(points)
