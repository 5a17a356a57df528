"""Confidence scores of a model's predictions, and their comparison.

Temperature, feature space and the combined score are fitted on training and validation sheets, and evaluated
on other sheets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.evaluation.abstention.calibration import fit_temperature
from steelsight.evaluation.abstention.combine import ConfidenceCombiner, fit_combiner
from steelsight.evaluation.abstention.scores import (
    FeatureSpace,
    agreement,
    energy,
    fit_feature_space,
    margin,
    max_probability,
    negative_entropy,
)
from steelsight.evaluation.abstention.selective import (
    augrc,
    aurc,
    aurc_difference,
    coverage_interval,
)
from steelsight.evaluation.intervals.bootstrap import Groups, PairedDifference
from steelsight.evaluation.probabilities import softmax
from steelsight.training.predict import ModelOutputs
from steelsight.types import Interval, Labels, Logits, Probabilities

__all__ = [
    "PERFECT",
    "SCORE_TITLES",
    "SOFTMAX",
    "Columns",
    "Confidence",
    "ScoreRow",
    "compare_scores",
    "fit_confidence",
    "soften",
    "unbounded",
]

SOFTMAX = "max_probability"
PERFECT = "perfect"
SCORE_TITLES: dict[str, str] = {
    PERFECT: "perfect order",
    SOFTMAX: "largest probability",
    "margin": "margin of the two largest",
    "negative_entropy": "entropy",
    "energy": "energy of the logits",
    "distance": "nearness to a class's mean",
    "knn_distance": "nearness to training sheets",
    "agreement": "agreement of four flips",
    "trust": "all scores combined",
}
NEIGHBOURS = 10

Columns = dict[str, Float[np.ndarray, " n"]]


@dataclass(frozen=True)
class Confidence:
    """The fitted temperature, feature space and combined score."""

    temperature: float
    space: FeatureSpace
    trust: ConfidenceCombiner | None  # None without validation sheets

    def columns(self, outputs: ModelOutputs) -> Columns:
        """Every score of some sheets, higher = more confident; `trust` too where it was fitted."""
        probabilities = soften(outputs.logits, self.temperature)
        views = np.stack([soften(view, self.temperature) for view in outputs.views])
        features = outputs.features.astype(np.float64)
        scores: Columns = {
            SOFTMAX: max_probability(probabilities),
            "margin": margin(probabilities),
            "negative_entropy": negative_entropy(probabilities),
            "energy": energy(outputs.logits, self.temperature),
            "distance": -self.space.distance(features),
            "knn_distance": -self.space.knn_distance(features, min(NEIGHBOURS, len(self.space.reference))),
            "agreement": _agreement_on(views, probabilities),
        }
        if self.trust is not None:
            scores["trust"] = self.trust.score(unbounded(scores))
        return scores


@dataclass(frozen=True)
class ScoreRow:
    """One score on test sheets."""

    name: str
    aurc: float
    augrc: float
    coverage_99: Interval
    coverage_95: Interval
    against_softmax: PairedDifference | None  # of AURC, below 0 = better; None for softmax itself


def soften(logits: Logits, temperature: float) -> Probabilities:
    """Softmax of the logits over a temperature."""
    return softmax(logits.astype(np.float64) / temperature)


def fit_confidence(
    training: ModelOutputs, labels: Labels, validation: ModelOutputs, truths: Int[np.ndarray, " v"]
) -> Confidence:
    """Fit temperature and combination on validation sheets, the feature space on training sheets.

    Without validation sheets the temperature is 1 and nothing is combined.
    """
    space = fit_feature_space(training.features.astype(np.float64), labels)
    if not truths.size:
        return Confidence(1.0, space, None)
    plain = Confidence(fit_temperature(validation.logits, truths), space, None)
    right = validation.logits.argmax(1) == truths
    trust = fit_combiner(unbounded(plain.columns(validation)), right)
    return Confidence(plain.temperature, space, trust)


def compare_scores(
    columns: Mapping[str, Float[np.ndarray, " n"]],
    right: Bool[np.ndarray, " n"],
    *,
    rng: np.random.Generator,
    groups: Groups | None = None,
    resamples: int = 200,
    weights: Float[np.ndarray, " n"] | None = None,
) -> list[ScoreRow]:
    """Evaluate every score on the same sheets, and the perfect order (all right predictions first).

    columns  (n,) by score; softmax among them
    right    (n,) whether the prediction is right
    weights  (n,) of the sheets; None = all alike
    """
    common: dict[str, Any] = {"rng": rng, "groups": groups, "resamples": resamples, "weights": weights}
    known = {PERFECT: right.astype(np.float64), **columns}
    rows = []
    for name, score in known.items():
        rows.append(
            ScoreRow(
                name,
                aurc(right, score, weights),
                augrc(right, score, weights),
                coverage_interval(right, score, 0.99, **common),
                coverage_interval(right, score, 0.95, **common),
                None if name == SOFTMAX else aurc_difference(right, score, columns[SOFTMAX], **common),
            )
        )
    return rows


def _agreement_on(views: Float[np.ndarray, "v n c"], probabilities: Probabilities) -> Float[np.ndarray, " n"]:
    """Mean probability of the predicted class over the views, (n,); low where views disagree with it."""
    chosen = probabilities.argmax(1)
    if (views.mean(0).argmax(1) == chosen).all():
        return agreement(views)
    agreed: Float[np.ndarray, " n"] = views.mean(0)[np.arange(chosen.size), chosen]
    return agreed


def unbounded(columns: Columns) -> Columns:
    """Scores as inputs of a logistic regression: probabilities become log odds."""
    scores = {name: score for name, score in columns.items() if name != "trust"}
    for name in (SOFTMAX, "agreement", "margin"):
        share = np.clip(columns[name], 1e-6, 1 - 1e-6)
        scores[name] = np.log(share / (1 - share))
    return scores
