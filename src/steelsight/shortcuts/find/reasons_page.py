"""Chapters of the search page: clusters of explanations, and common properties of mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from steelsight.counterfactuals.nuisances.properties import Property
from steelsight.explanations.gradcam import upsample
from steelsight.reports.cells import Cell, Column
from steelsight.reports.document import Document
from steelsight.reports.figures import Panel, draw_panels, panels_across
from steelsight.shortcuts.find.clusters import Cluster
from steelsight.shortcuts.find.mistakes import MistakeGroup
from steelsight.shortcuts.find.ranking import LEAST_EFFECT
from steelsight.shortcuts.find.run import SearchResult

__all__ = ["panel_of", "short_title", "truth_of", "write_clusters", "write_mistakes"]

SHOWN = 4  # sheets per kind of mistake
MOST_GROUPS = 6  # kinds of mistakes shown


def panel_of(result: SearchResult, row: int, title: str, *, target: int | None = None) -> Panel:
    """Make a panel of a sheet, with the map of a class where one is given.

    row     position of the sheet
    target  class index; None = no map
    """
    gray = np.asarray(result.evidence.sheets.images[row])
    aspect = result.evidence.sheets.pixel_aspect(row)
    if target is None:
        return Panel(gray, title, pixel_aspect=aspect)
    coarse = torch.from_numpy(result.outputs.maps[row, target].copy())
    return Panel(gray, title, upsample(coarse, (gray.shape[0], gray.shape[1])).numpy(), aspect)


def truth_of(result: SearchResult, row: int) -> str:
    """The name of a sheet's true class."""
    sheets = result.evidence.sheets
    return sheets.class_names[int(sheets.labels[row])]


def short_title(item: Property) -> str:
    """The name of a property; a concept keeps its whole description."""
    return item.title if item.key.startswith("concept") else _before_colon(item.title)


def write_clusters(page: Document, result: SearchResult) -> None:
    """Write a table of all clusters, and the typical sheets of each with the map of their verdict."""
    names = result.evidence.sheets.class_names
    page.chapter("Clusters of explanations", id="reasons")
    page.text(
        "Sheets of one verdict, clustered by their Grad-CAM maps and by the features at the places of high "
        "relevance (spectral relevance analysis). A pure cluster with a common nuisance may be a shortcut "
        "that gives correct verdicts; one with many wrong verdicts, a shortcut that fails."
    )
    if not result.clusters:
        page.text("No verdict has enough sheets to cluster.")
        return
    numbered = _numbered(result.clusters)
    page.table(
        ["verdict and cluster", "sheets", Column("correct", 2), Column("purity", 2)],
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
        note="Correct: share of correct verdicts. Purity: share of the commonest true class. Below each "
        "name: properties compared with the other clusters of its verdict, by Cliff's delta.",
    )
    columns = panels_across(panel_of(result, 0, ""))
    for verdict in dict.fromkeys(each.verdict for each in result.clusters):
        lines = []
        for number, each in numbered:
            if each.verdict == verdict:
                head = f"Cluster {number}: {each.rows.size} sheets, {each.right.estimate:.0%} correct"
                rows = each.typical[:columns]
                lines.append((head, [panel_of(result, r, truth_of(result, r), target=verdict) for r in rows]))
        page.figure(
            draw_panels(lines),
            id=f"clusters-{verdict}",
            alt=f"Typical sheets of {len(lines)} clusters of the verdict {names[verdict]}, with their maps.",
            caption=f"Verdict {names[verdict]}: the sheets nearest to each cluster's mean, by true class.",
        )


def write_mistakes(page: Document, result: SearchResult) -> None:
    """Write tables and the sheets with the largest margins of each kind of mistake."""
    page.chapter("Common properties of mistakes", id="mistakes")
    if not result.mistakes:
        page.text("No kind of mistake has enough sheets to compare.")
        return
    page.text(
        "Each kind of mistake compared with the correct verdicts on the same true class: properties of the "
        "pictures, and regions on which the map of the wrong verdict lies."
    )
    for group in result.mistakes[:MOST_GROUPS]:
        _write_mistake(page, result, group)


def _bounds_words(group: MistakeGroup) -> str:
    if group.groups == 1 and group.rows.size > 1:
        return "All these mistakes are of one group, which may have the property by chance: no bounds."
    return "Bounds: 95 %, by groups."


def _write_mistake(page: Document, result: SearchResult, group: MistakeGroup) -> None:
    names, ids = result.evidence.sheets.class_names, result.evidence.sheets.ids
    kind, key = (
        f"True class {names[group.truth]}, verdict {names[group.verdict]}",
        f"{group.truth}-{group.verdict}",
    )
    page.table(
        [
            "property",
            Column("delta", 2),
            Column("q", 4),
            Column("share of mistakes", 2),
            Column("share of correct", 2),
        ],
        [
            [trait.property.title, trait.delta, trait.q_value, trait.wrong, trait.right]
            for trait in group.traits
        ],
        id=f"shared-{key}",
        caption=f"{kind}: {group.rows.size} of {group.among} sheets, in {group.groups} "
        f"{'group' if group.groups == 1 else 'groups'}",
        note="Shares of sheets that have the property, or more of it than the median correct one. "
        + _bounds_words(group),
    )
    page.table(
        [
            "region",
            Column("on the mistakes", 2),
            Column("by chance", 2),
            Column("where that verdict is correct", 2),
        ],
        [[each.title, each.share, each.by_chance, each.of_right] for each in group.reasons],
        id=f"reasons-{key}",
        caption=f"{kind}: share of the map of {names[group.verdict]}",
        note="By chance: the share of the sheet's area.",
    )
    rows = group.rows[:SHOWN].tolist()
    panels = [panel_of(result, row, Path(ids[row]).stem, target=group.verdict) for row in rows]
    page.figure(
        draw_panels([("", panels)]),
        id=f"mistakes-{key}",
        alt=f"{len(rows)} sheets: {kind}, with the map of the verdict.",
        caption=f"{kind}, the largest margin first, with the map of {names[group.verdict]}.",
    )


def _numbered(clusters: tuple[Cluster, ...]) -> list[tuple[int, Cluster]]:
    counts: dict[int, int] = {}
    numbered = []
    for each in clusters:
        counts[each.verdict] = counts.get(each.verdict, 0) + 1
        numbered.append((counts[each.verdict], each))
    return numbered


def _traits(cluster: Cluster) -> str:
    strong = [trait for trait in cluster.traits[:3] if abs(trait.delta) >= LEAST_EFFECT]
    return (
        "; ".join(f"{_before_colon(trait.title)} {trait.delta:+.2f}" for trait in strong)
        or "no property differs strongly"
    )


def _before_colon(title: str) -> str:
    return title.split(":")[0]
