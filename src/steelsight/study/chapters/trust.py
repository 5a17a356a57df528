"""When the multi-class model should say "I don't know", and what noise and the camera do to it."""

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

DRAWN = (SOFTMAX, "energy", "agreement", "trust")  # more lines would hide one another
NO_MODEL = "no multi-class model was trained"


def write_abstention(document: Document, looked: ConfidenceEvaluation | None) -> Omitted:
    """The study's sweep, better scores, honest probabilities, a guarantee, and what is no sheet at all."""
    document.chapter('"I don\'t know"', id="abstention-chapter", status="done")
    if looked is None:
        document.text(f"{NO_MODEL.capitalize()}.")
        return {"abstention": NO_MODEL}
    title = looked.result.title
    shares = ", weighted to the shares of the training data" if looked.weighted_scores else ""
    document.text(
        f"{title} answers only where its confidence reaches a threshold; the rest goes to a person. "
        f"{looked.right.size:,} clean test sheets{shares}."
    )
    document.figure(
        draw_threshold_sweep(looked.sweep, title=title),
        id="abstention",
        alt="Accuracy, balanced accuracy and share classified by threshold. "
        + "; ".join(
            f"at {row.threshold:.2f}: {row.accuracy:.3f} of {row.coverage:.0%}"
            for row in looked.sweep
            if row.threshold in (0.0, 0.5, 0.99)
        ),
        caption="The study's sweep: the threshold on the largest probability, after temperature scaling. "
        + describe_classes(looked.sweep),
    )
    _write_scores(document, looked)
    _write_calibration(document, looked)
    _write_proofs(document, looked)
    _write_operating(document, looked)
    _write_refusals(document, looked)
    return {}


def write_robustness(document: Document, swept: Robustness | None) -> Omitted:
    """A curve a model under the study's noise, and one model under what a line camera does."""
    document.chapter("Noise and the camera", id="robustness", status="done")
    if swept is None:
        document.text(f"{NO_MODEL.capitalize()}.")
        return {}
    document.text(
        f"Balanced accuracy on {swept.sheets} test sheets drawn at random. The study's noise is added in "
        "normalised units, independently in the three channels, after which nothing is clipped; the camera's "
        "is added in gray levels, one value a pixel, then rounded and clipped as a camera does."
    )
    for kind, series in swept.by_model.items():
        _draw_disturbance(document, kind, series, marked=STUDY_SIGMA)
    document.text(
        f"What else a line camera does, to {swept.chosen} alone. Each corruption has a unit of its own, so "
        "steepness cannot be compared between them."
    )
    for kind, points in swept.corruptions.items():
        if kind not in swept.by_model:
            _draw_disturbance(document, kind, {swept.chosen: points})
    rows = [
        [
            *DISTURBANCES[kind],
            *(
                f"{point.level:g}: {point.balanced_accuracy:.2f}"
                for point in (points[0], points[len(points) // 2], points[-1])
            ),
        ]
        for kind, points in swept.corruptions.items()
    ]
    document.table(
        ["what the camera does", "unit", "none", "middle", "worst"],
        rows,
        id="robustness-table",
        caption=f"Balanced accuracy of {swept.chosen} by level",
    )
    return {}


def _draw_disturbance(document: Document, kind: str, series: Series, *, marked: float | None = None) -> None:
    """One figure: a curve a model over the strength of one disturbance."""
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


def _write_scores(document: Document, looked: ConfidenceEvaluation) -> None:
    curves = {}
    for name in DRAWN:
        if name in looked.columns:
            curve = risk_coverage(looked.right, looked.columns[name])
            curves[SCORE_TITLES[name]] = (curve.coverage, curve.risk)
    best = risk_coverage(looked.right, looked.right.astype(np.float64))
    steps = np.linspace(0, 1, 101)[1:]
    sure = best.coverage[0] if looked.right.any() else 0.0
    perfect = (steps, np.where(steps <= sure, 0.0, 1 - sure / steps))
    document.figure(
        draw_risk_coverage(curves, perfect=perfect),
        id="risk-coverage",
        alt=describe_areas(looked.scores),
    )
    add_score_table(document, looked.scores, id="scores", which="the test sheets as they are")
    if looked.weighted_scores:
        which = "weighted to the shares of the training data"
        add_score_table(document, looked.weighted_scores, id="scores-weighted", which=which)


def _write_calibration(document: Document, looked: ConfidenceEvaluation) -> None:
    found = looked.calibration
    document.figure(
        draw_reliability(found.before, found.after, errors=found.error),
        id="reliability",
        alt=f"Reliability before and after temperature scaling; calibration error {found.error[0]:.3f} and "
        f"{found.error[1]:.3f}.",
        caption=f"Temperature {found.temperature:.2f}, fitted on validation sheets. Brier score "
        f"{found.brier[0]:.3f} → {found.brier[1]:.3f}, log loss {found.log_loss[0]:.3f} → "
        f"{found.log_loss[1]:.3f}.",
    )


def _write_proofs(document: Document, looked: ConfidenceEvaluation) -> None:
    if not looked.proofs:
        document.text("No threshold was certified: the test sheets are of one group.")
        return
    document.table(
        ["risk allowed", "what can be promised", "wrong on the other half"],
        [
            [
                f"{proof.certificate.risk:.0%}",
                Cell(proof.certificate.statement),
                f"{proof.wrong} of {proof.answered}" if proof.answered else None,
            ]
            for proof in looked.proofs
        ],
        id="certificates",
        caption="Thresholds with a guarantee",
        note=(
            "Of test sheets drawn to the shares of the training data, one half"
            if looked.weighted_scores
            else "One half of the test groups"
        )
        + f" certifies, exact binomial bounds at {1 - DELTA:.0%}, thresholds "
        "fixed beforehand and tested from the strictest; the other half shows what came true.",
    )


def _write_operating(document: Document, looked: ConfidenceEvaluation) -> None:
    point = looked.operating
    if point is None:
        return
    document.facts(
        {
            "stopped from a probability of defect of": point.threshold,
            "defects that escape": point.escape,
            "good sheets stopped": point.overkill,
            f"escaped per 1,000 sheets at {point.prevalence:.0%} defective": point.escaped_per_1000,
            "stopped per 1,000": point.stopped_per_1000,
        }
    )


def _write_refusals(document: Document, looked: ConfidenceEvaluation) -> None:
    document.table(
        ["familiarity", "AUROC", "outsiders accepted"],
        [
            [SCORE_TITLES[name], refusal.auroc, refusal.false_accept]
            for name, refusal in looked.refusals.items()
        ],
        id="outsiders",
        caption="Pictures that are no sheet at all, all kinds together",
        note=f"{OUTSIDERS_EACH} of each kind; thresholds keep 95 % of validation sheets. The score that "
        "accepts fewest is judged on another draw below.",
    )
    document.table(
        ["kind", "AUROC", "accepted"],
        [[kind, refusal.auroc, refusal.false_accept] for kind, refusal in looked.kinds.items()],
        id="outsiders-by-kind",
        caption=f"Each kind by {SCORE_TITLES[looked.best_familiarity]}, {OUTSIDERS_EACH} others of each",
    )
