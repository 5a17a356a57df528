"""Chapters of the multi-class models: rare types, results beside the study's, ROC and confusion."""

from __future__ import annotations

from collections.abc import Mapping

from steelsight.evaluation.curves.precision_recall import pr_curves
from steelsight.evaluation.intervals.bootstrap import PairedDifference
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
from steelsight.study.chapters.binary import NOISY, Metric, Omitted
from steelsight.study.measures.differences import compare_with_binary, metric_difference
from steelsight.study.recipes import TECHNIQUES
from steelsight.study.results import ModelResult, StudyResults
from steelsight.study.train_multiclass import CHOSEN, SLIDE_TITLES
from steelsight.training.imbalance.flips import BEST_CHANCE, two_copies_differ

__all__ = [
    "METRICS",
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


def write_augmentation(document: Document, study: StudyResults) -> Omitted:
    """Flipped copies (probability of distinct copies, classes before and after) and all techniques."""
    document.chapter("Rare types", id="augmentation", status="done")
    document.figure(
        draw_flip_chance(two_copies_differ, BEST_CHANCE),
        id="flip-probability",
        alt="Probability that a sheet and two flipped copies differ, over p; highest at p = "
        f"{BEST_CHANCE:.3f}.",
        caption="f(p) = 2p²(1-p)² + 4p³(1-p): the probability that a sheet and two copies of it are three "
        "different images, when each flip is applied with probability p.",
    )
    row = study.results.get(CHOSEN)
    if row is None:
        return {"augmented-distribution": NO_ROW}
    balance = row.balance
    names = study.data.labelled.class_names
    before, after = balance["before"], balance.get("after", balance["before"])
    added = sum(balance.get("copied", []))
    document.figure(
        draw_before_after(names, before, after),
        id="augmented-distribution",
        alt="Training sheets a class before and after: "
        + "; ".join(f"{n} {b} → {a}" for n, b, a in zip(names, before, after, strict=True)),
        caption="Training sheets before and after flipped copies of rare types. "
        + (
            f"Of the {added} copies, {balance['duplicate_share']:.0%} are identical to another copy or "
            "sheet, because a sheet has only three different flips."
            if added
            else "No type is rare enough in these data to be copied."
        ),
    )
    _write_techniques(document, study)
    return {}


def write_results(document: Document, study: StudyResults, binary: StudyResults) -> Omitted:
    """Results of the six models beside the study's, and the multi-class model used as a binary one."""
    document.chapter("Multi-class models", id="multiclass", status="done")
    test = "clean and at " + NOISY
    shares = ", weighted to the shares of the training data" if study.weights is not None else ""
    document.text(
        f"{len(study.results)} of the study's six models, trained by its recipes and tested on "
        f"{study.split.test.size:,} sheets of {study.data.name} with at most one type, {test}{shares}."
    )
    for result in study.results.values():
        if result.remark:
            document.notice(f"{result.remark[0].upper()}{result.remark[1:]}.", title=f"{result.title}.")
    for key, reason in study.skipped.items():
        document.notice(f"{reason[0].upper()}{reason[1:]}.", title=f"{SLIDE_TITLES[key]} was not trained.")
    if not study.results:
        return {"multiclass-results": "no multi-class model was trained"}
    _write_table(document, study)
    panels = {
        title: [_measured(study, key, column, metric) for key in study.results]
        for column, (title, metric) in METRICS.items()
        if column in study.published["multiclass"].columns
    }
    document.figure(
        draw_intervals(panels, published_name="the study, on its data"),
        id="multiclass-intervals",
        alt="Accuracy, balanced accuracy, F1 and AUC of each model with intervals, and the study's figures.",
        caption="Estimates with 95 % intervals; diamonds are the study's figures, on its own data.",
    )
    _write_as_binary(document, study, binary)
    return {}


def write_evaluation(document: Document, study: StudyResults) -> Omitted:
    """ROC, precision over recall, and confusion matrix of the chosen model."""
    document.chapter("Multi-class evaluation", id="evaluation", status="done")
    result = study.chosen
    if result is None:
        return {"multiclass-evaluation": "no multi-class model was trained"}
    names = study.data.labelled.class_names
    curves = roc_curves(study.labels, result.clean, names)
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
    pairs = pr_curves(study.labels, result.clean, names)
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


def _write_table(document: Document, study: StudyResults) -> None:
    printed = study.published["multiclass"]
    best = {key: _best(study.results, metric) for key, (_, metric) in METRICS.items()}
    rows = []
    for key, title in SLIDE_TITLES.items():
        row: list[Cell] = [Cell(title)]
        for column, (_, metric) in METRICS.items():
            ours = metric(study.results[key].noisy_report) if key in study.results else None
            theirs = printed.figure(title, column)
            row.append(Cell(ours, best[column] == key, "" if theirs is None else f"study {theirs:.3f}"))
        cost = study.costs[_network_of(key)]
        row.append(Cell(cost.timing.median_ms, note=f"study {printed.figure(title, 'time_ms'):.0f}"))
        rows.append(row)
    document.table(
        ["model", *(title for title, _ in METRICS.values()), Column("Time", 1, "ms")],
        rows,
        id="multiclass-results",
        caption=f"Our results on {study.data.name} at {NOISY}; below each, the study's on its data",
        note="Brackets: 95 % intervals by bootstrap over groups; bold: the best of ours. Times for a "
        "batch of five: ours on this machine's processor, the study's on a GeForce 850M.",
    )
    document.table(
        ["model", *(title for title, _ in METRICS.values())],
        [
            [r.title, *(metric(r.clean_report) for _, metric in METRICS.values())]
            for r in study.results.values()
        ],
        id="multiclass-clean",
        caption="Our results, clean sheets",
        note="; ".join(dict.fromkeys(n for r in study.results.values() for n in r.clean_report.notes)),
    )


def _write_techniques(document: Document, study: StudyResults) -> None:
    """All metrics of each technique, and its gain over training without one."""
    if "none" not in study.techniques:
        document.text("The techniques were not compared.")
        return
    for key, reason in study.left_out.items():
        document.notice(f"{reason[0].upper()}{reason[1:]}.", title=f"Not trained: {TECHNIQUES[key].title}.")
    plain = study.techniques["none"]
    rows = []
    for key, result in study.techniques.items():
        cells = []
        for name, (_, metric) in METRICS.items():
            measured = {"f1": "f1_weighted"}.get(name, name)
            gain = "" if key == "none" else _gain(metric_difference(study, result, plain, measured))
            cells.append(Cell(metric(result.noisy_report), note=gain))
        mark = "compared in the study" if TECHNIQUES[key].study else ""
        rows.append([Cell(TECHNIQUES[key].title, note=mark), *cells])
    document.table(
        ["technique", *(title for title, _ in METRICS.values())],
        rows,
        id="techniques",
        caption=f"Reduced SqueezeNet with each technique, at {NOISY}",
        note="Below each figure: the gain over training without a technique, paired on the same sheets; "
        "it is significant where the bracket does not contain 0.",
    )


def _gain(paired: PairedDifference) -> str:
    difference = paired.difference
    return f"{difference.estimate:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def _write_as_binary(document: Document, study: StudyResults, binary: StudyResults) -> None:
    compared = compare_with_binary(study, binary)
    if compared is None or study.chosen is None or binary.chosen is None:
        return
    first, second = compared.accuracies
    document.table(
        ["model", "accuracy, defect or none", "alone right on"],
        [
            [f"{binary.chosen.title}, binary", first, compared.test.first_only],
            [f"{study.chosen.title}, all types counted as defect", second, compared.test.second_only],
        ],
        id="multiclass-collapsed",
        caption="A multi-class model used as a binary one, clean sheets",
        note="Alone right on: number of sheets that only this model classifies correctly. Accuracy, "
        f"binary minus multi-class: {cell_text(compared.difference.difference)}. McNemar's exact "
        f"test, unweighted: p = {compared.test.p_value:.2g}.",
    )


def _network_of(key: str) -> str:
    return {
        "aug_cnn": "adhoc",
        "squeeze": "squeezenet",
        "weighted_squeeze": "squeezenet",
        "aug_reduced_squeeze": "squeezenet_reduced",
    }.get(key, "vgg16_bn")


def _measured(study: StudyResults, key: str, column: str, metric: Metric) -> MeasuredRow:
    result = study.results[key]
    intervals = {"clean": metric(result.clean_report), NOISY: metric(result.noisy_report)}
    return MeasuredRow(
        result.title, intervals, study.published["multiclass"].figure(SLIDE_TITLES[key], column)
    )


def _best(results: Mapping[str, ModelResult], metric: Metric) -> str | None:
    scores = {key: metric(result.noisy_report).estimate for key, result in results.items()}
    best = [key for key, score in scores.items() if score == max(scores.values())]
    return best[0] if len(best) == 1 < len(scores) else None
