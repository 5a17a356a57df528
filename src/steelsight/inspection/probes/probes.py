"""How well a linear model separates the classes from one description of the sheets.

The probe is a logistic regression on standardised features, fitted on some sheets and tested on others. Its
penalty is chosen by cross-validation over groups, on the fitting sheets alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int
from sklearn.linear_model import LogisticRegression

from steelsight.inspection.probes.selection import Folds
from steelsight.types import Labels

__all__ = ["PENALTIES", "Probe", "ProbeFeatures", "choose_penalty", "fit_at", "fit_probe", "prepare"]

# Minimised is the mean loss + penalty * d / 2 |w|² with d features: fair to descriptions of any length.
PENALTIES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
STEPS, FLAT_GRADIENT = 400, 1e-3  # of L-BFGS
RISEN = 1.05  # weaker penalties are not tried once the held-out loss exceeds this multiple of the least
CONSTANT = 1e-5  # a feature whose deviation is below this share of its size carries nothing but rounding
RANK = 1e-5  # principal axes shorter than this share of the longest are rounding, too
LEAST_CHANCE = 1e-6  # lower bound of a probability: one confident error must not decide


@dataclass(frozen=True)
class ProbeFeatures:
    """Standardised features in the principal axes of the fitting sheets.

    A penalty on |w|² does not change under rotation, and directions outside these axes are constant on the
    fitting sheets; so with more features than sheets this is the same regression on fewer numbers.
    """

    fit: Float32[np.ndarray, "n r"]
    judge: Float32[np.ndarray, "m r"]
    features: int  # that vary; what a penalty is scaled by


@dataclass(frozen=True)
class Probe:
    """A fitted probe and its predictions."""

    penalty: float  # the chosen one of PENALTIES
    fit_accuracy: float  # on the sheets it was fitted on
    answers: Int[np.ndarray, " m"]  # predicted class of each judging sheet
    converged: bool


def prepare(fit: Float32[np.ndarray, "n d"], judge: Float32[np.ndarray, "m d"]) -> ProbeFeatures:
    """Standardise by the fitting sheets, drop constants, rotate where features outnumber sheets."""
    mean = fit.mean(0, dtype=np.float64)
    deviation = fit.std(0, dtype=np.float64)
    varies = deviation > CONSTANT * np.sqrt(mean**2 + deviation**2)
    varies &= deviation > np.finfo(np.float32).tiny
    if not varies.any():
        return ProbeFeatures(np.zeros((len(fit), 1), np.float32), np.zeros((len(judge), 1), np.float32), 1)
    scaled = [
        ((part[:, varies] - mean[varies]) / deviation[varies]).astype(np.float32) for part in (fit, judge)
    ]
    features = int(varies.sum())
    if features > len(fit):
        scaled = _rotate(*scaled)
    return ProbeFeatures(scaled[0], scaled[1], features)


def fit_probe(prepared: ProbeFeatures, labels: Labels, folds: Folds) -> Probe:
    """Choose the penalty by cross-validation, fit on all fitting sheets, predict the judging sheets."""
    return fit_at(prepared, labels, choose_penalty(prepared, labels, folds))


def fit_at(prepared: ProbeFeatures, labels: Labels, penalty: float) -> Probe:
    """The probe at a given penalty.

    labels  (n,) class index of the fitting sheets, of two classes at least
    """
    model = _regression(prepared, penalty, len(labels)).fit(prepared.fit, labels)
    right = float((model.predict(prepared.fit) == labels).mean())
    answers = model.predict(prepared.judge).astype(np.int64)
    return Probe(penalty, right, answers, bool((model.n_iter_ < STEPS).all()))


def choose_penalty(prepared: ProbeFeatures, labels: Labels, folds: Folds) -> float:
    """The penalty with the least cross-entropy on held-out groups; the strongest of equals."""
    usable = [
        fold for fold in folds if np.unique(labels[fold[0]]).size > 1
    ]  # a single class cannot be fitted
    models = [_regression(prepared, PENALTIES[0], fitted.size) for fitted, _ in usable]
    losses: list[float] = []
    for penalty in PENALTIES:  # from strong to weak, each fit starting from the one before
        loss = 0.0
        for model, (fitted, held) in zip(models, usable, strict=True):
            model.C = _inverse(prepared, penalty, fitted.size)
            model.fit(prepared.fit[fitted], labels[fitted])
            loss += _loss(model.predict_proba(prepared.fit[held]), model.classes_, labels[held])
        losses.append(loss)
        if loss > RISEN * min(losses):
            break
    return PENALTIES[int(np.argmin(losses))]


def _loss(
    probabilities: Float[np.ndarray, "h c"], classes: Int[np.ndarray, " k"], truths: Int[np.ndarray, " h"]
) -> float:
    """Cross-entropy; a class absent from the fit has probability 0."""
    column = {kind: number for number, kind in enumerate(classes.tolist())}
    likelihoods = [
        probabilities[row, column[kind]] if kind in column else 0.0
        for row, kind in enumerate(truths.tolist())
    ]
    return float(-np.log(np.maximum(likelihoods, LEAST_CHANCE)).sum())


def _regression(prepared: ProbeFeatures, penalty: float, count: int) -> LogisticRegression:
    return LogisticRegression(
        C=_inverse(prepared, penalty, count), tol=FLAT_GRADIENT, max_iter=STEPS, warm_start=True
    )


def _inverse(prepared: ProbeFeatures, penalty: float, count: int) -> float:
    """scikit-learn's C: it sums the loss over sheets where ours takes the mean."""
    return 1 / (penalty * prepared.features * count)


def _rotate(
    fit: Float32[np.ndarray, "n d"], judge: Float32[np.ndarray, "m d"]
) -> list[Float32[np.ndarray, "_ r"]]:
    """Both in the principal axes of the first."""
    values, vectors = np.linalg.eigh((fit @ fit.T).astype(np.float64))
    kept = values > RANK**2 * values[-1]
    lengths = np.sqrt(values[kept])
    axes = (fit.T @ (vectors[:, kept] / lengths).astype(np.float32)).astype(np.float32)  # (d, r)
    return [(vectors[:, kept] * lengths).astype(np.float32), (judge @ axes).astype(np.float32)]
