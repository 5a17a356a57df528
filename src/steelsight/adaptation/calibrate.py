"""Temperature, threshold, familiarity and certificate of an adapted bundle.

Temperature, threshold and the limit of familiarity come from sheets that were left out of the fit at the
time. A threshold chosen so is an estimate; its errors are counted on folds that took no part in the choice. A
certificate needs sheets that were drawn at random and never fitted on: sheets that were labelled because they
were doubtful, or class by class, are not like the line's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.adaptation.nested import FitSheets, NestedScores
from steelsight.adaptation.sheets import SheetLabels
from steelsight.evaluation.abstention.calibration import fit_temperature
from steelsight.evaluation.abstention.guarantee import CHANCE, THRESHOLDS, groups_needed
from steelsight.evaluation.abstention.scores import fit_feature_space
from steelsight.evaluation.abstention.thresholds import ANSWER_NOTHING, answered
from steelsight.evaluation.intervals.bootstrap import bootstrap_counts
from steelsight.evaluation.intervals.bounds import wilson_at
from steelsight.evaluation.probabilities import softmax
from steelsight.groups import group_keys
from steelsight.runtime.bundle.card import Familiarity, FeatureScale
from steelsight.runtime.bundle.open import FeatureStatistics
from steelsight.runtime.familiarity import familiarity_limit, feature_distance, scaled
from steelsight.streams import stream
from steelsight.types import Interval

__all__ = ["HeadCalibration", "HeadFamiliarity", "calibrate_head", "fit_familiarity"]

# Share of further sheets within the limit of familiarity: an export's 99 % would be the most unusual of a
# hundred sheets, and refuse next to nothing.
KEPT: Final = 0.95
SCALE: Final = "cube root"  # of the features, where the bundle has no statistics
FEWEST: Final = 10  # answered sheets from which a share of wrong ones is estimated


@dataclass(frozen=True)
class HeadCalibration:
    """What the sheets that were left out say of confidence.

    Shares are counted on each fold at a temperature and a threshold that were chosen on the others.
    """

    temperature: float
    threshold: float  # the loosest at which at most the allowed share of answers is wrong; 1 = answer nothing
    answered: float  # share of the sheets
    right: Interval  # share of these answers, by bootstrap over groups; NaN without any
    groups_answered: float  # share of the groups with an answer
    groups_wrong: float  # share of wrong answers, every group counted equally; NaN without any
    needed: int | None  # groups of a random sample that certify it with a chance of CHANCE; None = no number

    @property
    def wrong(self) -> float:
        """Share of wrong answers."""
        return 1 - self.right.estimate

    def estimate(self, risk: float) -> str:
        """What is estimated, in words."""
        if self.threshold == ANSWER_NOTHING:
            return (
                f"at no threshold at most {risk:g} of the answers are wrong on sheets left out of the fit, "
                "so no sheet is answered without a person"
            )
        chosen = f"threshold {self.threshold:g} was chosen on sheets left out of the fit"
        if not self.answered:
            return f"{chosen}; chosen on the other folds, none of a fold's sheets is answered"
        low, high = 100 * (1 - self.right.high), 100 * (1 - self.right.low)
        bounds = "" if math.isnan(low) else f" (95 % interval {low:.1f} to {high:.1f} %)"
        return (
            f"{chosen}; chosen on the other folds, {100 * self.answered:.1f} % of a fold's sheets are "
            f"answered, and {100 * self.wrong:.1f} % of these answers are wrong{bounds}"
        )

    def statement(self, risk: float, delta: float) -> str:
        """That nothing is certified, how many sheets a certificate takes, and what is estimated."""
        more = (
            f"about {self.needed} more needed: sheets of different groups, drawn at random or by audit and "
            f"never fitted on, given with --certify; they certify this threshold for a risk of {risk:g} at "
            f"{100 * (1 - delta):g} % with a chance of {100 * CHANCE:g} % where, as seen, "
            f"{100 * self.groups_answered:.1f} % of the groups are answered and "
            f"{100 * self.groups_wrong:.1f} % of the answers are wrong"
            if self.needed is not None
            else "at the errors seen no number of sheets certifies this threshold: label more sheets to fit, "
            "or give a sample with --certify, by which stricter thresholds are tested too"
        )
        return f"not certified, {more}; {self.estimate(risk)}"


@dataclass(frozen=True, eq=False)
class HeadFamiliarity:
    """Class means and directions of the labelled sheets, and the distance beyond which a sheet is unknown."""

    statistics: FeatureStatistics
    facts: Familiarity


def calibrate_head(
    scores: NestedScores, labels: SheetLabels, groups: Sequence[str], *, risk: float, delta: float, seed: int
) -> HeadCalibration:
    """Fit temperature and threshold to out-of-fold logits, all repetitions together, and judge the choice.

    scores  with the folds of the first repetition, by which the choice is judged
    groups  of the sheets; "" = a group of its own
    """
    everything = np.arange(len(groups))
    temperature, threshold = _choose(scores.logits, labels, everything, risk)
    given = np.zeros(scores.logits.shape[:2], dtype=bool)
    if threshold != ANSWER_NOTHING:
        for others, test in scores.folds:
            hot, limit = _choose(scores.logits, labels, others, risk)
            confidence = _confidence(scores.logits[:, test], hot)
            given[:, test] = answered(confidence.ravel(), limit).reshape(confidence.shape)
    right = np.stack([labels.right(each.argmax(axis=1)) for each in scores.logits])
    shares = _group_shares(right, given, groups)
    return HeadCalibration(
        temperature,
        threshold,
        float(given.mean()),
        _right_share(right, given, groups, seed),
        *shares,
        groups_needed(*shares, risk=risk, delta=delta),
    )


def fit_familiarity(
    embedding: Float[np.ndarray, "n k"],
    sheets: FitSheets,
    scores: NestedScores,
    before: FeatureStatistics | None,
) -> HeadFamiliarity:
    """Add the labelled sheets to the feature space of the bundle; its limit is of sheets left out of that.

    A hundred sheets do not give a covariance of hundreds of features: in a space of their own, woven cloth
    lies nearer than some sheets that were left out of it. So the directions stay those of the bundle's
    training sheets, and the means of the labelled classes are added to those of its training that stay.

    before  the bundle's statistics, with the means that stay (`kept_means`); None = it has none, and the
            space is fitted to the labelled sheets
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


def _choose(
    logits: Float[np.ndarray, "r n c"], labels: SheetLabels, rows: Int[np.ndarray, " m"], risk: float
) -> tuple[float, float]:
    """Temperature, and the loosest threshold at which at most this share of the answers is wrong.

    rows     sheets to choose on
    returns  ANSWER_NOTHING as the threshold where there is none
    """
    repeats, _, classes = logits.shape
    single = rows[labels.single[rows]]
    known = np.tile(labels.labels[single], repeats)
    temperature = fit_temperature(logits[:, single].reshape(-1, classes), known)
    confidence = _confidence(logits[:, rows], temperature).ravel()
    right = np.stack([labels.right(each.argmax(axis=1)) for each in logits])[:, rows].ravel()
    best = ANSWER_NOTHING
    for threshold in THRESHOLDS:
        chosen = answered(confidence, threshold)
        if chosen.sum() >= FEWEST * repeats and (~right[chosen]).mean() <= risk:
            best = min(best, threshold)
    return temperature, best


def _confidence(logits: Float[np.ndarray, "r m c"], temperature: float) -> Float[np.ndarray, "r m"]:
    """Probability of each answer."""
    parts = [softmax(each, temperature=temperature).max(axis=1) for each in logits]
    bounded: Float[np.ndarray, "r m"] = np.minimum(np.stack(parts), 1.0)
    return bounded


def _right_share(
    right: Bool[np.ndarray, "r n"], given: Bool[np.ndarray, "r n"], groups: Sequence[str], seed: int
) -> Interval:
    """Share of the answers that are right, with its interval over groups."""
    counts, hits = given.sum(axis=0), (right & given).sum(axis=0)

    def share(times: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
        total = times @ counts
        found: Float[np.ndarray, " b"] = np.divide(
            times @ hits, total, out=np.full(len(times), np.nan), where=total > 0
        )
        return found

    interval = bootstrap_counts(share, len(groups), list(groups), rng=stream(seed, "adapt-answers"))
    keys = np.array(group_keys(groups))
    return wilson_at(interval, np.unique(keys[counts > 0]).size)


def _group_shares(
    right: Bool[np.ndarray, "r n"], given: Bool[np.ndarray, "r n"], groups: Sequence[str]
) -> tuple[float, float]:
    """Share of the groups with an answer, and of wrong answers with every such group counted equally."""
    number = np.unique(np.array(group_keys(groups)), return_inverse=True)[1]
    count = int(number.max()) + 1
    answers = np.stack([np.bincount(number, weights=each, minlength=count) for each in given])
    errors = np.stack([np.bincount(number, weights=each, minlength=count) for each in given & ~right])
    some = answers > 0
    wrong = float((errors[some] / answers[some]).mean()) if some.any() else math.nan
    return float(some.mean()), wrong
