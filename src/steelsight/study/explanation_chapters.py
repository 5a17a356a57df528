"""Local explanations: methods side by side, as segmentation against masks, and the model's mistakes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from steelsight.explanations.league_choice import ALL
from steelsight.explanations.league_pictures import nearest_to_average, picture_mask, picture_methods
from steelsight.explanations.league_report import (
    league_figure,
    recommendation,
    write_checks,
    write_league_table,
)
from steelsight.explanations.mistakes import KINDS
from steelsight.reports.document import Document
from steelsight.reports.figures import draw_explanations
from steelsight.study.contents import PublishedTable
from steelsight.study.findings import Findings
from steelsight.study.judged import Judgement
from steelsight.study.mistakes_page import collect_mistakes, draw_mistakes

__all__ = ["published_rows", "write_explanations", "write_mistakes_chapter"]

QUALITATIVE = "guided_backprop"  # what the study's slide of an average mask shows
SHOWN = 3  # mistakes of each kind

Omitted = dict[str, str]


def write_explanations(document: Document, found: Findings) -> Omitted:
    """The study's comparison of methods on these data: pictures, the table, an average mask."""
    document.chapter("Local explanations", id="explanations", status="done")
    judged = found.judgement
    if judged is None:
        reason = "no test sheet has a mask to judge a map by"
        document.text(f"Methods were not compared: {reason}.")
        return dict.fromkeys(("explanations-compared", "binary-segmentation", "binary-mask-example"), reason)
    league = judged.league
    document.text(
        f"Every method explains {len(league.ids)} defective test sheets; its maps become masks by the "
        "study's rule and by one chosen on validation sheets. " + recommendation(league)
    )
    for note in league.notes:
        document.notice(f"{note[0].upper()}{note[1:]}.")
    published = published_rows(found.published["binary_segmentation"])
    _write_side_by_side(document, judged)
    write_league_table(document, league, published, id="binary-segmentation")
    document.figure(
        league_figure(league, published),
        id="binary-league",
        alt="Dice of each method with intervals beside the study's, and what true masks score on this grid.",
        caption="Lines: what true masks score after the model's own grid.",
    )
    method = QUALITATIVE if QUALITATIVE in league.standings else league.recommended[ALL].method
    figure, words = picture_mask(league, judged.bouts, method, "study")
    document.figure(figure, id="binary-mask-example", alt=words, caption=words)
    write_checks(document, league)
    return {}


def write_mistakes_chapter(document: Document, found: Findings) -> Omitted:
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


def _write_side_by_side(document: Document, judged: Judgement) -> None:
    league = judged.league
    method = "gradcam" if "gradcam" in league.standings else league.recommended[ALL].method
    right = np.flatnonzero(league.right)
    scores = league.standings[method].by["study"]
    row = nearest_to_average(scores)
    if right.size and not league.right[row]:
        row = int(right[nearest_to_average({name: values[right] for name, values in scores.items()})])
    figure, words = picture_methods(league, judged.bouts, row)
    document.figure(figure, id="explanations-compared", alt=words, caption=words)


def _shown(drawn: int) -> str:
    if not drawn:
        return "."
    return f"; the surest {drawn} below." if drawn > 1 else "; the surest below."
