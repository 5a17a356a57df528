"""Opening summary and closing chapters: the study's tables and figures, and the verdicts on its claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from steelsight.reports.cells import Cell, Chip, Column, Value
from steelsight.reports.document import Document
from steelsight.study.claims.binary import Verdicts
from steelsight.study.contents import load_contents
from steelsight.study.results import StudyResults

__all__ = ["write_claims", "write_contents", "write_summary"]

CHAPTER_TITLES = {  # of this report
    "data": "Data",
    "architectures": "Architectures",
    "binary": "Binary models",
    "layers": "Layers",
    "explanations": "Local explanations",
    "gradcam": "Grad-CAM",
    "mistakes": "False positives and false negatives",
    "stains": "White-stain effect",
    "neurons": "Neurons",
    "augmentation": "Rare types",
    "multiclass": "Multi-class models",
    "evaluation": "Multi-class evaluation",
    "abstention": '"I don\'t know"',
    "robustness": "Noise and the camera",
    "multiclass-layers": "Layers of the multi-class model",
    "transplant": "Transplanted weights",
    "multiclass-explanations": "Local explanations of the multi-class model",
    "shortcuts": "Type-2 false positives",
    "multiclass-stains": "White-stain effect: episode II",
    "multiclass-neurons": "Neurons of the multi-class model",
}


def write_contents(document: Document, omitted: Mapping[str, str]) -> None:
    """List every table and figure of the slides with its chapter, or the reason why it is missing.

    omitted  ids of items that these data do not allow, with the reason
    """
    shown = [item for item in load_contents() if item.kind != "claim"]
    document.chapter("The study's tables and figures", id="contents")
    rows: list[list[Value | Cell]] = []
    for item in shown:
        status = "not possible" if item.id in omitted else item.status
        where = omitted.get(item.id) or item.reason or f"chapter {CHAPTER_TITLES[item.chapter]}"
        number = f"{item.kind} {item.number}" if item.number else "picture"
        rows.append([item.slide, Cell(item.what, note=f"{number}, {item.title}"), Chip(status), where])
    counts = Counter(row[2].label for row in rows if isinstance(row[2], Chip))
    document.text(
        "Every table and figure of the study's slides, in their order: "
        + ", ".join(f"{count} {status}" for status, count in counts.items())
        + "."
    )
    document.table(
        [Column("slide", align="right"), "what it shows", "status", "where, or what it will come from"],
        rows,
        id="contents-table",
    )


def write_claims(document: Document, study: StudyResults, verdicts: Verdicts) -> None:
    """One row per claim, in the order of the slides."""
    document.chapter("Conclusion: the study's claims", id="claims")
    document.text(
        f"Each claim of the slides, tested on {study.data.name} alone. A claim holds or does not hold only "
        "where the 95 % interval decides it; otherwise it is undecided here."
    )
    if study.options.quick:
        document.notice(
            "With few sheets and few epochs, no claim about a trained model or a time is decided.",
            title="Quick run.",
        )
    cut = [
        result.title
        for result in study.results.values()
        if not result.remark and not result.training["stopped_early"]
    ]
    if study.options.epochs is not None and cut and not study.options.quick:
        document.notice(
            f"{', '.join(cut)} reached the limit of {study.options.epochs} epochs; the study allowed 60, and "
            "longer trainings might change the verdicts.",
            title="Shortened trainings.",
        )
    document.table(
        ["claim", "verdict", Column("interval", 3, align="right"), "because"],
        [
            [
                Cell(item.what, note=f"slide {item.slide}"),
                Chip(verdict.answer, None if item.status == "done" else "off"),
                verdict.interval,
                verdict.reason,
            ]
            for item, verdict in verdicts
        ],
        id="claims-table",
    )


def write_summary(document: Document, study: StudyResults, verdicts: Verdicts) -> None:
    """The main results on half a page."""
    document.chapter("Summary", id="summary")
    result = study.chosen
    if result is not None:
        clean, noisy = result.clean_report, result.noisy_report
        missed, alarms = int(clean.confusion[1, 0]), int(clean.confusion[0, 1])
        document.text(
            f"{result.title} on {clean.sheets:,} test sheets of {study.data.name}, not used for training: it "
            f"missed {missed} of {int(clean.confusion[1].sum())} defective sheets and called "
            f"{alarms} of {int(clean.confusion[0].sum())} good ones defective."
        )
        document.table(
            [result.title, "accuracy", "balanced accuracy", "AUC"],
            [
                ["clean sheets", clean.accuracy, clean.balanced_accuracy, clean.auc],
                ["with the study's noise", noisy.accuracy, noisy.balanced_accuracy, noisy.auc],
            ],
            id="summary-table",
        )
    counts = Counter(verdict.answer for item, verdict in verdicts if item.status == "done")
    waiting = sum(item.status != "done" for item, _ in verdicts)
    document.text(
        f"Of the study's {len(verdicts)} claims, {counts['holds']} hold on these data, "
        f"{counts['does not hold']} do not hold, {counts['undecided here']} cannot be decided here, "
        f"and {waiting} {'is' if waiting == 1 else 'are'} not tested."
    )
