"""Chapters of the binary models: results beside the study's, confusion matrices, ROC curves, Grad-CAM."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Int

from steelsight.evaluation.classification import ClassificationReport
from steelsight.evaluation.measures import roc_curves
from steelsight.evaluation.robustness.noise import STUDY_SIGMA
from steelsight.explanations.verdicts import explain_images
from steelsight.models.checkpoint import load_checkpoint
from steelsight.reports.cells import Cell, Column
from steelsight.reports.document import Document
from steelsight.reports.figures import (
    MeasuredRow,
    draw_confusion,
    draw_explanations,
    draw_intervals,
    draw_learning_curves,
    draw_roc,
)
from steelsight.reports.figures.explanation.panels import ExplanationRow
from steelsight.sheets.catalog import mask_fractions
from steelsight.study.options import SLIDE_ORDER
from steelsight.study.results import ModelResult, StudyResults
from steelsight.types import Interval

__all__ = ["write_confusion", "write_gradcam", "write_models", "write_roc"]

NOISY = f"X + {STUDY_SIGMA} Z"
EXAMPLES = 4

Omitted = dict[str, str]
Metric = Callable[[ClassificationReport], Interval]

# The study's F1 is that of the class defect: see published.toml.
TABLE: dict[str, tuple[str, Metric]] = {
    "accuracy": ("Accuracy", lambda report: report.accuracy),
    "f1": ("F1", lambda report: report.classes[1].f1),
    "auc": ("AUC", lambda report: report.auc),
}


def write_models(document: Document, study: StudyResults) -> Omitted:
    """Results on these data, with intervals, beside the study's table."""
    document.chapter("Binary models", id="binary", status="done")
    document.text(
        f"Each network was trained on {study.data.name} by the study's protocol to distinguish sheets with a "
        f"defect from sheets without, and tested on {study.split.test.size} sheets not used for training: "
        f"clean, and with the study's noise, {NOISY} with Z standard normal in normalised units. The study's "
        "figures come from 12,568 strip images; on other data, other figures are to be expected."
    )
    for result in study.results.values():
        if result.remark:
            document.notice(f"{result.remark[0].upper()}{result.remark[1:]}.", title=f"{result.title}.")
    for name, reason in study.skipped.items():
        document.notice(
            f"{reason[0].upper()}{reason[1:]}.", title=f"{study.costs[name].title} was not trained."
        )
    _write_table(document, study)
    panels = {
        title: [_measured(study, name, key, metric) for name in SLIDE_ORDER if name in study.results]
        for key, (title, metric) in TABLE.items()
    }
    document.figure(
        draw_intervals(panels, published_name="the study, on its data"),
        id="binary-intervals",
        alt="Accuracy, F1 and AUC of each network with intervals, clean and noisy, and the study's figures.",
        caption="Estimates with 95 % intervals; diamonds are the study's figures, on its own data.",
    )
    _write_clean(document, study)
    _write_trainings(document, study)
    return {}


def write_confusion(document: Document, study: StudyResults) -> Omitted:
    """One matrix per model, on clean sheets."""
    document.chapter("Confusion matrix", id="confusion", status="done")
    for result in study.results.values():
        matrix = result.clean_report.confusion
        missed, alarms = int(matrix[1, 0]), int(matrix[0, 1])
        document.figure(
            draw_confusion(matrix, result.clean_report.class_names, title=result.title),
            id=f"confusion-{result.name}",
            alt=f"Confusion matrix of {result.title}: {missed} defects missed, {alarms} false alarms "
            f"among {result.clean_report.sheets} sheets.",
        )
    return {}


def write_roc(document: Document, study: StudyResults) -> Omitted:
    """ROC curves of all models, on clean and on noisy sheets."""
    document.chapter("ROC", id="roc", status="done")
    for noisy in (False, True):
        curves = {}
        for result in study.results.values():
            probabilities = result.noisy if noisy else result.clean
            curves[result.title] = roc_curves(study.labels, probabilities, study.data.labelled.class_names)[
                "defect"
            ]
        kind = NOISY if noisy else "Clean sheets"
        areas = ", ".join(f"{title} {curve.auc:.3f}" for title, curve in curves.items())
        document.figure(
            draw_roc(curves, title=kind),
            id="roc-noisy" if noisy else "roc-clean",
            alt=f"ROC curves, {kind}; areas: {areas}.",
        )
    return {}


def write_gradcam(document: Document, study: StudyResults) -> Omitted:
    """Four test sheets with verdict and Grad-CAM for both classes; one of them wrong where possible."""
    result = study.chosen
    document.chapter("Grad-CAM", id="gradcam", status="done")
    if result is None:
        return {"binary-gradcam": "no model was trained"}
    positions = _representative_sheets(study, result)
    model, card = load_checkpoint(result.folder)
    explained = explain_images(model, card, np.asarray(study.data.images[positions]))
    rows = []
    for position, explanation in zip(positions.tolist(), explained, strict=True):
        item = study.data.items[position]
        truth = card.class_names[int(bool(item.types))]
        mask = mask_fractions(item, study.data.input) if item.types and item.evidence == "mask" else None
        names = [f"{card.class_names[c]}  {explanation.probabilities[c]:.2f}" for c in explanation.targets]
        title = f"{item.path.stem}  {explanation.verdict} {explanation.confidence:.2f}  (true: {truth})"
        rows.append(ExplanationRow(study.data.images[position], mask, title, list(explanation.maps), names))
    document.figure(
        draw_explanations(rows),
        id="binary-gradcam",
        alt=f"{len(rows)} test sheets with their masks and two Grad-CAM maps each, for none and for defect.",
        caption=f"{result.title} on test sheets: the most confident correct verdicts, and the most confident "
        "false positive (or, without one, the most confident wrong verdict). Yellow: the annotated mask.",
    )
    return {}


def _write_table(document: Document, study: StudyResults) -> None:
    printed = study.published["binary"]
    columns: list[str | Column] = ["network"]
    for title, _ in TABLE.values():
        columns += [Column(title), Column("the study's")]
    columns += [Column("Time", 1, "ms"), Column("the study's", 1, "ms")]
    best = {key: _best(study, metric) for key, (_, metric) in TABLE.items()}
    rows = []
    for name in SLIDE_ORDER:
        row: list[Cell] = [Cell(study.costs[name].title)]
        for key, (_, metric) in TABLE.items():
            ours = metric(study.results[name].noisy_report) if name in study.results else None
            row += [Cell(ours, strong=best[key] == name), Cell(printed.figure(name, key))]
        row += [Cell(study.costs[name].timing.median_ms), Cell(printed.figure(name, "time_ms"))]
        rows.append(row)
    document.table(
        columns,
        rows,
        id="binary-results",
        caption=f"Our results on {study.data.name} at {NOISY}, beside the study's on its data",
        note="Brackets: 95 % intervals by bootstrap over groups; bold: the best of ours. F1 is that of the "
        "class defect, which agrees with the study's figures. Times for a batch of five: ours on this "
        "machine's processor, the study's on a GeForce 850M.",
    )


def _write_clean(document: Document, study: StudyResults) -> None:
    metrics: dict[str, Metric] = {
        "accuracy": lambda report: report.accuracy,
        "balanced accuracy": lambda report: report.balanced_accuracy,
        "F1, defect": lambda report: report.classes[1].f1,
        "F1, weighted": lambda report: report.f1_weighted,
        "AUC": lambda report: report.auc,
    }
    document.table(
        ["network", *metrics],
        [
            [result.title, *(metric(result.clean_report) for metric in metrics.values())]
            for result in study.results.values()
        ],
        id="binary-clean",
        caption=f"Our results on {study.data.name}, clean sheets",
        note="; ".join(dict.fromkeys(n for r in study.results.values() for n in r.clean_report.notes)),
    )


def _write_trainings(document: Document, study: StudyResults) -> None:
    starts = {"imagenet": "ImageNet", "none": "random"}
    document.table(
        ["network", "start", "epochs", "kept", "ended"],
        [
            [
                result.title,
                starts.get(result.started_from, result.started_from),
                int(result.training["epochs"]),
                int(result.training["best_epoch"]),
                "stopped early" if result.training["stopped_early"] else "at the epoch limit",
            ]
            for result in study.results.values()
        ],
        id="binary-trainings",
        caption="Trainings",
    )
    for result in study.results.values():
        document.figure(
            draw_learning_curves(
                result.training["history"], best_epoch=result.training["best_epoch"], title=result.title
            ),
            id=f"learning-{result.name}",
            alt=f"Losses and validation accuracies of {result.title} by epoch.",
        )


def _measured(study: StudyResults, name: str, key: str, metric: Metric) -> MeasuredRow:
    result = study.results[name]
    intervals = {"clean": metric(result.clean_report), NOISY: metric(result.noisy_report)}
    return MeasuredRow(result.title, intervals, study.published["binary"].figure(name, key))


def _best(study: StudyResults, metric: Metric) -> str | None:
    """The only network with the highest estimate; None for ties or fewer than two networks."""
    scores = {name: metric(result.noisy_report).estimate for name, result in study.results.items()}
    best = [name for name, score in scores.items() if score == max(scores.values())]
    return best[0] if len(best) == 1 < len(scores) else None


def _representative_sheets(study: StudyResults, result: ModelResult) -> Int[np.ndarray, " p"]:
    """Positions of the most confident correct verdicts, two defective and one good, and a false positive."""
    labels, verdicts = study.labels, result.clean.argmax(axis=1)
    by_confidence = np.argsort(-result.clean.max(axis=1), kind="stable")
    right = by_confidence[(verdicts == labels)[by_confidence]]
    wrong = by_confidence[(verdicts != labels)[by_confidence]]
    alarms = wrong[labels[wrong] == 0]
    groups: Sequence[tuple[Int[np.ndarray, " r"], int]] = (
        (right[labels[right] == 1], 2),
        (right[labels[right] == 0], 1),
        (alarms if alarms.size else wrong, 1),
    )
    chosen = [row for rows, count in groups for row in rows[:count].tolist()]
    rest = [row for row in by_confidence.tolist() if row not in chosen]
    positions: Int[np.ndarray, " p"] = study.split.test[np.array((chosen + rest)[:EXAMPLES])]
    return positions
