"""Chapters of local explanations: methods in pictures and against masks, and the model's mistakes."""

from __future__ import annotations

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
from steelsight.study.contents import published_rows
from steelsight.study.results import LeagueResult, StudyResults

__all__ = ["write_explanations", "write_mistakes_chapter", "write_multiclass"]

SHOWN = 3  # mistakes of each kind

Omitted = dict[str, str]


def write_explanations(document: Document, study: StudyResults) -> Omitted:
    """The study's comparison of methods on the binary model: pictures, table, a mask of average quality."""
    document.chapter("Local explanations", id="explanations", status="done")
    return _write_league(document, study, BINARY)


def write_multiclass(document: Document, study: StudyResults) -> Omitted:
    """The same for the multi-class model, and Grad-CAM of every class on one sheet of each class."""
    document.chapter(
        "Local explanations of the multi-class model", id="multiclass-explanations", status="done"
    )
    omitted = _write_league(document, study, MULTICLASS)
    shown = study.shown
    if shown is None or study.chosen is None:
        return omitted | {"multiclass-gradcam": "no multi-class model was trained"}
    rows = []
    names = shown.card.class_names
    for position in _most_confident_of_each(study):
        item = study.data.items[position]
        gray = np.asarray(study.data.images[position])
        explanation = explain_images(shown.model, shown.card, gray[None])[0]
        mask = mask_fractions(item, study.data.input) if item.types and item.evidence == "mask" else None
        truth = names[int(study.data.labelled.labels[position])]
        title = f"{item.path.stem}  {explanation.verdict} {explanation.confidence:.2f}  (true: {truth})"
        panels = [f"{names[c]}  {explanation.probabilities[c]:.2f}" for c in explanation.targets]
        rows.append(ExplanationRow(gray, mask, title, list(explanation.maps), panels))
    document.figure(
        draw_explanations(rows),
        id="multiclass-gradcam",
        alt=f"A test sheet of each of {len(rows)} classes with Grad-CAM for every class.",
        caption="The most confident correct verdict of each class, or without one the sheet with the "
        "highest probability of it. Red: evidence for the class above the map; blue: against it. "
        "Yellow: the annotated mask.",
    )
    return omitted


@dataclass(frozen=True)
class _BlockNames:
    """Ids of the blocks for one model, the published table, and the method whose mask the slide shows."""

    table: str
    compared: str
    segmentation: str
    league: str
    mask: str
    method: str


BINARY = _BlockNames(
    "binary_segmentation",
    "explanations-compared",
    "binary-segmentation",
    "binary-league",
    "binary-mask-example",
    "guided_backprop",
)
MULTICLASS = _BlockNames(
    "multiclass_segmentation",
    "multiclass-compared",
    "multiclass-segmentation",
    "multiclass-league",
    "multiclass-mask-example",
    "guided_gradcam",
)


def _write_league(document: Document, study: StudyResults, names: _BlockNames) -> Omitted:
    result = study.league_result
    if result is None:
        reason = "no test sheet has a mask to compare a map with"
        document.text(f"Methods were not compared: {reason}.")
        return dict.fromkeys((names.compared, names.segmentation, names.mask), reason)
    league = result.league
    document.text(
        f"Every method explains {len(league.ids)} defective test sheets. Its maps are turned into masks by "
        "the study's rule and by a rule chosen on validation sheets. " + recommendation(league)
    )
    for note in league.notes:
        document.notice(f"{note[0].upper()}{note[1:]}.")
    published = published_rows(study.published[names.table])
    _write_side_by_side(document, result, names.compared)
    write_league_table(document, league, published, id=names.segmentation)
    document.figure(
        league_figure(league, published),
        id=names.league,
        alt="Dice of each method with intervals, the study's figures, and the scores of true masks on "
        "this grid.",
        caption="Vertical lines: scores of the true masks when reduced to the model's grid, an upper limit.",
    )
    method = names.method if names.method in league.results else league.recommended[ALL].method
    figure, words = picture_mask(league, result.cases, method, "study")
    document.figure(figure, id=names.mask, alt=words, caption=words)
    write_checks(document, league)
    return {}


def _most_confident_of_each(study: StudyResults) -> list[int]:
    """Position of the most confident correct verdict of each class, else of its most probable sheet."""
    result = study.chosen
    labels = study.labels
    if result is None:
        return []
    positions = []
    for kind in range(len(study.data.labelled.class_names)):
        rows = np.flatnonzero(labels == kind)
        if not rows.size:
            continue
        right = rows[result.clean[rows].argmax(axis=1) == kind]
        among = right if right.size else rows
        positions.append(int(study.split.test[among[result.clean[among, kind].argmax()]]))
    return positions


def write_mistakes_chapter(document: Document, study: StudyResults) -> Omitted:
    """False positives and false negatives of the model shown in detail, the most confident first."""
    document.chapter("False positives and false negatives", id="mistakes", status="done")
    if study.shown is None:
        document.text("No model was trained.")
        return {}
    mistakes, predicted = collect_mistakes([study.shown], "test")
    rows = draw_mistakes(mistakes, predicted, method="gradcam", most=SHOWN)
    for kind in KINDS:
        some = [mistake for mistake in mistakes if mistake.kind == kind]
        drawn = [rows[mistake.row] for mistake in some if mistake.row in rows]
        if kind == "wrong type" and not some:
            continue
        document.text(f"{KINDS[kind]}: {len(some)} of {len(predicted)} test sheets" + _shown(len(drawn)))
        if drawn:
            document.figure(
                draw_explanations(drawn),
                id=kind.replace(" ", "-") + "s",
                alt=f"{len(drawn)} {kind}s with Grad-CAM.",
            )
    return {}


def _write_side_by_side(document: Document, result: LeagueResult, id: str) -> None:
    league = result.league
    method = "gradcam" if "gradcam" in league.results else league.recommended[ALL].method
    right = np.flatnonzero(league.right)
    scores = league.results[method].scores["study"]
    row = nearest_to_average(scores)
    if right.size and not league.right[row]:
        row = int(right[nearest_to_average({name: values[right] for name, values in scores.items()})])
    figure, words = picture_methods(league, result.cases, row)
    document.figure(figure, id=id, alt=words, caption=words)


def _shown(drawn: int) -> str:
    if not drawn:
        return "."
    return f"; the {drawn} most confident are shown." if drawn > 1 else "; the most confident one is shown."
