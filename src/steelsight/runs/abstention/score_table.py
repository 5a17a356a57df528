"""The table of confidence scores in reports."""

from __future__ import annotations

from collections.abc import Sequence

from steelsight.evaluation.intervals.bounds import SAME_EVERYWHERE
from steelsight.reports.cells import Column
from steelsight.reports.document import Document
from steelsight.runs.abstention.confidence import PERFECT, SCORE_TITLES, ScoreRow

__all__ = ["add_score_table", "describe_areas"]


def add_score_table(document: Document, rows: Sequence[ScoreRow], *, id: str, which: str) -> None:
    """Add one row for each score, the perfect order among them.

    which  name of the sheets in the caption
    """
    perfect = next(row for row in rows if row.name == PERFECT).coverage_99.estimate
    document.table(
        [
            "confidence",
            Column("AURC", 4),
            Column("minus softmax", 4),
            "coverage at 99 %",
            "of the perfect",
            "coverage at 95 %",
            Column("AUGRC", 4),
        ],
        [
            [
                SCORE_TITLES[row.name],
                row.aurc,
                None if row.against_softmax is None else row.against_softmax.difference,
                row.coverage_99,
                row.coverage_99.estimate / perfect if perfect else None,
                row.coverage_95,
                row.augrc,
            ]
            for row in rows
        ],
        id=id,
        caption=f"Confidence scores, {which}",
        note="AURC: area under risk over coverage, lower is better. Coverage at a selective accuracy is "
        "optimistic, since it is chosen on these sheets. A difference whose interval lies below 0 is better "
        f"than softmax. {SAME_EVERYWHERE} Of two classes, margin and entropy order every sheet as softmax "
        "does.",
    )


def describe_areas(rows: Sequence[ScoreRow]) -> str:
    """Description of the figure of risk over coverage."""
    areas = ", ".join(f"{SCORE_TITLES[row.name]} {row.aurc:.4f}" for row in rows)
    return f"Risk over coverage; area under it: {areas}"
