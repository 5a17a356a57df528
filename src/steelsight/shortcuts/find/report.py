"""The page of a search for shortcuts: findings, all candidates, clusters of explanations, mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from steelsight.counterfactuals.pasting.paste_check import LEAST_SHIFT, PasteCheck
from steelsight.reports.cells import Cell, Chip, Column, Tone
from steelsight.reports.document import Document
from steelsight.reports.figures import EffectRow, Panel, draw_effects, draw_panels
from steelsight.shortcuts.find.numbers import find_json
from steelsight.shortcuts.find.ranking import LEAST_EFFECT, Q_LEVEL, STATUSES, Candidate, Status
from steelsight.shortcuts.find.reasons_page import (
    panel_of,
    short_title,
    truth_of,
    write_clusters,
    write_mistakes,
)
from steelsight.shortcuts.find.representatives import class_means, representative_sheets
from steelsight.shortcuts.find.run import SearchResult
from steelsight.training.conclude import environment

__all__ = ["candidate_name", "headline", "write_find_page"]

TONES: dict[Status, Tone] = {"finding": "bad", "untested": "open", "reaction": "open"}
DETAILED: tuple[Status, ...] = ("finding", "untested", "reaction", "refuted")  # one chapter per candidate


def write_find_page(
    path: Path,
    result: SearchResult,
    *,
    title: str,
    seed: int,
    model: str,
    search: Mapping[str, str] | None = None,
    kept: Mapping[str, Any] | None = None,
) -> None:
    """Write `path` (HTML) and the JSON beside it.

    title   the run's name; model  its architecture's name
    search  which weights were searched, on which sheets, with which outcome; for the card of a bundle
    kept    settings of this search, and where an earlier one is kept; see `files.keep_earlier`
    """
    sheets = result.evidence.sheets
    page = Document(
        "Shortcuts: image content the model may use instead of the defect",
        subtitle=f"{title} · {len(sheets):,} sheets of {sheets.name}",
    )
    page.chapter("Summary", id="summary")
    page.text(headline(result))
    for note in result.notes:
        page.notice(f"{note[0].upper()}{note[1:]}.")
    _write_ranking(page, result)
    for candidate in result.candidates:
        if candidate.status in DETAILED:
            _write_candidate(page, result, candidate)
    write_clusters(page, result)
    write_mistakes(page, result)
    page.footer({"Data": sheets.name, "Model": model, "Seed": seed, **environment()})
    page.save(path, find=find_json(result), search=dict(search or {}), **(kept or {}))


def headline(result: SearchResult) -> str:
    """Summarise a search in one or two sentences."""
    names = result.evidence.sheets.class_names

    def listed(candidates: tuple[Candidate, ...]) -> str:
        pairs = [f"{candidate_name(each)} indicates {names[each.association.target]}" for each in candidates]
        return "; ".join(pairs)

    if result.findings:
        count = len(result.findings)
        return (
            f"{count} finding{'s' * (count != 1)}: {listed(result.findings)}. Next step: `shortcuts prove`."
        )
    others = tuple(each for each in result.candidates if each.status in ("untested", "reaction"))
    undecided = sum(each.status == "undecided" for each in result.candidates)
    return (
        f"No finding among {len(result.candidates)} candidates: none is associated with the margin within "
        f"true classes and with the class, and shifts the margin when pasted. Undecided: {undecided}."
        + (f" Check by eye: {listed(others)}." if others else "")
    )


def candidate_name(candidate: Candidate) -> str:
    """The name of a candidate with the direction that indicates its class."""
    name = short_title(candidate.property)
    return name if candidate.more else f"less {name}"


def _write_ranking(page: Document, result: SearchResult) -> None:
    names = result.evidence.sheets.class_names
    page.chapter("Candidates, ranked", id="candidates")
    page.text(
        "The effect D (Somers' D) compares two sheets of one true class that differ in a property: it is the "
        "share of pairs in which the sheet with more of it has the larger logit margin for a class, scaled "
        "to -1..1; for a binary property it is Cliff's delta. A finding needs a false discovery rate "
        f"(Benjamini and Hochberg's, over all candidates and classes) of at most {Q_LEVEL}, an interval of D "
        f"above {LEAST_EFFECT}, the property to be more frequent on that class itself, and a paste that "
        f"shifts the margin by more than {LEAST_SHIFT:.0%} of the way to the class's median margin."
    )
    named = [
        (f"{candidate_name(each)} → {names[each.association.target]}", each) for each in result.candidates
    ]
    page.figure(
        draw_effects(
            [EffectRow(name, each.association.effect, each.status == "finding") for name, each in named],
            least=LEAST_EFFECT,
            label="Somers' D of the margin within true classes, 95 % interval",
        ),
        id="effects",
        alt="Effects: "
        + "; ".join(f"{name} {each.association.effect.estimate:.2f}" for name, each in named[:8]),
    )
    page.table(
        [
            "candidate",
            "indicates",
            "status",
            Column("effect D", 2),
            Column("q", 4),
            Column("delta of the class", 2),
            Column("paste", 2),
            "flips",
        ],
        [
            [
                Cell(
                    candidate_name(each),
                    note=f"follows {each.follows}" if each.follows else each.property.note,
                ),
                names[each.association.target],
                Chip(each.status, TONES.get(each.status, "off")),
                each.association.effect,
                each.association.q_value,
                each.association.with_class.delta,
                each.check.shift if each.check else None,
                _flips(each.check),
            ]
            for each in result.candidates
        ],
        id="candidates-table",
        caption="Every candidate with the class it indicates most strongly",
        note="Delta of the class: Cliff's delta of the property between that class and all others. Paste: "
        "median shift of the margin, paste minus control, as a share of the way to the class. Flips: share "
        "of sheets classified as the class with the paste / with its control. "
        + " ".join(f"{name.capitalize()}: {meaning}." for name, meaning in STATUSES.items()),
    )


def _flips(check: PasteCheck | None) -> str | None:
    if check is None or not check.sheets:
        return None
    return f"{check.flips.estimate:.0%} / {check.control_flips.estimate:.0%}"


def _write_candidate(page: Document, result: SearchResult, candidate: Candidate) -> None:
    names, check = result.evidence.sheets.class_names, candidate.check
    association = candidate.association
    target, key = names[association.target], candidate.property.key
    name = candidate_name(candidate)
    page.chapter(f"{name[0].upper()}{name[1:]} → {target}", id=f"candidate-{key}")
    page.text(f"{candidate.status.capitalize()}: {STATUSES[candidate.status]}.")
    page.facts(
        {
            "property": candidate.property.title,
            "effect D within true classes": association.effect,
            "p": f"{association.p_value:.4f}",
            "q over all candidates": f"{association.q_value:.4f}",
            f"more on {target} than on other sheets (Cliff's delta)": association.with_class.delta,
            **{f"mean on {name}": value for name, value in class_means(result.evidence, candidate).items()},
        }
    )
    if check is not None and check.sheets:
        page.text(
            f"On {check.sheets} correctly classified sheets of other classes, pasting shifts the margin by "
            f"{check.shift.estimate:z.0%} of the way to the median one of {target} (95 % interval "
            f"{check.shift.low:z.0%} to {check.shift.high:z.0%}; the whole way is {check.gap:.1f} logits). "
            f"{check.flips.estimate:.0%} are then classified as {target}, "
            f"{check.control_flips.estimate:.0%} with the control."
        )
    page.figure(
        draw_panels(_pictures(result, candidate)),
        id=f"pictures-{key}",
        alt=f"Sheets with the property, and changed sheets with their controls: {candidate.property.title}.",
        caption=f"By true class, with the margin of {target}. Red is evidence for {target}, blue against it.",
    )


def _pictures(result: SearchResult, candidate: Candidate) -> list[tuple[str, list[Panel]]]:
    target, ids = candidate.association.target, result.evidence.sheets.ids
    name, margins = result.evidence.sheets.class_names[target], result.evidence.margins[:, target]
    panels: list[Panel] = []
    for row in representative_sheets(result.evidence, candidate):
        title = f"{Path(ids[row]).stem}, {truth_of(result, row)}: margin {margins[row]:+.1f}"
        panels += [panel_of(result, row, title), panel_of(result, row, f"map of {name}", target=target)]
    amount = "much" if candidate.more else "little"
    lines = [(f"Sheets with {amount} of it; of other classes, nearest to {name}, first", panels)]
    for each in candidate.check.examples if candidate.check else ():
        before, changed, control = each.margins
        aspect = result.evidence.sheets.pixel_aspect(each.row)
        head = f"{Path(ids[each.row]).stem}, {truth_of(result, each.row)}: margin {before:+.1f}"
        pair = [
            Panel(each.changed, f"changed: {changed:+.1f}", pixel_aspect=aspect),
            Panel(each.control, f"control: {control:+.1f}", pixel_aspect=aspect),
        ]
        lines.append((head, pair))
    return lines
