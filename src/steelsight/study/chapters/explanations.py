"""Local explanations: methods side by side, as segmentation against masks, and the model's mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from steelsight.explanations.benchmark.pictures import nearest_to_average, picture_mask, picture_methods
from steelsight.explanations.benchmark.report import (
    league_figure,
    recommendation,
    write_checks,
    write_league_table,
)
from steelsight.explanations.benchmark.selection import ALL
from steelsight.explanations.mistakes import KINDS
from steelsight.explanations.verdicts import explain_images
from steelsight.reports.document import Document
from steelsight.reports.figures import draw_explanations
from steelsight.reports.figures.explanation.panels import ExplanationRow
from steelsight.runs.mistakes import collect_mistakes, draw_mistakes
from steelsight.sheets.catalog import mask_fractions
from steelsight.study.contents import PublishedTable
from steelsight.study.league import LeagueResult
from steelsight.study.results import StudyResults

__all__ = ["published_rows", "write_explanations", "write_mistakes_chapter", "write_multiclass"]

SHOWN = 3  # mistakes of each kind

Omitted = dict[str, str]


def write_explanations(document: Document, found: StudyResults) -> Omitted:
    """The study's comparison of methods on the binary model: pictures, the table, an average mask."""
    document.chapter("Local explanations", id="explanations", status="done")
    return _write_league(document, found, BINARY)


def write_multiclass(document: Document, found: StudyResults) -> Omitted:
    """The same on the multi-class model, and Grad-CAM of every class on a sheet of each."""
    document.chapter(
        "Local explanations of the multi-class model", id="multiclass-explanations", status="done"
    )
    omitted = _write_league(document, found, MULTICLASS)
    shown = found.shown
    if shown is None or found.chosen is None:
        return omitted | {"multiclass-gradcam": "no multi-class model was trained"}
    rows = []
    names = shown.card.class_names
    for position in _surest_of_each(found):
        item = found.data.items[position]
        gray = np.asarray(found.data.images[position])
        told = explain_images(shown.model, shown.card, gray[None])[0]
        mask = mask_fractions(item, found.data.input) if item.types and item.evidence == "mask" else None
        truth = names[int(found.data.labelled.labels[position])]
        title = f"{item.path.stem}  {told.verdict} {told.confidence:.2f}  (true: {truth})"
        panels = [f"{names[c]}  {told.probabilities[c]:.2f}" for c in told.targets]
        rows.append(ExplanationRow(gray, mask, title, list(told.maps), panels))
    document.figure(
        draw_explanations(rows),
        id="multiclass-gradcam",
        alt=f"A test sheet of each of {len(rows)} classes with Grad-CAM for every class.",
        caption="The surest right verdict of each class, or where there is none its surest sheet; red speaks "
        "for the class above the map, blue against it. Yellow: the annotated mask.",
    )
    return omitted


@dataclass(frozen=True)
class _Half:
    """Names of one half's blocks, the study's table beside it, and the method its slide of a mask shows."""

    table: str
    compared: str
    segmentation: str
    league: str
    mask: str
    qualitative: str


BINARY = _Half(
    "binary_segmentation",
    "explanations-compared",
    "binary-segmentation",
    "binary-league",
    "binary-mask-example",
    "guided_backprop",
)
MULTICLASS = _Half(
    "multiclass_segmentation",
    "multiclass-compared",
    "multiclass-segmentation",
    "multiclass-league",
    "multiclass-mask-example",
    "guided_gradcam",
)


def _write_league(document: Document, found: StudyResults, half: _Half) -> Omitted:
    judged = found.judgement
    if judged is None:
        reason = "no test sheet has a mask to judge a map by"
        document.text(f"Methods were not compared: {reason}.")
        return dict.fromkeys((half.compared, half.segmentation, half.mask), reason)
    league = judged.league
    document.text(
        f"Every method explains {len(league.ids)} defective test sheets; its maps become masks by the "
        "study's rule and by one chosen on validation sheets. " + recommendation(league)
    )
    for note in league.notes:
        document.notice(f"{note[0].upper()}{note[1:]}.")
    published = published_rows(found.published[half.table])
    _write_side_by_side(document, judged, half.compared)
    write_league_table(document, league, published, id=half.segmentation)
    document.figure(
        league_figure(league, published),
        id=half.league,
        alt="Dice of each method with intervals beside the study's, and what true masks score on this grid.",
        caption="Lines: what true masks score after the model's own grid.",
    )
    method = half.qualitative if half.qualitative in league.results else league.recommended[ALL].method
    figure, words = picture_mask(league, judged.cases, method, "study")
    document.figure(figure, id=half.mask, alt=words, caption=words)
    write_checks(document, league)
    return {}


def _surest_of_each(found: StudyResults) -> list[int]:
    """Positions: of each class the surest right verdict, else the sheet most surely of it."""
    result = found.chosen
    labels = found.labels
    if result is None:
        return []
    positions = []
    for kind in range(len(found.data.labelled.class_names)):
        rows = np.flatnonzero(labels == kind)
        if not rows.size:
            continue
        right = rows[result.clean[rows].argmax(axis=1) == kind]
        among = right if right.size else rows
        positions.append(int(found.split.test[among[result.clean[among, kind].argmax()]]))
    return positions


def write_mistakes_chapter(document: Document, found: StudyResults) -> Omitted:
    """False positives and false negatives of the model shown in detail, the surest first."""
    document.chapter("False positives and false negatives", id="mistakes", status="done")
    if found.shown is None:
        document.text("No model was trained.")
        return {}
    mistakes, answered = collect_mistakes([found.shown], "test")
    rows = draw_mistakes(mistakes, answered, method="gradcam", most=SHOWN)
    for kind in KINDS:
        some = [mistake for mistake in mistakes if mistake.kind == kind]
        drawn = [rows[mistake.row] for mistake in some if mistake.row in rows]
        if kind == "wrong type" and not some:
            continue
        document.text(f"{KINDS[kind]}: {len(some)} of {len(answered)} test sheets" + _shown(len(drawn)))
        if drawn:
            document.figure(
                draw_explanations(drawn),
                id=kind.replace(" ", "-") + "s",
                alt=f"{len(drawn)} {kind}s with Grad-CAM.",
            )
    return {}


def published_rows(table: PublishedTable) -> Mapping[str, Mapping[str, float]]:
    """A table of the study, a row by its name as figures by column."""
    return {name: dict(zip(table.columns, row, strict=True)) for name, row in table.rows.items()}


def _write_side_by_side(document: Document, judged: LeagueResult, id: str) -> None:
    league = judged.league
    method = "gradcam" if "gradcam" in league.results else league.recommended[ALL].method
    right = np.flatnonzero(league.right)
    scores = league.results[method].scores["study"]
    row = nearest_to_average(scores)
    if right.size and not league.right[row]:
        row = int(right[nearest_to_average({name: values[right] for name, values in scores.items()})])
    figure, words = picture_methods(league, judged.cases, row)
    document.figure(figure, id=id, alt=words, caption=words)


def _shown(drawn: int) -> str:
    if not drawn:
        return "."
    return f"; the surest {drawn} below." if drawn > 1 else "; the surest below."
