"""Chapters on abstention ("I don't know") and robustness of the multi-class models."""

from __future__ import annotations

import numpy as np

from steelsight.evaluation.abstention.guarantee import DELTA
from steelsight.evaluation.abstention.selective import risk_coverage
from steelsight.evaluation.abstention.threshold_sweep import describe_classes
from steelsight.evaluation.robustness.noise import STUDY_SIGMA
from steelsight.reports.cells import Cell
from steelsight.reports.document import Document
from steelsight.reports.figures import (
    draw_reliability,
    draw_risk_coverage,
    draw_sweep,
    draw_threshold_sweep,
)
from steelsight.runs.abstention.confidence import SCORE_TITLES, SOFTMAX
from steelsight.runs.abstention.score_table import add_score_table, describe_areas
from steelsight.runs.robustness import DISTURBANCES
from steelsight.study.chapters.binary import Omitted
from steelsight.study.measures.confidence import OUTSIDERS_EACH, ConfidenceEvaluation
from steelsight.study.measures.robustness import Robustness, Series

__all__ = ["write_abstention", "write_robustness"]

DRAWN = (SOFTMAX, "energy", "agreement", "trust")  # more lines would overlap
NO_MULTICLASS_MODEL = "no multi-class model was trained"


def write_abstention(document: Document, evaluation: ConfidenceEvaluation | None) -> Omitted:
    """The study's threshold sweep, other scores, calibration, certified thresholds, and outsiders."""
    document.chapter('"I don\'t know"', id="abstention-chapter", status="done")
    if evaluation is None:
        document.text(f"{NO_MULTICLASS_MODEL.capitalize()}.")
        return {"abstention": NO_MULTICLASS_MODEL}
    title = evaluation.result.title
    shares = ", weighted to the shares of the training data" if evaluation.weighted_scores else ""
    document.text(
        f"{title} gives a verdict only where its confidence reaches a threshold; all other sheets go to a "
        f"person. Measured on {evaluation.right.size:,} clean test sheets{shares}."
    )
    document.figure(
        draw_threshold_sweep(evaluation.sweep, title=title),
        id="abstention",
        alt="Accuracy, balanced accuracy and share classified by threshold. "
        + "; ".join(
            f"at {row.threshold:.2f}: {row.accuracy:.3f} of {row.coverage:.0%}"
            for row in evaluation.sweep
            if row.threshold in (0.0, 0.5, 0.99)
        ),
        caption="The study's sweep of the threshold on the largest probability, after temperature scaling. "
        + describe_classes(evaluation.sweep),
    )
    _write_scores(document, evaluation)
    _write_calibration(document, evaluation)
    _write_certificates(document, evaluation)
    _write_operating(document, evaluation)
    _write_refusals(document, evaluation)
    return {}


def write_robustness(document: Document, robustness: Robustness | None) -> Omitted:
    """Noise for every model, and camera corruptions for the chosen one."""
    document.chapter("Noise and the camera", id="robustness", status="done")
    if robustness is None:
        document.text(f"{NO_MULTICLASS_MODEL.capitalize()}.")
        return {}
    document.text(
        f"Accuracy and balanced accuracy on {robustness.sheets} test sheets drawn at random. The study's "
        "noise is added in normalised units, independently for the three channels, without clipping; "
        "camera noise is added in gray levels, one value per pixel, then rounded and clipped as in a "
        "camera."
    )
    for kind, series in robustness.by_model.items():
        _draw_disturbance(document, kind, series, marked=STUDY_SIGMA)
    document.text(
        f"Further corruptions of a line camera, for {robustness.chosen} only. Each corruption has its own "
        "unit, so the slopes of different corruptions cannot be compared."
    )
    for kind, points in robustness.corruptions.items():
        if kind not in robustness.by_model:
            _draw_disturbance(document, kind, {robustness.chosen: points})
    rows = [
        [
            *DISTURBANCES[kind],
            *(
                f"{point.level:g}: {point.balanced_accuracy:.2f}"
                for point in (points[0], points[len(points) // 2], points[-1])
            ),
        ]
        for kind, points in robustness.corruptions.items()
    ]
    document.table(
        ["what the camera does", "unit", "none", "middle", "worst"],
        rows,
        id="robustness-table",
        caption=f"Balanced accuracy of {robustness.chosen} by level",
    )
    return {}


def _draw_disturbance(document: Document, kind: str, series: Series, *, marked: float | None = None) -> None:
    """One figure: one curve per model over the strength of one disturbance."""
    title, unit = DISTURBANCES[kind]
    document.figure(
        draw_sweep(series, title=title, unit=unit, marked=marked),
        id=f"robustness-{kind.replace('_', '-')}",
        alt=f"{title}, balanced accuracy by level: "
        + "; ".join(
            f"{name} {points[0].balanced_accuracy:.2f} → {points[-1].balanced_accuracy:.2f}"
            for name, points in series.items()
        ),
    )


def _write_scores(document: Document, evaluation: ConfidenceEvaluation) -> None:
    curves = {}
    for name in DRAWN:
        if name in evaluation.columns:
            curve = risk_coverage(evaluation.right, evaluation.columns[name])
            curves[SCORE_TITLES[name]] = (curve.coverage, curve.risk)
    best = risk_coverage(evaluation.right, evaluation.right.astype(np.float64))
    steps = np.linspace(0, 1, 101)[1:]
    accuracy = best.coverage[0] if evaluation.right.any() else 0.0
    perfect = (steps, np.where(steps <= accuracy, 0.0, 1 - accuracy / steps))
    document.figure(
        draw_risk_coverage(curves, perfect=perfect),
        id="risk-coverage",
        alt=describe_areas(evaluation.scores),
    )
    add_score_table(document, evaluation.scores, id="scores", which="the clean test sheets")
    if evaluation.weighted_scores:
        which = "weighted to the shares of the training data"
        add_score_table(document, evaluation.weighted_scores, id="scores-weighted", which=which)


def _write_calibration(document: Document, evaluation: ConfidenceEvaluation) -> None:
    effect = evaluation.calibration
    document.figure(
        draw_reliability(effect.before, effect.after, errors=effect.error),
        id="reliability",
        alt=f"Reliability before and after temperature scaling; calibration error {effect.error[0]:.3f} and "
        f"{effect.error[1]:.3f}.",
        caption=f"Temperature {effect.temperature:.2f}, fitted on validation sheets. Brier score "
        f"{effect.brier[0]:.3f} → {effect.brier[1]:.3f}, log loss {effect.log_loss[0]:.3f} → "
        f"{effect.log_loss[1]:.3f}.",
    )


def _write_certificates(document: Document, evaluation: ConfidenceEvaluation) -> None:
    if not evaluation.certificates:
        document.text("No threshold was certified: all test sheets belong to one group.")
        return
    document.table(
        ["risk allowed", "what can be promised", "wrong on the other half"],
        [
            [
                f"{check.certificate.risk:.0%}",
                Cell(check.certificate.statement),
                f"{check.wrong} of {check.answered}" if check.answered else None,
            ]
            for check in evaluation.certificates
        ],
        id="certificates",
        caption="Thresholds with a guarantee",
        note=(
            "One half of test sheets drawn to the shares of the training data"
            if evaluation.weighted_scores
            else "One half of the test groups"
        )
        + f" certifies a threshold (exact binomial bounds at {1 - DELTA:.0%}; thresholds are fixed "
        "beforehand and tested from the strictest); the other half checks it.",
    )


def _write_operating(document: Document, evaluation: ConfidenceEvaluation) -> None:
    point = evaluation.operating
    if point is None:
        return
    document.facts(
        {
            "stopped from a probability of defect of": point.threshold,
            "defects that escape": point.escape,
            "good sheets stopped": point.overkill,
            f"escaped per 1,000 sheets at {point.prevalence:.0%} defective": point.escaped_per_1000,
            "stopped per 1,000": point.stopped_per_1000,
            "of these, good ones": point.overkilled_per_1000,
        }
    )


def _write_refusals(document: Document, evaluation: ConfidenceEvaluation) -> None:
    document.table(
        ["familiarity", "AUROC", "outsiders accepted"],
        [
            [SCORE_TITLES[name], rejection.auroc, rejection.false_accept]
            for name, rejection in evaluation.refusals.items()
        ],
        id="outsiders",
        caption="Rejection of pictures that show no sheet, all kinds together",
        note=f"{OUTSIDERS_EACH} pictures of each kind; thresholds accept 95 % of validation sheets. The "
        "score that accepts fewest outsiders is tested on another draw in the next table.",
    )
    document.table(
        ["kind", "AUROC", "accepted"],
        [[kind, rejection.auroc, rejection.false_accept] for kind, rejection in evaluation.kinds.items()],
        id="outsiders-by-kind",
        caption=f"Rejection by kind with {SCORE_TITLES[evaluation.best_familiarity]}, {OUTSIDERS_EACH} "
        "new pictures of each",
    )
