"""Calibration and selective accuracy of the largest probability, as one dictionary for metrics files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from steelsight.evaluation.abstention.calibration import expected_calibration_error
from steelsight.evaluation.abstention.selective import augrc, aurc, coverage_interval
from steelsight.evaluation.answers import multi_type_right
from steelsight.evaluation.intervals.bootstrap import Groups
from steelsight.plain import plain
from steelsight.types import Probabilities

__all__ = ["confidence_report"]

ACCURACIES = (0.99, 0.95)  # the study's operating points


def confidence_report(
    probabilities: Probabilities,
    answers: Sequence[tuple[int, ...]],
    *,
    rng: np.random.Generator,
    groups: Groups | None = None,
    resamples: int = 1000,
) -> dict[str, Any]:
    """Calibration and selective figures of the largest probability.

    answers  right classes of each sheet; a verdict is right if it is one of them
    returns  calibration_error, aurc, augrc, aurc_perfect (all right answers first), and for selective
             accuracies .99 and .95 the coverage with its interval; NaN bounds as None
    """
    right = multi_type_right(probabilities.argmax(axis=1), answers)
    confidence = probabilities.max(axis=1)
    report: dict[str, Any] = {
        "calibration_error": expected_calibration_error(np.minimum(confidence, 1.0), right),
        "aurc": aurc(right, confidence),
        "augrc": augrc(right, confidence),
        "aurc_perfect": aurc(right, right.astype(np.float64)),
    }
    for accuracy in ACCURACIES:
        interval = coverage_interval(right, confidence, accuracy, rng=rng, groups=groups, resamples=resamples)
        report[f"coverage_at_{100 * accuracy:.0f}"] = plain(interval)
    return report
