"""Figures and HTML pages of a training, an evaluation and a cross-validation, from their metrics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from matplotlib.figure import Figure

from steelsight.evaluation.by_size import AreaRow, reliable_size
from steelsight.evaluation.curves.precision_recall import pr_curves
from steelsight.evaluation.measures import roc_curves
from steelsight.reports.cells import Value
from steelsight.reports.document import FIGURES, Document
from steelsight.reports.figures import (
    draw_confusion,
    draw_learning_curves,
    draw_precision_recall,
    draw_recall_by_area,
    draw_roc,
)
from steelsight.training.dataset import SheetData
from steelsight.training.report.scores import HEADLINES, probabilities_of
from steelsight.types import Interval, Logits

__all__ = ["stored_interval", "write_evaluation_page", "write_folds_page", "write_run_page"]

Positions = Int[np.ndarray, " p"]
Report = Mapping[str, Any]

PAGE = "report.html"
LEAKS = 3  # that the page lists; metrics.json has all


def write_run_page(out: Path, metrics: Report, data: SheetData, logits: Logits, test: Positions) -> None:
    """Write report.html and figures/ of a training: learning curves, and metrics on its test sheets."""
    page = Document(f"Training on {data.name}", subtitle=f"{data.task}, {len(data.items)} sheets")
    training = metrics["training"]
    page.chapter("Training")
    curves = draw_learning_curves(training["history"], best_epoch=training["best_epoch"])
    kept = f"the weights of epoch {training['best_epoch']} were kept"
    if training["history"][0]["epoch"] == 0:
        kept += "; epoch 0 is the head fitted on frozen features"
    words = f"{training['epochs']} epochs, {kept}"
    scored = any(row.get("validation_accuracy") is not None for row in training["history"])
    drawn = "Losses and accuracies" if scored else "Training loss"
    _show(page, "learning_curves", curves, f"{drawn} by epoch; {words}.")
    if metrics.get("shuffled_labels"):
        page.notice(
            "Its training labels were shuffled among the training sheets: its verdicts mean nothing. "
            f"{metrics['shuffled_labels']['kept']:.0%} of them are unchanged.",
            title="A control",
        )
    if metrics.get("leaks"):
        page.notice(
            f"{len(metrics['leaks'])} {_leaking(metrics)} in more than one part of the split, so the figures "
            f"are optimistic: {'; '.join(metrics['leaks'][:LEAKS])}.",
            title="Groups in more than one part",
        )
    noisy = f"X + {metrics['noise_sigma']}Z"
    _add_metrics(page, {"as they are": metrics["test"], noisy: metrics["test_noisy"]}, data, logits, test)
    _operating(page, metrics["operating_point"])
    _apart(page, metrics["apart"])
    page.footer(_origin(metrics))
    page.save_page(out / PAGE)


def _leaking(metrics: Report) -> str:
    alike = any("near-duplicates" in leak for leak in metrics["leaks"])
    return "groups or pairs of near-duplicates have sheets" if alike else "groups have sheets"


def write_evaluation_page(
    out: Path, metrics: Report, data: SheetData, logits: Logits, chosen: Positions
) -> list[str]:
    """Write report.html and figures/ of an evaluation; the names of the figures' files."""
    page = Document(f"Evaluation on {data.name}", subtitle=f"{metrics['part']} sheets of {metrics['run']}")
    reports = {"as they are": metrics["report"]}
    if metrics["noise_sigma"]:
        reports = {f"X + {metrics['noise_sigma']}Z": metrics["report"]}
    _add_metrics(page, reports, data, logits, chosen)
    _operating(page, metrics["operating_point"])
    for note in metrics["notes"]:
        page.notice(note)
    _apart(page, metrics["apart"])
    page.footer(_origin(metrics))
    page.save_page(out / PAGE)
    return list(page.figure_files())


def write_folds_page(out: Path, metrics: Report, data: SheetData) -> None:
    """Write report.html and figures/ of a cross-validation."""
    title = f"Cross-validation on {data.name}"
    page = Document(title, subtitle=f"{metrics['folds']} folds, {metrics['repeats']} times")
    page.chapter("Out-of-fold sheets")
    reports = {"all": metrics["pooled"]}
    reports |= {f"repeat {number + 1}": report for number, report in enumerate(metrics["each_repeat"])}
    _tables(page, reports, data)
    page.footer(_origin(metrics))
    page.save_page(out / PAGE)


def _add_metrics(
    page: Document,
    reports: Mapping[str, Report | None],
    data: SheetData,
    logits: Logits,
    chosen: Positions,
) -> None:
    """The chapter of metrics: tables of all reports, figures of the first."""
    page.chapter("Metrics")
    known = {name: report for name, report in reports.items() if report is not None}
    if not known:
        page.text("There are no test sheets.")
        return
    _tables(page, known, data)
    if data.task == "multilabel":
        return
    single = np.array([i for i in chosen.tolist() if data.labelled.labels[i] >= 0], dtype=np.int64)
    probabilities = probabilities_of(logits[single], data.task)
    labels, names = data.labelled.labels[single], data.labelled.class_names
    if curves := roc_curves(labels, probabilities, names):
        _show(page, "roc", draw_roc(curves), "Each class against the rest.")
    if pairs := pr_curves(labels, probabilities, names):
        figure = draw_precision_recall(pairs)
        _show(page, "precision_recall", figure, "Precision over recall for each class.")


def _tables(page: Document, reports: Mapping[str, Report], data: SheetData) -> None:
    first = next(iter(reports.values()))
    if data.task == "multilabel":
        _types_table(page, first)
        return
    titles = {key: title for key, title in HEADLINES.items() if key in first}
    rows: list[list[Value]] = [
        [title, *(stored_interval(report[key]) for report in reports.values())]
        for key, title in titles.items()
    ]
    page.table(
        ["metric", *reports],
        rows,
        caption=f"{first['sheets']} predictions, {first['groups']} groups, 95 % intervals",
    )
    _classes_table(page, first)
    matrix = np.array(first["confusion"], dtype=np.int64)
    _show(
        page,
        "confusion",
        draw_confusion(matrix, data.labelled.class_names),
        "True and predicted classes.",
    )
    _places(page, first.get("places"))


def _classes_table(page: Document, report: Report) -> None:
    rows = [
        [
            entry["name"],
            entry["sheets"],
            *(stored_interval(entry[key]) for key in ("precision", "recall", "f1", "auc")),
        ]
        for entry in report["classes"]
    ]
    page.table(["class", "sheets", "precision", "recall", "F1", "AUC"], rows, caption="Each class")


def _operating(page: Document, point: Report | None) -> None:
    if point is None:
        return
    page.table(
        [
            "stopped from a probability of defect of",
            "defects that escape",
            "good sheets stopped",
            "precision",
        ],
        [
            [
                point["threshold"],
                stored_interval(point["escape"]),
                stored_interval(point["overkill"]),
                point["precision"],
            ]
        ],
        caption="Operating point",
        note="At this threshold one in twenty defective validation sheets escapes. Of a thousand sheets with "
        f"{point['prevalence']:.1%} defective, {point['escaped_per_1000']:.1f} defective ones pass, "
        f"{point['overkilled_per_1000']:.1f} good ones are stopped, and "
        f"{point['stopped_per_1000']:.0f} are stopped altogether.",
    )


def _places(page: Document, places: Report | None) -> None:
    if not places:
        return
    smallest = places["smallest"]
    known = [
        f"the smallest found covers {smallest['found_px']:,.0f} pixels" if smallest["found_px"] else "",
        reliable_size(smallest),
    ]
    rows = [
        AreaRow(row["low_px"], row["high_px"], row["sheets"], stored_interval(row["recall"]))
        for row in places["by_area"]
    ]
    words = "; ".join(words for words in known if words)
    figure = draw_recall_by_area(rows)
    _show(page, "recall_by_area", figure, f"Defects found by their size: {words}.")
    page.table(
        ["centre of the defect", "sheets", "predicted defective"],
        [
            [
                f"{row['left']:.0%} to {row['right']:.0%} across, "
                f"{row['top']:.0%} to {row['bottom']:.0%} down",
                row["sheets"],
                stored_interval(row["recall"]),
            ]
            for row in places["by_place"]
        ],
        caption="Recall by position",
    )


def _types_table(page: Document, report: Report) -> None:
    rows = [
        [name, *(stored_interval(found[key]) for key in HEADLINES if key in found)]
        for name, found in report["types"].items()
    ]
    page.table(
        ["type", *(title for key, title in HEADLINES.items() if key != "defect_auc")],
        rows,
        caption=f"{report['sheets']} sheets, each type separately",
    )
    page.text(f"All types right: {report['all_types_right']:.3f} of the sheets.")


def _apart(page: Document, apart: Report | None) -> None:
    if apart is not None:
        page.text(
            f"Sheets of several types were left out of training. Of {apart['sheets']}, the verdict is one of "
            f"the sheet's types for {apart['right']}."
        )


def _show(page: Document, name: str, figure: Figure, words: str) -> None:
    page.figure(figure, alt=words, caption=words, id=name, file=f"{FIGURES}/{name}")


def stored_interval(stored: Mapping[str, float | None]) -> Interval:
    """An interval from metrics.json; null becomes NaN."""
    low, estimate, high = (stored[key] for key in ("low", "estimate", "high"))
    known = [float("nan") if value is None else value for value in (estimate, low, high)]
    return Interval(*known)


def _origin(metrics: Report) -> dict[str, Any]:
    data = metrics["data"]
    return {
        "data": f"{data['name']} ({data['hash']})",
        "groups": data["groups"],
        "read as": data["reading"],
        "set aside": len(data["set_aside"]),
        "seed": metrics["seed"],
        **metrics["environment"],
    }
