"""How much of the study the report repeats, and what became of its claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from steelsight.reports.cells import Cell, Chip, Column, Value
from steelsight.reports.document import Document
from steelsight.study.claims import judge
from steelsight.study.contents import load_contents
from steelsight.study.findings import Findings

__all__ = ["write_claims", "write_contents"]

CHAPTER_TITLES = {  # of this report
    "data": "Data",
    "architectures": "Architectures",
    "binary": "Binary models",
    "gradcam": "Grad-CAM",
}


def write_contents(document: Document, omitted: Mapping[str, str]) -> None:
    """Every table and figure of the slides: where it is, what it will come from, or why it cannot be.

    omitted  ids of done items these data could not give, with the reason
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


def write_claims(document: Document, found: Findings) -> list[dict[str, object]]:
    """One line a claim; returns them for the JSON companion."""
    document.chapter("The study's claims", id="claims")
    document.text(
        f"Each claim of the slides, judged on {found.data.name} alone. A claim holds, or does not, only "
        "where the 95 % interval decides it; otherwise it is undecided here."
    )
    if found.options.quick:
        document.notice(
            "Few sheets and few epochs: no claim about a trained model or a time is decided.",
            title="A quick look.",
        )
    rows: list[list[Value | Cell]] = []
    told: list[dict[str, object]] = []
    for item in load_contents():
        if item.kind != "claim":
            continue
        verdict = judge(item, found)
        rows.append(
            [
                Cell(item.what, note=f"slide {item.slide}"),
                Chip(verdict.answer),
                verdict.interval,
                verdict.because,
            ]
        )
        told.append(
            {
                "id": item.id,
                "slide": item.slide,
                "claim": item.what,
                "verdict": verdict.answer,
                "interval": verdict.interval,
                "because": verdict.because,
            }
        )
    document.table(
        ["claim", "verdict", Column("interval", 3, align="right"), "because"], rows, id="claims-table"
    )
    return told
