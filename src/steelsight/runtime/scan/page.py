"""The report of a scan: counts, doubtful sheets with heatmaps, bad files, drift, the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from steelsight.evaluation.abstention.label_sets import set_words
from steelsight.names import on_one_line
from steelsight.reports.cells import probability_text
from steelsight.reports.document import Cell, Chip, Column, Document
from steelsight.reports.figures.scan import Thumbnail, draw_contact_sheet, draw_verdicts
from steelsight.runtime.bundle.card import LabelSets, TrainingStatistics
from steelsight.runtime.bundle.open import Bundle
from steelsight.runtime.certificate_check import FALSE_ALARM, CertificateFinding
from steelsight.runtime.drift import SURE, UNDECIDED, Drift
from steelsight.runtime.engine.engine import Engine
from steelsight.runtime.engine.inspector import Inspector
from steelsight.runtime.engine.reading import ImageRefused, decode
from steelsight.runtime.scan.output import QUARANTINE, REPORT
from steelsight.runtime.scan.sources import PlannedSheet, SourceReader
from steelsight.runtime.scan.summary import LISTED, ScanSummary, ShownSheet
from steelsight.sheets.images.placement import place
from steelsight.types import Reason, State
from steelsight.version import __version__

__all__ = ["write_page"]

_SECTIONS: Final = {
    State.UNKNOWN_INPUT: "Unlike every training sheet: the label is not valid here.",
    State.DOUBTFUL: "The confidence is below the model's threshold: a person should decide.",
    State.DECIDED: "Decided, the least confident first.",
}
_TONES: Final = {"as usual": "good", "slight": "open", "clear": "bad", "undecided": "open"}


def write_page(
    out: Path,
    summary: ScanSummary,
    bundle: Bundle,
    engine: Engine,
    sheets: Mapping[int, PlannedSheet],
    passed_over: Sequence[Mapping[str, str]],
) -> Path:
    """Write report.html and report.json into OUT; raises BadOutput.

    sheets  the sheets of `summary.shown` by index, which are read again for their pictures
    """
    card = bundle.card
    document = Document(f"Scan of {summary.sheets:,} sheets", subtitle=f"{card.model}, {card.head} head")
    _add_certificate(document, summary.certificate)
    _add_counts(document, summary)
    _add_label_sets(document, summary, card.label_sets)
    _add_contacts(document, summary, Inspector(bundle, engine), sheets)
    _add_drift(document, summary.drift, card.usual)
    _add_bad(document, summary, passed_over)
    document.chapter("The model")
    document.facts(
        {
            "model": card.model_id,
            "classes": ", ".join(card.class_names),
            "engine": engine.about,
            "threshold": "none: every familiar sheet is decided"
            if card.threshold is None
            else card.threshold,
            "certificate": card.threshold_statement or None,
            "temperature of the probabilities": card.temperature,
            "notes": "; ".join(bundle.notes) or None,
        }
    )
    document.footer({"steelsight": __version__, "model": card.model_id, "engine": engine.about})
    return document.save(out / REPORT)


def _add_certificate(document: Document, check: CertificateFinding | None) -> None:
    """A void certificate stands first; where it is not void, nothing is said."""
    if check is None or not check.void:
        return
    document.chapter("Certificate")
    document.text(
        f"{check.statement[:1].upper()}{check.statement[1:]}. They are not drawn as the certification sheets "
        f"were (tested with a false-alarm bound of {FALSE_ALARM:.0%}). How many answers on them are wrong is "
        "not known: have a sample of them reviewed, and certify on sheets like these."
    )


def _add_label_sets(document: Document, summary: ScanSummary, sets: LabelSets | None) -> None:
    if sets is None or not summary.label_sets:
        return
    document.table(
        ["a doubtful sheet may be", Column("sheets", align="right")],
        [(words, count) for words, count in summary.label_sets.most_common()],
        caption="Label sets of the doubtful sheets",
        note=f"Of the familiar sheets of each class, decided or doubtful, at least {sets.coverage:.0%} have "
        "it in their set, where they are drawn as the certification sheets were.",
    )


def _add_counts(document: Document, summary: ScanSummary) -> None:
    document.chapter("Verdicts")
    counts = {
        label: {state.replace("_", " "): found for state, found in states.items()}
        for label, states in sorted(summary.labels.items(), key=lambda entry: -sum(entry[1].values()))
    }
    if bad := summary.states[State.BAD_IMAGE.value]:
        counts["no verdict"] = {"bad image": bad}
    words = "; ".join(
        f"{label}: {', '.join(f'{count:,} {state}' for state, count in states.items())}"
        for label, states in counts.items()
    )
    document.figure(draw_verdicts(counts), alt=f"Bars of sheets per label and state. {words}.")
    states = [state for state in State if summary.states[state.value]]
    document.table(
        ["state", "sheets", Column("share", align="right")],
        [
            (
                state.replace("_", " "),
                summary.states[state.value],
                f"{summary.states[state.value] / summary.sheets:.1%}",
            )
            for state in states
        ],
        caption="Sheets per state",
    )


def _add_contacts(
    document: Document, summary: ScanSummary, inspector: Inspector, sheets: Mapping[int, PlannedSheet]
) -> None:
    document.chapter(
        "Sheets to check",
        lead=f"{_which(summary)} Red is evidence for the label; boxes are the regions of the verdict.",
    )
    reader = SourceReader()
    for state, words in _SECTIONS.items():
        shown = [each for each in summary.shown if each.state is state]
        drawn = [_thumbnail(each, sheets[each.index], reader, inspector) for each in shown]
        thumbnails = [each for each in drawn if each is not None]
        if thumbnails:
            names = ", ".join(f"{each.name} ({_verdict(each)})" for each in shown[:6])
            more = f" and {len(shown) - 6} more" if len(shown) > 6 else ""
            document.text(words)
            document.figure(
                draw_contact_sheet(thumbnails),
                id=state.value,
                alt=f"Sheets with the map of their label: {names}{more}.",
            )
        if missing := len(shown) - len(thumbnails):
            document.text(f"{missing} of them can no longer be read and are not shown.")
    reader.close()


def _which(summary: ScanSummary) -> str:
    shown, judged = len(summary.shown), summary.sheets - summary.states[State.BAD_IMAGE.value]
    return f"All {shown} sheets." if shown == judged else f"The {shown} least certain of {judged:,} sheets."


def _thumbnail(
    shown: ShownSheet, sheet: PlannedSheet, reader: SourceReader, inspector: Inspector
) -> Thumbnail | None:
    spec = inspector.bundle.card.input
    try:
        gray = decode(reader.read(sheet), sheet.name, spec).gray
    except ImageRefused:
        return None
    if gray is None:
        return None
    placement = place(shown.size, spec)
    boxes = [placement.to_model(box) for box in shown.boxes]
    heat = inspector.inspect(np.asarray(gray)).heatmap if shown.boxes else None
    name = on_one_line(shown.name.rpartition("/")[2])
    return Thumbnail(name, _verdict(shown), gray, heat, boxes, placement.pixel_aspect)


def _verdict(shown: ShownSheet) -> str:
    words = f"{shown.label} {probability_text(shown.probability)}"
    others = [name for name in shown.label_set if name != shown.label]
    return f"{words}, or {set_words(others)}" if others and shown.state is State.DOUBTFUL else words


def _add_drift(document: Document, drift: Sequence[Drift], usual: TrainingStatistics | None) -> None:
    document.chapter("Drift", lead="How these sheets differ from those that calibrated the model.")
    if usual is None:
        document.text("The bundle has no statistics of its calibration sheets.")
        return
    if not drift:
        document.text("No sheet was scanned.")
        return
    document.table(
        ["property", "calibration", "this scan", "difference", "level", "reading"],
        [
            (
                each.title,
                each.usual,
                each.found,
                Cell(each.difference, note=f"by chance {each.by_chance:.3f}"),
                Cell(Chip(each.level, _TONES[each.level])),  # type: ignore[arg-type]
                "cannot be told" if each.level == UNDECIDED else each.reading,
            )
            for each in drift
        ],
        caption="Scan against calibration",
        note=_drift_note(drift, grouped=usual.groups is not None),
    )


def _drift_note(drift: Sequence[Drift], *, grouped: bool) -> str:
    """Why levels are undecided, and what the numbers of the table are."""
    reasons = dict.fromkeys(each.reading for each in drift if each.level == UNDECIDED)
    return (
        "".join(f"Undecided: {reason}. " for reason in reasons)
        + "Medians; the difference is the largest gap between the distribution functions "
        "(Kolmogorov-Smirnov), of class shares the population stability index. "
        f"By chance: the difference that one of {round(1 / SURE)} scans without drift exceeds. "
        + (
            "The calibration sheets count by their groups. "
            if grouped
            else "This bundle records no groups of its calibration sheets, so they count singly; a new "
            "export records them. "
        )
        + "The scanned sheets count singly: where many are of one coil, a difference may be that coil's."
    )


def _reason_words(reason: str) -> str:
    return f"{reason} (may pass: tried again by the same scan)" if Reason(reason).transient else reason


def _add_bad(document: Document, summary: ScanSummary, passed_over: Sequence[Mapping[str, str]]) -> None:
    document.chapter("Set aside")
    bad = summary.states[State.BAD_IMAGE.value]
    if not bad and not passed_over:
        document.text("No file was set aside.")
    if bad:
        document.table(
            ["file", "reason", "what to do"],
            [(name, _reason_words(reason), detail) for name, reason, detail in summary.bad],
            caption="Bad images",
            note=f"The first {LISTED} of {bad}; {QUARANTINE} lists all." if bad > LISTED else "",
        )
    if passed_over:
        document.table(
            ["place", "why"],
            [(each["name"], each["reason"]) for each in passed_over[:LISTED]],
            caption="Not scanned",
            note=f"The first {LISTED} of {len(passed_over)}." if len(passed_over) > LISTED else "",
        )
