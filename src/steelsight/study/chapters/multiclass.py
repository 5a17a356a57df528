"""The multi-class models: what is done about rare types, the study's table beside ours, ROC and confusion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from steelsight.evaluation.curves.precision_recall import pr_curves
from steelsight.evaluation.intervals.bootstrap import PairedDifference, paired_bootstrap
from steelsight.evaluation.intervals.paired import McNemar, mcnemar
from steelsight.evaluation.measures import roc_curves
from steelsight.reports.cells import Cell, Column, cell_text
from steelsight.reports.document import Document
from steelsight.reports.figures import (
    MeasuredRow,
    draw_before_after,
    draw_confusion,
    draw_flip_chance,
    draw_intervals,
    draw_precision_recall,
    draw_roc,
)
from steelsight.streams import stream
from steelsight.study.chapters.binary import NOISY, Metric, Omitted
from steelsight.study.measures.differences import metric_difference
from steelsight.study.multiclass_train import CHOSEN, SLIDE_TITLES
from steelsight.study.options import TECHNIQUES
from steelsight.study.results import ModelResult, StudyResults
from steelsight.training.imbalance.flips import BEST_CHANCE, two_copies_differ

__all__ = [
    "METRICS",
    "BinaryReading",
    "compare_halves",
    "write_augmentation",
    "write_evaluation",
    "write_results",
]

METRICS: dict[str, tuple[str, Metric]] = {
    "accuracy": ("Accuracy", lambda report: report.accuracy),
    "balanced_accuracy": ("Balanced acc.", lambda report: report.balanced_accuracy),
    "f1": ("F1, weighted", lambda report: report.f1_weighted),
    "f1_macro": ("F1, macro", lambda report: report.f1_macro),
    "auc": ("AUC", lambda report: report.auc),
}
NO_ROW = "the study's chosen network was not trained on these data"


def write_augmentation(document: Document, found: StudyResults) -> Omitted:
    """Flipped copies: the chance, the classes before and after; and the techniques side by side."""
    document.chapter("Rare types", id="augmentation", status="done")
    document.figure(
        draw_flip_chance(two_copies_differ, BEST_CHANCE),
        id="flip-probability",
        alt=f"Chance that a sheet and two flipped copies differ, over p; highest at p = {BEST_CHANCE:.3f}.",
        caption="f(p) = 2p²(1-p)² + 4p³(1-p): the chance that a sheet and two copies of it, each flip tossed "
        "with p, are three different pictures.",
    )
    row = found.results.get(CHOSEN)
    if row is None:
        return {"augmented-distribution": NO_ROW}
    balance = row.balance
    names = found.data.labelled.class_names
    before, after = balance["before"], balance.get("after", balance["before"])
    added = sum(balance.get("copied", []))
    document.figure(
        draw_before_after(names, before, after),
        id="augmented-distribution",
        alt="Training sheets a class before and after: "
        + "; ".join(f"{n} {b} → {a}" for n, b, a in zip(names, before, after, strict=True)),
        caption="Training sheets before and after flipped copies of rare types. "
        + (
            f"Of the {added} copies {balance['duplicate_share']:.0%} show what another sheet shows already: "
            "only three flips differ from a sheet."
            if added
            else "No type is rare enough here to be copied."
        ),
    )
    _write_techniques(document, found)
    return {}


def write_results(document: Document, found: StudyResults, binary: StudyResults) -> Omitted:
    """The study's six rows, ours beside the deck's, and the multi-class model used as a binary one."""
    document.chapter("Multi-class models", id="multiclass", status="done")
    test = "as they are and at " + NOISY
    shares = ", weighted to the shares of the training data" if found.weights is not None else ""
    document.text(
        f"{len(found.results)} of the study's six trainings by its recipes, asked about "
        f"{found.split.test.size:,} test sheets of {found.data.name} with one type at most, {test}{shares}."
    )
    for result in found.results.values():
        if result.remark:
            document.notice(f"{result.remark[0].upper()}{result.remark[1:]}.", title=f"{result.title}.")
    for key, reason in found.skipped.items():
        document.notice(f"{reason[0].upper()}{reason[1:]}.", title=f"{SLIDE_TITLES[key]} was not trained.")
    if not found.results:
        return {"multiclass-results": "no multi-class model was trained"}
    _write_table(document, found)
    panels = {
        title: [_measured(found, key, column, metric) for key in found.results]
        for column, (title, metric) in METRICS.items()
        if column in found.published["multiclass"].columns
    }
    document.figure(
        draw_intervals(panels, published_name="the study, on its data"),
        id="multiclass-intervals",
        alt="Accuracy, balanced accuracy, F1 and AUC of each model with intervals, and the study's figures.",
        caption="Estimates with 95 % intervals; diamonds are the study's figures, on its own data.",
    )
    _write_collapsed(document, found, binary)
    return {}


def write_evaluation(document: Document, found: StudyResults) -> Omitted:
    """ROC, precision and recall, confusion of the chosen model."""
    document.chapter("Multi-class evaluation", id="evaluation", status="done")
    result = found.chosen
    if result is None:
        return {"multiclass-evaluation": "no multi-class model was trained"}
    names = found.data.labelled.class_names
    curves = roc_curves(found.labels, result.clean, names)
    document.figure(
        draw_roc(curves, title=result.title),
        id="multiclass-evaluation",
        alt="ROC of each class against the rest; areas: "
        + ", ".join(f"{name} {curve.auc:.3f}" for name, curve in curves.items()),
    )
    report = result.clean_report
    document.figure(
        draw_confusion(report.confusion, names, title=result.title),
        id="multiclass-confusion",
        alt=f"Confusion matrix of {result.title} on {report.sheets} sheets.",
    )
    pairs = pr_curves(found.labels, result.clean, names)
    document.figure(
        draw_precision_recall(pairs, title=result.title),
        id="multiclass-precision-recall",
        alt="Precision over recall of each class; average precision: "
        + ", ".join(f"{name} {curve.average_precision:.3f}" for name, curve in pairs.items()),
    )
    document.table(
        ["class", "sheets", "precision", "recall", "F1", "AUC"],
        [[c.name, c.sheets, c.precision, c.recall, c.f1, c.auc] for c in report.classes],
        id="multiclass-classes",
        caption=f"Each class, {result.title}, clean sheets",
        note="; ".join(report.notes),
    )
    return {}


@dataclass(frozen=True)
class BinaryReading:
    """The binary model against the multi-class one read as defect or none, binary first."""

    test: McNemar  # of the sheets as they are
    accuracies: tuple[float, float]  # weighted as the findings are
    ahead: PairedDifference  # the binary model's accuracy minus the other's, weighted alike


def compare_halves(found: StudyResults, binary: StudyResults) -> BinaryReading | None:
    """Both models on the sheets both were tested on; None where one of them is missing."""
    one, other = binary.chosen, found.chosen
    if one is None or other is None:
        return None
    rows = {position: row for row, position in enumerate(binary.split.test.tolist())}
    kept = np.array([rows[position] for position in found.split.test.tolist()], dtype=np.int64)
    defect = found.labels > 0
    right = (one.clean.argmax(1)[kept] == 1) == defect, (other.clean.argmax(1) > 0) == defect
    counts = np.ones(defect.size) if found.weights is None else found.weights

    def accuracy(which: int) -> Callable[[Int[np.ndarray, " r"]], float]:
        return lambda rows: float(np.average(right[which][rows], weights=counts[rows]))

    ahead = paired_bootstrap(
        accuracy(0),
        accuracy(1),
        defect.size,
        found.groups,
        rng=stream(found.options.seed, "study-halves"),
        resamples=found.options.resamples,
    )
    everyone = np.arange(defect.size)
    return BinaryReading(mcnemar(right[0], right[1]), (accuracy(0)(everyone), accuracy(1)(everyone)), ahead)


def _write_table(document: Document, found: StudyResults) -> None:
    printed = found.published["multiclass"]
    best = {key: _best(found.results, metric) for key, (_, metric) in METRICS.items()}
    rows = []
    for key, title in SLIDE_TITLES.items():
        row: list[Cell] = [Cell(title)]
        for column, (_, metric) in METRICS.items():
            ours = metric(found.results[key].noisy_report) if key in found.results else None
            theirs = printed.figure(title, column)
            row.append(Cell(ours, best[column] == key, "" if theirs is None else f"study {theirs:.3f}"))
        cost = found.costs[_network_of(key)]
        row.append(Cell(cost.timing.median_ms, note=f"study {printed.figure(title, 'time_ms'):.0f}"))
        rows.append(row)
    document.table(
        ["model", *(title for title, _ in METRICS.values()), Column("Time", 1, "ms")],
        rows,
        id="multiclass-results",
        caption=f"Ours on {found.data.name} at {NOISY}, the study's on its data beneath",
        note="Brackets: 95 % intervals by bootstrap over groups; bold: our best. Times for a batch of five: "
        "ours on this machine's processor, the study's on a GeForce 850M.",
    )
    document.table(
        ["model", *(title for title, _ in METRICS.values())],
        [
            [r.title, *(metric(r.clean_report) for _, metric in METRICS.values())]
            for r in found.results.values()
        ],
        id="multiclass-clean",
        caption="Ours, clean sheets",
        note="; ".join(dict.fromkeys(n for r in found.results.values() for n in r.clean_report.notes)),
    )


def _write_techniques(document: Document, found: StudyResults) -> None:
    """All metrics of each technique, and its difference from doing nothing."""
    if "none" not in found.techniques:
        document.text("The techniques were not compared.")
        return
    for key, reason in found.left_out.items():
        document.notice(f"{reason[0].upper()}{reason[1:]}.", title=f"Not tried: {TECHNIQUES[key].title}.")
    plain = found.techniques["none"]
    rows = []
    for key, result in found.techniques.items():
        cells = []
        for name, (_, metric) in METRICS.items():
            measured = {"f1": "f1_weighted"}.get(name, name)
            gain = "" if key == "none" else _gain(metric_difference(found, result, plain, measured))
            cells.append(Cell(metric(result.noisy_report), note=gain))
        mark = "the study compared it" if TECHNIQUES[key].study else ""
        rows.append([Cell(TECHNIQUES[key].title, note=mark), *cells])
    document.table(
        ["technique", *(title for title, _ in METRICS.values())],
        rows,
        id="techniques",
        caption=f"Reduced SqueezeNet under each technique, at {NOISY}",
        note="Beneath: the gain over doing nothing, paired on the same sheets; a bracket without 0 decides.",
    )


def _gain(paired: PairedDifference) -> str:
    difference = paired.difference
    return f"{difference.estimate:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def _write_collapsed(document: Document, found: StudyResults, binary: StudyResults) -> None:
    compared = compare_halves(found, binary)
    if compared is None or found.chosen is None or binary.chosen is None:
        return
    first, second = compared.accuracies
    document.table(
        ["model", "accuracy, defect or none", "alone right on"],
        [
            [f"{binary.chosen.title}, binary", first, compared.test.first_only],
            [f"{found.chosen.title}, its types taken together", second, compared.test.second_only],
        ],
        id="multiclass-collapsed",
        caption="A multi-class model used as a binary one, clean sheets",
        note=f"Binary minus multi-class: {cell_text(compared.ahead.difference)}. McNemar's exact test, "
        f"sheets counted alike: p = {compared.test.p_value:.2g}.",
    )


def _network_of(key: str) -> str:
    return {
        "aug_cnn": "adhoc",
        "squeeze": "squeezenet",
        "weighted_squeeze": "squeezenet",
        "aug_reduced_squeeze": "squeezenet_reduced",
    }.get(key, "vgg16_bn")


def _measured(found: StudyResults, key: str, column: str, metric: Metric) -> MeasuredRow:
    result = found.results[key]
    intervals = {"clean": metric(result.clean_report), NOISY: metric(result.noisy_report)}
    return MeasuredRow(
        result.title, intervals, found.published["multiclass"].figure(SLIDE_TITLES[key], column)
    )


def _best(results: Mapping[str, ModelResult], metric: Metric) -> str | None:
    scores = {key: metric(result.noisy_report).estimate for key, result in results.items()}
    best = [key for key, score in scores.items() if score == max(scores.values())]
    return best[0] if len(best) == 1 < len(scores) else None
