"""Chapters of the page of a search: clusters of reasons, and what each kind of mistake shares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from steelsight.explanations.gradcam import upsample
from steelsight.reports.cells import Cell, Column
from steelsight.reports.document import Document
from steelsight.reports.figures import Panel, draw_panels, panels_across
from steelsight.shortcuts.find.clusters import Cluster
from steelsight.shortcuts.find.mistakes import MistakeGroup
from steelsight.shortcuts.find.ranking import LEAST_EFFECT
from steelsight.shortcuts.find.run import SearchResult
from steelsight.shortcuts.nuisances.properties import Property

__all__ = ["panel_of", "short_title", "truth_of", "write_clusters", "write_mistakes"]

SHOWN = 4  # sheets of a mistake
MOST_GROUPS = 6  # kinds of mistakes told


def panel_of(found: SearchResult, row: int, title: str, *, target: int | None = None) -> Panel:
    """A sheet, with the map of a class where one is asked for."""
    gray = np.asarray(found.evidence.sheets.images[row])
    if target is None:
        return Panel(gray, title)
    coarse = torch.from_numpy(found.looked.maps[row, target].copy())
    return Panel(gray, title, upsample(coarse, (gray.shape[0], gray.shape[1])).numpy())


def truth_of(found: SearchResult, row: int) -> str:
    """A sheet's true class."""
    sheets = found.evidence.sheets
    return sheets.class_names[int(sheets.labels[row])]


def short_title(candidate: Property) -> str:
    """A property in a few words; a concept has no name, so it keeps its description."""
    return candidate.title if candidate.key.startswith("concept") else _before_colon(candidate.title)


def write_clusters(page: Document, found: SearchResult) -> None:
    """A table of all clusters, and the typical sheets of each with the map of their verdict."""
    names = found.evidence.sheets.class_names
    page.chapter("Kinds of reasons", id="reasons")
    page.text(
        "Sheets of one verdict, clustered by where Grad-CAM found the reason and by what the features there "
        "were (spectral relevance analysis). A pure cluster with a nuisance in common may be a shortcut that "
        "works; one with many wrong verdicts, a shortcut that fails."
    )
    if not found.clusters:
        page.text("No verdict has enough sheets to cluster.")
        return
    numbered = _numbered(found.clusters)
    page.table(
        ["verdict and cluster", "sheets", Column("right", 2), Column("purity", 2)],
        [
            [
                Cell(f"{names[each.verdict]}, cluster {number}", note=_traits(each)),
                int(each.rows.size),
                each.right,
                each.purity,
            ]
            for number, each in numbered
        ],
        id="clusters",
        caption="Clusters of every verdict",
        note="Right: share of right verdicts. Purity: share of the commonest true class. Below "
        "each name: what it has more of, or less, than the other clusters of its verdict, by Cliff's delta.",
    )
    across = panels_across(found.evidence.sheets.images.shape[1:])
    for verdict in dict.fromkeys(each.verdict for each in found.clusters):
        lines = []
        for number, each in numbered:
            if each.verdict == verdict:
                head = f"Cluster {number}: {each.rows.size} sheets, {each.right.estimate:.0%} right"
                rows = each.typical[:across]
                lines.append((head, [panel_of(found, r, truth_of(found, r), target=verdict) for r in rows]))
        page.figure(
            draw_panels(lines),
            id=f"clusters-{verdict}",
            alt=f"Typical sheets of {len(lines)} clusters of the verdict {names[verdict]}, with their maps.",
            caption=f"Verdict {names[verdict]}: the sheets next to each cluster's middle, by true class.",
        )


def write_mistakes(page: Document, found: SearchResult) -> None:
    """Tables and the surest sheets of each kind of mistake."""
    page.chapter("What mistakes share", id="mistakes")
    if not found.mistakes:
        page.text("No kind of mistake has enough sheets to compare.")
        return
    page.text(
        "Each kind of mistake against the right verdicts on the same true class: what the pictures have more "
        "of, or less, and on what the map of the wrong verdict lies."
    )
    for group in found.mistakes[:MOST_GROUPS]:
        _write_mistake(page, found, group)


def _write_mistake(page: Document, found: SearchResult, group: MistakeGroup) -> None:
    names, ids = found.evidence.sheets.class_names, found.evidence.sheets.ids
    kind, key = f"Truly {names[group.truth]}, called {names[group.verdict]}", f"{group.truth}-{group.verdict}"
    page.table(
        [
            "what they share",
            Column("delta", 2),
            Column("q", 4),
            Column("of the mistakes", 2),
            Column("of the right", 2),
        ],
        [
            [trait.property.title, trait.delta, trait.q_value, trait.wrong, trait.right]
            for trait in group.traits
        ],
        id=f"shared-{key}",
        caption=f"{kind}: {group.rows.size} of {group.among} sheets",
        note="Shares of sheets that have it, or more of it than the usual right one.",
    )
    page.table(
        [
            "where the reason lies",
            Column("here", 2),
            Column("by chance", 2),
            Column("where that verdict is right", 2),
        ],
        [[each.title, each.share, each.by_chance, each.of_right] for each in group.reasons],
        id=f"reasons-{key}",
        caption=f"{kind}: share of the map of {names[group.verdict]}",
        note="By chance: the share of the sheet's area.",
    )
    rows = group.rows[:SHOWN].tolist()
    panels = [panel_of(found, row, Path(ids[row]).stem, target=group.verdict) for row in rows]
    page.figure(
        draw_panels([("", panels)]),
        id=f"mistakes-{key}",
        alt=f"{len(rows)} sheets: {kind}, with the map of the verdict.",
        caption=f"{kind}, the surest first, with the map of {names[group.verdict]}.",
    )


def _numbered(clusters: tuple[Cluster, ...]) -> list[tuple[int, Cluster]]:
    counts: dict[int, int] = {}
    found = []
    for each in clusters:
        counts[each.verdict] = counts.get(each.verdict, 0) + 1
        found.append((counts[each.verdict], each))
    return found


def _traits(cluster: Cluster) -> str:
    strong = [trait for trait in cluster.traits[:3] if abs(trait.delta) >= LEAST_EFFECT]
    return (
        "; ".join(f"{_before_colon(trait.title)} {trait.delta:+.2f}" for trait in strong)
        or "nothing measured sets it apart"
    )


def _before_colon(title: str) -> str:
    return title.split(":")[0]
