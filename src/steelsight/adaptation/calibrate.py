"""Temperature, threshold, familiarity and certificate of an adapted bundle.

Temperature, threshold and the limit of familiarity come from sheets that were left out of the fit at the
time. A threshold chosen so is an estimate. A certificate needs sheets that were drawn at random and never
fitted on: sheets that were labelled because they were doubtful, or class by class, are not like the line's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.adaptation.nested import FitSheets, NestedScores
from steelsight.adaptation.sheets import SheetLabels
from steelsight.evaluation.abstention.calibration import fit_temperature
from steelsight.evaluation.abstention.guarantee import THRESHOLDS, sheets_needed
from steelsight.evaluation.abstention.scores import fit_feature_space
from steelsight.evaluation.abstention.thresholds import ANSWER_NOTHING, answered
from steelsight.evaluation.probabilities import softmax
from steelsight.runtime.bundle.card import Familiarity, FeatureScale
from steelsight.runtime.bundle.open import FeatureStatistics
from steelsight.runtime.familiarity import familiarity_limit, feature_distance, scaled

__all__ = ["HeadCalibration", "HeadFamiliarity", "calibrate_head", "fit_familiarity"]

# Share of further sheets within the limit of familiarity: an export's 99 % would be the most unusual of a
# hundred sheets, and refuse next to nothing.
KEPT: Final = 0.95
SCALE: Final = "cube root"  # of the features, where the bundle has no statistics
FEWEST: Final = 10  # answered sheets from which a share of wrong ones is estimated


@dataclass(frozen=True)
class HeadCalibration:
    """What the sheets that were left out say of confidence."""

    temperature: float
    threshold: float  # the loosest at which at most the allowed share of answers is wrong; 1 = answer nothing
    answered: float  # share of the sheets at the threshold
    wrong: float  # share of these answers; NaN without any
    needed: int | None  # sheets of a random sample that would certify it; None = no number would

    def estimate(self, risk: float) -> str:
        """What is estimated, in words."""
        if self.threshold == ANSWER_NOTHING:
            return (
                f"at no threshold at most {risk:g} of the answers are wrong on sheets left out of the fit, "
                "so no sheet is answered without a person"
            )
        return (
            f"estimated on sheets left out of the fit, {100 * self.answered:.1f} % are answered at threshold "
            f"{self.threshold:g}, and {100 * self.wrong:.1f} % of these answers are wrong"
        )

    def statement(self, risk: float, delta: float) -> str:
        """That nothing is certified, how many sheets a certificate takes, and what is estimated."""
        more = (
            f"about {self.needed} more needed: sheets drawn at random or by audit and never fitted on, given "
            f"with --certify, for a risk of {risk:g} at {100 * (1 - delta):g} %"
            if self.needed is not None
            else "at the errors seen no number of further sheets certifies it: label more sheets to fit"
        )
        return f"not certified, {more}; {self.estimate(risk)}"


@dataclass(frozen=True, eq=False)
class HeadFamiliarity:
    """Class means and directions of the labelled sheets, and the distance beyond which a sheet is unknown."""

    statistics: FeatureStatistics
    facts: Familiarity


def calibrate_head(
    scores: NestedScores, labels: SheetLabels, *, risk: float, delta: float
) -> HeadCalibration:
    """Fit temperature and threshold to out-of-fold logits, all repetitions together."""
    repeats, _, classes = scores.logits.shape
    single = labels.single
    kept = scores.logits[:, single].reshape(-1, classes)
    temperature = fit_temperature(kept, np.tile(labels.labels[single], repeats))
    probabilities = softmax(scores.logits.reshape(-1, classes), temperature=temperature)
    confidence = np.minimum(probabilities.max(axis=1), 1.0)
    right = np.concatenate([labels.right(each.argmax(axis=1)) for each in scores.logits])
    threshold = _estimate_threshold(right, confidence, FEWEST * repeats, risk)
    chosen = answered(confidence, threshold)
    wrong = float((~right[chosen]).mean()) if chosen.any() else math.nan
    needed = sheets_needed(right, confidence, THRESHOLDS, risk=risk, delta=delta, fewest=FEWEST * repeats)
    return HeadCalibration(temperature, threshold, float(chosen.mean()), wrong, needed)


def fit_familiarity(
    embedding: Float[np.ndarray, "n k"],
    sheets: FitSheets,
    scores: NestedScores,
    before: FeatureStatistics | None,
) -> HeadFamiliarity:
    """Add the labelled sheets to the feature space of the bundle; its limit is of sheets left out of that.

    A hundred sheets do not give a covariance of hundreds of features: in a space of their own, woven cloth
    lies nearer than some sheets that were left out of it. So the directions stay those of the bundle's
    training sheets, and the means of the labelled classes are added to its own.

    before  the bundle's statistics; None = it has none, and the space is fitted to the labelled sheets
    raises  BadInput for sheets without spread
    """
    scale: FeatureScale = SCALE if before is None else before.scale
    features, single = scaled(embedding, scale), sheets.single
    left_out: Float[np.ndarray, " n"] = np.full(len(embedding), np.nan)
    for fit, test in scores.folds:
        rows = fit[single[fit]]
        space = _space(features[rows], sheets.labels[rows], before, scale)
        left_out[test] = feature_distance(embedding[test], space)
    limit, kept = familiarity_limit(left_out, KEPT)
    statistics = _space(features[single], sheets.labels[single], before, scale)
    return HeadFamiliarity(statistics, Familiarity(limit=limit, kept=kept, scale=scale))


def _space(
    features: Float[np.ndarray, "m k"],
    labels: Int[np.ndarray, " m"],
    before: FeatureStatistics | None,
    scale: FeatureScale,
) -> FeatureStatistics:
    if before is None:
        space = fit_feature_space(features, labels)
        whitening = np.linalg.cholesky(space.precision)
        return FeatureStatistics(space.means.astype(np.float32), whitening.astype(np.float32), scale)
    means = np.stack([features[labels == kind].mean(axis=0) for kind in np.unique(labels)])
    return replace(before, means=np.concatenate([before.means, means.astype(np.float32)]))


def _estimate_threshold(
    right: Bool[np.ndarray, " n"], confidence: Float[np.ndarray, " n"], fewest: int, risk: float
) -> float:
    """The loosest threshold at which at most this share of the answers is wrong; else ANSWER_NOTHING."""
    best = ANSWER_NOTHING
    for threshold in THRESHOLDS:
        chosen = answered(confidence, threshold)
        if chosen.sum() >= fewest and (~right[chosen]).mean() <= risk:
            best = min(best, threshold)
    return best
