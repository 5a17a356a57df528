"""The page of a search for shortcuts: findings first, every candidate, kinds of reasons, what mistakes share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32

from steelsight.explanations.gradcam import upsample
from steelsight.reports.cells import Cell, Chip, Column, Tone
from steelsight.reports.document import Document
from steelsight.reports.figures import EffectRow, Panel, draw_effects, draw_panels
from steelsight.shortcuts.find import Found
from steelsight.shortcuts.find_numbers import find_json
from steelsight.shortcuts.paste_check import LEAST_SHIFT
from steelsight.shortcuts.shared import MistakeGroup
from steelsight.shortcuts.spectral import Cluster
from steelsight.shortcuts.suspects import LEAST_EFFECT, Q_LEVEL, STATUSES, Suspect
from steelsight.training.conclude import environment

__all__ = ["headline", "panel_of", "write_find_page"]

TONES: dict[str, Tone] = {"finding": "bad", "untested": "open", "reaction": "open"}
SHOWN = 4  # sheets of a cluster or a mistake
MOST_GROUPS = 6  # kinds of mistakes drawn
ENDS = 3  # sheets with most, and least, of a property


def write_find_page(path: Path, found: Found, *, title: str, seed: int, model: str) -> None:
    """Write `path` (HTML) and the JSON beside it."""
    sheets = found.evidence.sheets
    page = Document(
        "Shortcuts: what the model may look at instead of the defect",
        subtitle=f"{title} · {len(sheets):,} sheets of {sheets.name}",
    )
    page.chapter("At a glance", id="summary")
    page.text(headline(found))
    for note in found.notes:
        page.notice(f"{note[0].upper()}{note[1:]}.")
    _write_ranking(page, found)
    for suspect in found.suspects:
        if suspect.status in ("finding", "untested", "reaction", "refuted"):
            _write_suspect(page, found, suspect)
    _write_clusters(page, found)
    _write_mistakes(page, found)
    page.footer({"Data": sheets.name, "Model": model, "Seed": seed, **environment()})
    page.save(path, find=find_json(found))


def headline(found: Found) -> str:
    """What came out, in a sentence or two."""
    names = found.evidence.sheets.class_names
    if found.findings:
        listed = "; ".join(
            f"{each.candidate.title} speaks for {names[each.pull.target]}" for each in found.findings
        )
        return f"{_count(len(found.findings), 'finding')}: {listed}. Next: steelsight shortcuts prove."
    others = [each for each in found.suspects if each.status in ("untested", "reaction")]
    more = (
        f" {_count(len(others), 'candidate')} to look at: "
        + "; ".join(e.candidate.title for e in others)
        + "."
        if others
        else ""
    )
    return (
        f"No finding among {len(found.suspects)} candidates: none goes with the margin within its class, goes "
        f"with the class, and moves the margin when pasted.{more}"
    )


def panel_of(found: Found, row: int, title: str, *, target: int | None = None) -> Panel:
    """A sheet with the map of a class; None = without."""
    gray = np.asarray(found.evidence.sheets.images[row])
    heat = None if target is None else _large(found.looked.maps[row, target], gray.shape)
    return Panel(gray, title, heat)


def _large(coarse: Float32[np.ndarray, "gh gw"], size: tuple[int, ...]) -> Float32[np.ndarray, "h w"]:
    large: Float32[np.ndarray, "h w"] = upsample(torch.from_numpy(coarse.copy()), (size[0], size[1])).numpy()
    return large


def _write_ranking(page: Document, found: Found) -> None:
    names = found.evidence.sheets.class_names
    page.chapter("Candidates, ranked", id="candidates")
    page.text(
        "Of two sheets of the same true class that differ in a property, how often has the one with more of it "
        "the larger logit margin for a class? The effect D (Somers' D) is that share scaled to -1..1; for what is "
        "there or not it is Cliff's delta. A finding needs a false discovery rate "
        f"(Benjamini-Hochberg over all candidates and classes) of at most {Q_LEVEL}, an interval of D above "
        f"{LEAST_EFFECT}, the property more frequent on the class itself, and a paste that goes at least "
        f"{LEAST_SHIFT:.0%} of the way to the class's usual margin."
    )
    page.figure(
        draw_effects(
            [
                EffectRow(
                    f"{_short(each)} → {names[each.pull.target]}", each.pull.effect, each.status == "finding"
                )
                for each in found.suspects
            ],
            least=LEAST_EFFECT,
            label="Somers' D of the margin within true classes, 95 % interval",
        ),
        id="effects",
        alt="; ".join(
            f"{_short(each)} for {names[each.pull.target]}: {each.pull.effect.estimate:.2f}"
            for each in found.suspects[:8]
        ),
    )
    page.table(
        [
            "candidate",
            "speaks for",
            "status",
            Column("effect D", 2),
            Column("q", 4),
            Column("more on the class", 2),
            Column("paste", 2),
            Column("flips", 2),
        ],
        [
            [
                Cell(_short(each), note=f"follows {each.follows}" if each.follows else each.candidate.note),
                names[each.pull.target],
                Chip(each.status, TONES.get(each.status, "off")),
                each.pull.effect,
                each.pull.q_value,
                each.pull.with_class.delta,
                each.check.shift if each.check else None,
                f"{each.check.flips.estimate:.0%} / {each.check.control_flips.estimate:.0%}"
                if each.check and each.check.sheets
                else None,
            ]
            for each in found.suspects
        ],
        id="candidates-table",
        caption="Every candidate with the class it speaks for most",
        note="More on the class: Cliff's delta of the property between the class and all others. Paste: median "
        "shift of the margin, paste minus control, as a share of the way to the class. Flips: sheets given to the "
        "class with the paste / with its control. "
        + " ".join(f"{name.capitalize()}: {words}." for name, words in STATUSES.items()),
    )


def _write_suspect(page: Document, found: Found, suspect: Suspect) -> None:
    names, target = found.evidence.sheets.class_names, suspect.pull.target
    page.chapter(
        f"{_short(suspect)} → {names[target]}", id=f"suspect-{suspect.candidate.key}", status=suspect.status
    )
    effect = suspect.pull.effect
    page.text(
        f"Among sheets of one true class, more of it goes with a larger margin for {names[target]}: "
        if suspect.more
        else f"Among sheets of one true class, less of it goes with a larger margin for {names[target]}: "
    )
    page.facts(
        {
            "effect D within true classes": effect,
            "p, q over all candidates": f"{suspect.pull.p_value:.4f}, {suspect.pull.q_value:.4f}",
            f"more on {names[target]} than on other sheets (Cliff's delta)": suspect.pull.with_class.delta,
            **{f"mean on {names[c]}": float(v) for c, v in _class_means(found, suspect)},
        }
    )
    if suspect.check is not None and suspect.check.sheets:
        check = suspect.check
        page.text(
            f"Pasted on {check.sheets} rightly judged sheets of other classes it moves the margin "
            f"{check.shift.estimate:.0%} of the way to that of {names[target]} (interval {check.shift.low:.0%} to "
            f"{check.shift.high:.0%}, {check.gap:.1f} logits are the whole way); {check.flips.estimate:.0%} are "
            f"then called {names[target]}, {check.control_flips.estimate:.0%} with the control."
        )
    page.figure(
        draw_panels(_pictures(found, suspect)),
        id=f"pictures-{suspect.candidate.key}",
        alt=f"Sheets with most and least of {suspect.candidate.title}, and sheets before and after pasting it.",
        caption="Red speaks for the class, blue against it.",
    )


def _class_means(found: Found, suspect: Suspect) -> list[tuple[int, float]]:
    labels = found.evidence.sheets.labels
    return [(c, float(suspect.candidate.values[labels == c].mean())) for c in np.unique(labels).tolist()]


def _pictures(found: Found, suspect: Suspect) -> list[tuple[str, list[Panel]]]:
    target, values = suspect.pull.target, suspect.candidate.values
    margins = found.evidence.margins[:, target]
    order = np.argsort(-values if suspect.more else values, kind="stable")
    word = "most" if suspect.more else "least"
    lines = [
        (
            f"Sheets with {word} of it, and the map of {found.evidence.sheets.class_names[target]}",
            [
                panel
                for row in order[:ENDS].tolist()
                for panel in (
                    panel_of(found, row, f"{_name(found, row)}  margin {margins[row]:+.1f}"),
                    panel_of(found, row, _truth(found, row), target=target),
                )
            ],
        )
    ]
    for each in suspect.check.examples if suspect.check else ():
        before, changed, control = each.margins
        lines.append(
            (
                f"{_name(found, each.row)}, truly {_truth(found, each.row)}: margin {before:+.1f}",
                [
                    Panel(each.changed, f"changed: {changed:+.1f}"),
                    Panel(each.control, f"control: {control:+.1f}"),
                ],
            )
        )
    return lines


def _write_clusters(page: Document, found: Found) -> None:
    names = found.evidence.sheets.class_names
    page.chapter("Kinds of reasons", id="reasons")
    page.text(
        "Sheets of one verdict, clustered by where Grad-CAM found the reason and what the features there were "
        "(spectral relevance analysis). A cluster of pure verdicts with a nuisance in common is a shortcut that "
        "works; one with many wrong verdicts is a shortcut that fails."
    )
    if not found.clusters:
        page.text("No verdict has enough sheets to cluster.")
        return
    page.table(
        [
            "verdict",
            "cluster",
            "sheets",
            Column("right", 2),
            Column("purity", 2),
            "more, or less, than the others",
        ],
        [
            [names[each.verdict], number, int(each.rows.size), each.right, each.purity, _traits(each)]
            for number, each in _numbered(found.clusters)
        ],
        id="clusters",
        caption="Clusters of every verdict",
        note="Right: share of right verdicts. Purity: share of the commonest true class. Last column: Cliff's delta "
        "against the other clusters of the verdict.",
    )
    for verdict in dict.fromkeys(each.verdict for each in found.clusters):
        lines = [
            (
                f"{names[verdict]}, cluster {number}: {each.rows.size} sheets, {each.right.estimate:.0%} right",
                [panel_of(found, row, _truth(found, row), target=verdict) for row in each.typical[:2]],
            )
            for number, each in _numbered(found.clusters)
            if each.verdict == verdict
        ]
        page.figure(
            draw_panels(lines),
            id=f"clusters-{verdict}",
            alt=f"Typical sheets of {len(lines)} clusters of verdict {names[verdict]}, with their maps.",
            caption=f"Verdict {names[verdict]}: the sheets next to each cluster's middle, titled by true class.",
        )


def _numbered(clusters: Sequence[Cluster]) -> list[tuple[int, Cluster]]:
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
        or "nothing measured"
    )


def _write_mistakes(page: Document, found: Found) -> None:
    page.chapter("What mistakes share", id="mistakes")
    if not found.mistakes:
        page.text("No kind of mistake has enough sheets to compare.")
        return
    names = found.evidence.sheets.class_names
    page.text(
        "Each kind of mistake against the right verdicts on the same true class: what the pictures have more or "
        "less of, and on what the map of the wrong verdict lies."
    )
    for group in found.mistakes[:MOST_GROUPS]:
        _write_mistake(page, found, group, names)


def _write_mistake(page: Document, found: Found, group: MistakeGroup, names: Sequence[str]) -> None:
    kind = f"{names[group.truth]} called {names[group.verdict]}"
    page.table(
        [
            "what they share",
            Column("delta", 2),
            Column("q", 3),
            Column("of the mistakes", 2),
            Column("of the right", 2),
        ],
        [
            [trait.property.title, trait.delta, trait.q_value, trait.wrong, trait.right]
            for trait in group.traits
        ],
        id=f"shared-{group.truth}-{group.verdict}",
        caption=f"{kind}: {group.rows.size} of {group.among} sheets",
        note="Shares of sheets that have it, or more of it than the usual right one.",
    )
    page.table(
        [
            "where the reason lies",
            Column("here", 2),
            Column("by chance", 2),
            Column("where the verdict is right", 2),
        ],
        [[each.title, each.share, each.by_chance, each.of_right] for each in group.reasons],
        id=f"reasons-{group.truth}-{group.verdict}",
        caption=f"{kind}: share of the verdict's map",
        note="By chance: the share of the sheet's area.",
    )
    rows = group.rows[:SHOWN].tolist()
    page.figure(
        draw_panels([("", [panel_of(found, row, _name(found, row), target=group.verdict) for row in rows])]),
        id=f"mistakes-{group.truth}-{group.verdict}",
        alt=f"{len(rows)} sheets: {kind}, with the map of the verdict.",
        caption=f"{kind}, the surest first, with the map of the verdict.",
    )


def _short(suspect: Suspect) -> str:
    name = (
        suspect.candidate.title
        if suspect.candidate.key.startswith("concept")
        else _before_colon(suspect.candidate.title)
    )
    return name if suspect.more else f"less {name}"


def _before_colon(title: str) -> str:
    return title.split(":")[0]


def _name(found: Found, row: int) -> str:
    return Path(found.evidence.sheets.ids[row]).stem


def _truth(found: Found, row: int) -> str:
    return found.evidence.sheets.class_names[int(found.evidence.sheets.labels[row])]


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"
