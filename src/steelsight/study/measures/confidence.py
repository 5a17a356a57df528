"""What the chosen multi-class model's confidence is worth: scores compared, a threshold certified, outsiders.

Temperature, feature space and the combined score come from training and validation sheets. A threshold is
certified on one half of the test groups and held against the other half, which nothing was chosen by. The
score that refuses outsiders is chosen on one draw of them and judged on another. Where the test has other
class shares than DATA, figures are weighted to DATA's; a certificate, which counts sheets alike, is given for
sheets drawn to them.
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
from steelsight.models.checkpoint import load_checkpoint
from steelsight.runs.abstention.confidence import Confidence, ScoreRow, compare_scores, fit_confidence, soften
from steelsight.sheets.outsiders import OUTSIDERS, draw_outsiders
from steelsight.streams import stream
from steelsight.study.results import ModelResult, StudyResults
from steelsight.training.predict import predict_views
from steelsight.types import Labels

__all__ = [
    "CertificateCheck",
    "ConfidenceEvaluation",
    "TemperatureEffect",
    "evaluate_confidence",
]

FAMILIARITY = ("distance", "knn_distance", "energy", "max_probability")  # tried against outsiders
OUTSIDERS_EACH = 60

Columns = Mapping[str, Float[np.ndarray, "_"]]  # tables of other sheets differ in length
Rows = Int[np.ndarray, " r"]


@dataclass(frozen=True)
class TemperatureEffect:
    """Probabilities before and after the temperature."""

    temperature: float
    before: ReliabilityBins
    after: ReliabilityBins
    error: tuple[float, float]  # expected calibration error
    brier: tuple[float, float]
    log_loss: tuple[float, float]


@dataclass(frozen=True)
class CertificateCheck:
    """A certificate from one half of the test groups, and what came true on the other."""

    certificate: Certificate
    answered: int  # sheets of the other half
    wrong: int


@dataclass(frozen=True)
class ConfidenceEvaluation:
    """One model's confidence on its test sheets."""

    result: ModelResult
    confidence: Confidence
    columns: Columns  # every score of the test sheets
    right: Bool[np.ndarray, " n"]
    scores: tuple[ScoreRow, ...]
    weighted_scores: tuple[ScoreRow, ...]  # at the shares of DATA, where the test has others; else empty
    sweep: tuple[SweepRow, ...]
    calibration: TemperatureEffect
    proofs: tuple[CertificateCheck, ...]
    refusals: Mapping[
        str, OutlierRejection
    ]  # by score, all kinds together, on the draw that chooses among them
    best_familiarity: str
    kinds: Mapping[str, OutlierRejection]  # each kind of outsider by that score, on another draw
    operating: OperatingPoint | None  # None without both defective and good sheets to choose it by


def evaluate_confidence(found: StudyResults, result: ModelResult) -> ConfidenceEvaluation:
    """Ask the model everything once; see the module's head."""
    options, split = found.options, found.split
    model, _ = load_checkpoint(result.folder)
    labels = np.asarray(found.data.labelled.labels)
    told = {
        part: predict_views(model, np.asarray(found.data.images[getattr(split, part)]))
        for part in ("train", "validation", "test")
    }
    truth = {part: labels[getattr(split, part)] for part in told}
    confidence = fit_confidence(told["train"], truth["train"], told["validation"], truth["validation"])
    columns, known = confidence.columns(told["test"]), confidence.columns(told["validation"])
    answers = told["test"].logits.argmax(1)
    right = answers == truth["test"]
    rng = stream(options.seed, "study-confidence")
    few = min(options.resamples, 200)  # each resample sorts every score
    compared = tuple(compare_scores(columns, right, rng=rng, groups=found.groups, resamples=few))
    weighted: tuple[ScoreRow, ...] = ()
    if found.weights is not None:
        weighted = tuple(
            compare_scores(columns, right, rng=rng, groups=found.groups, resamples=few, weights=found.weights)
        )
    size = (found.data.input.height, found.data.input.width)
    choosing, judging = (
        {
            kind: confidence.columns(predict_views(model, draw_outsiders(kind, OUTSIDERS_EACH, *size, rng)))
            for kind in OUTSIDERS
        }
        for _ in range(2)
    )
    refusals = {
        name: _refuse(name, columns, known, _together(choosing, name), rng, few) for name in FAMILIARITY
    }
    best = min(refusals, key=lambda name: refusals[name].false_accept.estimate)
    weights = found.weights
    return ConfidenceEvaluation(
        result=result,
        confidence=confidence,
        columns=columns,
        right=right,
        scores=compared,
        weighted_scores=weighted,
        sweep=tuple(
            sweep_thresholds(
                truth["test"],
                answers,
                columns["max_probability"],
                THRESHOLDS,
                classes=len(found.data.labelled.class_names),
                weights=weights,
                resampling=Resampling(rng, found.groups, few),
            )
        ),
        calibration=_calibration(told["test"].logits, truth["test"], confidence.temperature, weights),
        proofs=_prove(columns["max_probability"], right, truth["test"], found, rng),
        refusals=refusals,
        best_familiarity=best,
        kinds={
            kind: _refuse(best, columns, known, scores[best], rng, few) for kind, scores in judging.items()
        },
        operating=_operating(
            soften(told["validation"].logits, confidence.temperature)[:, 0],
            truth["validation"],
            soften(told["test"].logits, confidence.temperature)[:, 0],
            truth["test"],
            found,
            rng,
        ),
    )


def _refuse(
    name: str,
    inside: Columns,
    known: Columns,
    outside: Float[np.ndarray, _],
    rng: np.random.Generator,
    resamples: int,
) -> OutlierRejection:
    """One score against some outsiders, its threshold from validation sheets where there are any."""
    calibration = known[name] if known[name].size else None
    return evaluate_rejection(inside[name], outside, rng=rng, calibration=calibration, resamples=resamples)


def _together(strangers: Mapping[str, Columns], name: str) -> Float[np.ndarray, _]:
    return np.concatenate([scores[name] for scores in strangers.values()])


def _calibration(
    logits: Float[np.ndarray, "n c"],
    labels: Labels,
    temperature: float,
    weights: Float[np.ndarray, " n"] | None,
) -> TemperatureEffect:
    plain, soft = soften(logits, 1.0), soften(logits, temperature)
    right = plain.argmax(1) == labels
    pair = (plain, soft)
    tops = tuple(np.minimum(each.max(1), 1.0) for each in pair)
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


def _prove(
    score: Float[np.ndarray, " n"],
    right: Bool[np.ndarray, " n"],
    labels: Labels,
    found: StudyResults,
    rng: np.random.Generator,
) -> tuple[CertificateCheck, ...]:
    """One proof a risk: half of the groups certify, the others hold the certificate to its word."""
    group = group_index(found.groups, right.size)
    if found.weights is not None:
        counts = np.bincount(labels, weights=found.weights, minlength=len(found.data.labelled.class_names))
        kept = draw_to_shares(labels, (counts / counts.sum()).tolist(), rng)
        score, right, group = score[kept], right[kept], group_index(group[kept], kept.size)
    chosen = rng.random(int(group.max()) + 1) < 0.5
    here, there = np.flatnonzero(chosen[group]), np.flatnonzero(~chosen[group])
    if not here.size or not there.size:
        return ()
    names = [str(number) for number in group[here].tolist()]
    proofs = []
    for risk in RISKS:
        certificate = certify(
            right[here], score[here], THRESHOLDS, risk=risk, delta=DELTA, rng=rng, groups=names
        )
        limit = ANSWER_NOTHING if certificate.threshold is None else certificate.threshold
        told = answered(score[there], limit)
        proofs.append(CertificateCheck(certificate, int(told.sum()), int((told & ~right[there]).sum())))
    return tuple(proofs)


def _operating(
    none_before: Float[np.ndarray, " v"],
    labels_before: Int[np.ndarray, " v"],
    none: Float[np.ndarray, " n"],
    labels: Int[np.ndarray, " n"],
    found: StudyResults,
    rng: np.random.Generator,
) -> OperatingPoint | None:
    """Escape and overkill on test sheets at the threshold validation sheets chose."""
    for known in (labels_before, labels):
        if not (known > 0).any() or (known > 0).all():
            return None
    threshold = threshold_for_escape(labels_before > 0, 1 - none_before, ESCAPE)
    prevalence = float((np.asarray(found.data.labelled.labels)[found.split.train] > 0).mean())
    return operating_point(
        labels > 0,
        1 - none,
        threshold,
        rng=rng,
        prevalence=prevalence,
        groups=found.groups,
        weights=found.weights,
        resamples=min(found.options.resamples, 1000),
    )
