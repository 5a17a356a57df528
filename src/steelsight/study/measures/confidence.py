"""Confidence of the chosen multi-class model: scores compared, a threshold certified, outsiders refused.

Temperature, feature space and the combined score come from training and validation sheets. A threshold is
certified on one half of the test groups and checked on the other half, which no choice depends on. The score
that refuses outsiders is chosen on one draw of them and tested on another. Where the test sheets have other
class shares than DATA, figures are weighted to DATA's shares; a certificate, which counts sheets alike, is
given for sheets drawn to these shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.evaluation.abstention.calibration import (
    ReliabilityBins,
    brier,
    expected_calibration_error,
    log_loss,
    reliability,
)
from steelsight.evaluation.abstention.guarantee import DELTA, RISKS, THRESHOLDS, Certificate, certify
from steelsight.evaluation.abstention.outsiders import OutlierRejection, evaluate_rejection
from steelsight.evaluation.abstention.shares import draw_to_shares
from steelsight.evaluation.abstention.threshold_sweep import SweepRow, sweep_thresholds
from steelsight.evaluation.abstention.thresholds import ANSWER_NOTHING, answered
from steelsight.evaluation.curves.operating import (
    ESCAPE,
    OperatingPoint,
    operating_point,
    threshold_for_escape,
)
from steelsight.evaluation.intervals.bootstrap import Resampling, group_index
from steelsight.models.catalog import SheetClassifier
from steelsight.models.checkpoint import load_checkpoint
from steelsight.runs.abstention.confidence import Confidence, ScoreRow, compare_scores, fit_confidence, soften
from steelsight.sheets.outlier_sheets import OUTLIER_SHEETS, draw_outlier_sheets
from steelsight.streams import stream
from steelsight.study.results import ModelResult, StudyResults
from steelsight.training.predict import ModelOutputs, predict_views
from steelsight.types import Labels

__all__ = [
    "CertificateCheck",
    "ConfidenceEvaluation",
    "TemperatureEffect",
    "evaluate_confidence",
]

FAMILIARITY = ("distance", "knn_distance", "energy", "max_probability")  # scores tried on outsiders
OUTSIDERS_EACH = 60  # pictures of each kind that show no sheet

Columns = Mapping[str, Float[np.ndarray, "_"]]  # tables of other sheets differ in length
ClassesByPart = Mapping[str, Int[np.ndarray, "_"]]  # parts of the split differ in length


@dataclass(frozen=True)
class TemperatureEffect:
    """Calibration before and after temperature scaling."""

    temperature: float
    before: ReliabilityBins
    after: ReliabilityBins
    error: tuple[float, float]  # expected calibration error
    brier: tuple[float, float]
    log_loss: tuple[float, float]


@dataclass(frozen=True)
class CertificateCheck:
    """A certificate from one half of the test groups, and errors on the other half."""

    certificate: Certificate
    answered: int  # sheets of the other half at or above the threshold
    wrong: int  # of these, classified wrongly


@dataclass(frozen=True)
class ConfidenceEvaluation:
    """Confidence of one model on its test sheets."""

    result: ModelResult
    columns: Columns  # every score of the test sheets
    right: Bool[np.ndarray, " n"]  # which test sheets are classified correctly
    scores: tuple[ScoreRow, ...]
    weighted_scores: tuple[ScoreRow, ...]  # at the class shares of DATA; empty where the test has the same
    sweep: tuple[SweepRow, ...]
    calibration: TemperatureEffect
    certificates: tuple[CertificateCheck, ...]  # one per risk; empty where the test has one group
    refusals: Mapping[str, OutlierRejection]  # by score, on the draw that chooses among scores
    best_familiarity: str
    kinds: Mapping[str, OutlierRejection]  # by kind of outsider, with that score, on another draw
    operating: OperatingPoint | None  # None without defective and defect-free sheets to choose it by


def evaluate_confidence(study: StudyResults, result: ModelResult) -> ConfidenceEvaluation:
    """Evaluate one model's confidence on its test sheets, by the protocol at the head of this module."""
    model, _ = load_checkpoint(result.folder)
    fitted = _fit(study, model)
    columns, right, truth = fitted.columns, fitted.right, fitted.truth["test"]
    temperature, weights, groups = fitted.confidence.temperature, study.weights, study.groups
    # One generator serves all steps, so their order is part of the result.
    rng = stream(study.options.seed, "study-confidence")
    few = min(study.options.resamples, 200)  # each resample sorts every score
    scores = tuple(compare_scores(columns, right, rng=rng, groups=groups, resamples=few))
    weighted: tuple[ScoreRow, ...] = ()
    if weights is not None:
        weighted = tuple(
            compare_scores(columns, right, rng=rng, groups=groups, resamples=few, weights=weights)
        )
    choosing, testing = (_score_outsiders(study, model, fitted.confidence, rng) for _ in range(2))
    refusals = {name: _refuse(name, fitted, _together(choosing, name), rng, few) for name in FAMILIARITY}
    best = min(refusals, key=lambda name: refusals[name].false_accept.estimate)
    return ConfidenceEvaluation(
        result=result,
        columns=columns,
        right=right,
        scores=scores,
        weighted_scores=weighted,
        sweep=_sweep(study, fitted, rng, few),
        calibration=_calibration(fitted.outputs["test"].logits, truth, temperature, weights),
        certificates=_check_certificates(columns["max_probability"], right, truth, study, rng),
        refusals=refusals,
        best_familiarity=best,
        kinds={kind: _refuse(best, fitted, table[best], rng, few) for kind, table in testing.items()},
        operating=_operating(study, fitted, rng),
    )


@dataclass(frozen=True)
class _Fitted:
    """Model outputs by part of the split, true classes, and the scores fitted on them."""

    outputs: Mapping[str, ModelOutputs]
    truth: ClassesByPart
    confidence: Confidence
    columns: Columns  # scores of the test sheets
    known: Columns  # scores of the validation sheets
    right: Bool[np.ndarray, " n"]  # which test sheets are classified correctly


def _fit(study: StudyResults, model: SheetClassifier) -> _Fitted:
    labels = np.asarray(study.data.labelled.labels)
    parts = {part: getattr(study.split, part) for part in ("train", "validation", "test")}
    outputs = {
        part: predict_views(model, np.asarray(study.data.images[rows])) for part, rows in parts.items()
    }
    truth = {part: labels[rows] for part, rows in parts.items()}
    confidence = fit_confidence(outputs["train"], truth["train"], outputs["validation"], truth["validation"])
    return _Fitted(
        outputs,
        truth,
        confidence,
        confidence.columns(outputs["test"]),
        confidence.columns(outputs["validation"]),
        outputs["test"].logits.argmax(1) == truth["test"],
    )


def _score_outsiders(
    study: StudyResults, model: SheetClassifier, confidence: Confidence, rng: np.random.Generator
) -> dict[str, Columns]:
    """Scores of one draw of each kind of picture that shows no sheet."""
    size = (study.data.input.height, study.data.input.width)
    return {
        kind: confidence.columns(predict_views(model, draw_outlier_sheets(kind, OUTSIDERS_EACH, *size, rng)))
        for kind in OUTLIER_SHEETS
    }


def _sweep(
    study: StudyResults, fitted: _Fitted, rng: np.random.Generator, resamples: int
) -> tuple[SweepRow, ...]:
    return tuple(
        sweep_thresholds(
            fitted.truth["test"],
            fitted.outputs["test"].logits.argmax(1),
            fitted.columns["max_probability"],
            THRESHOLDS,
            classes=len(study.data.labelled.class_names),
            weights=study.weights,
            resampling=Resampling(rng, study.groups, resamples),
        )
    )


def _refuse(
    name: str,
    fitted: _Fitted,
    outside: Float[np.ndarray, " m"],
    rng: np.random.Generator,
    resamples: int,
) -> OutlierRejection:
    """One score on some outsiders, its threshold from validation sheets where there are any."""
    calibration = fitted.known[name] if fitted.known[name].size else None
    return evaluate_rejection(
        fitted.columns[name], outside, rng=rng, calibration=calibration, resamples=resamples
    )


def _together(outsiders: Mapping[str, Columns], name: str) -> Float[np.ndarray, " m"]:
    return np.concatenate([scores[name] for scores in outsiders.values()])


def _calibration(
    logits: Float[np.ndarray, "n c"],
    labels: Labels,
    temperature: float,
    weights: Float[np.ndarray, " n"] | None,
) -> TemperatureEffect:
    plain, soft = soften(logits, 1.0), soften(logits, temperature)
    right = plain.argmax(1) == labels
    pair = (plain, soft)
    tops = tuple(np.minimum(probabilities.max(1), 1.0) for probabilities in pair)
    return TemperatureEffect(
        temperature,
        reliability(tops[0], right, weights=weights),
        reliability(tops[1], right, weights=weights),
        (
            expected_calibration_error(tops[0], right, weights=weights),
            expected_calibration_error(tops[1], right, weights=weights),
        ),
        (brier(plain, labels, weights=weights), brier(soft, labels, weights=weights)),
        (log_loss(plain, labels, weights=weights), log_loss(soft, labels, weights=weights)),
    )


def _check_certificates(
    score: Float[np.ndarray, " n"],
    right: Bool[np.ndarray, " n"],
    labels: Labels,
    study: StudyResults,
    rng: np.random.Generator,
) -> tuple[CertificateCheck, ...]:
    """For each risk: certify a threshold on half of the groups, and count errors on the other half."""
    group = group_index(study.groups, right.size)
    if study.weights is not None:
        counts = np.bincount(labels, weights=study.weights, minlength=len(study.data.labelled.class_names))
        kept = draw_to_shares(labels, (counts / counts.sum()).tolist(), rng)
        score, right, group = score[kept], right[kept], group_index(group[kept], kept.size)
    chosen = rng.random(int(group.max()) + 1) < 0.5
    certifying, checking = np.flatnonzero(chosen[group]), np.flatnonzero(~chosen[group])
    if not certifying.size or not checking.size:
        return ()
    names = [str(number) for number in group[certifying].tolist()]
    checks = []
    for risk in RISKS:
        certificate = certify(
            right[certifying], score[certifying], THRESHOLDS, risk=risk, delta=DELTA, rng=rng, groups=names
        )
        limit = ANSWER_NOTHING if certificate.threshold is None else certificate.threshold
        kept = answered(score[checking], limit)
        wrong = kept & ~right[checking]
        checks.append(CertificateCheck(certificate, int(kept.sum()), int(wrong.sum())))
    return tuple(checks)


def _operating(study: StudyResults, fitted: _Fitted, rng: np.random.Generator) -> OperatingPoint | None:
    """Escape and overkill on test sheets, at the threshold chosen on validation sheets."""
    defective = {part: fitted.truth[part] > 0 for part in ("validation", "test")}
    if any(not known.any() or known.all() for known in defective.values()):
        return None
    scores = {
        part: 1 - soften(fitted.outputs[part].logits, fitted.confidence.temperature)[:, 0]
        for part in defective
    }
    threshold = threshold_for_escape(defective["validation"], scores["validation"], ESCAPE)
    prevalence = float((np.asarray(study.data.labelled.labels)[study.split.train] > 0).mean())
    return operating_point(
        defective["test"],
        scores["test"],
        threshold,
        rng=rng,
        prevalence=prevalence,
        groups=study.groups,
        weights=study.weights,
        resamples=min(study.options.resamples, 1000),
    )
