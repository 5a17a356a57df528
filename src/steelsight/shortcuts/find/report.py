"""The page of a search for shortcuts: findings first, then every candidate, kinds of reasons, mistakes."""

from __future__ import annotations

from pathlib import Path

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
from steelsight.shortcuts.pasting.paste_check import LEAST_SHIFT, PasteCheck
from steelsight.training.conclude import environment

__all__ = ["candidate_name", "headline", "write_find_page"]

TONES: dict[Status, Tone] = {"finding": "bad", "untested": "open", "reaction": "open"}
TOLD: tuple[Status, ...] = ("finding", "untested", "reaction", "refuted")  # a chapter each


def write_find_page(path: Path, found: SearchResult, *, title: str, seed: int, model: str) -> None:
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
        if suspect.status in TOLD:
            _write_suspect(page, found, suspect)
    write_clusters(page, found)
    write_mistakes(page, found)
    page.footer({"Data": sheets.name, "Model": model, "Seed": seed, **environment()})
    page.save(path, find=find_json(found))


def headline(found: SearchResult) -> str:
    """What came out, in a sentence or two."""
    names = found.evidence.sheets.class_names

    def listed(suspects: tuple[Candidate, ...]) -> str:
        words = [f"{candidate_name(each)} speaks for {names[each.pull.target]}" for each in suspects]
        return "; ".join(words)

    if found.findings:
        count = len(found.findings)
        return f"{count} finding{'s' * (count != 1)}: {listed(found.findings)}. Next: prove it."
    others = tuple(each for each in found.suspects if each.status in ("untested", "reaction"))
    undecided = sum(each.status == "undecided" for each in found.suspects)
    return (
        f"No finding among {len(found.suspects)} candidates: none is shown to go with the margin within true "
        f"classes, to go with the class, and to move the margin when pasted. Undecided: {undecided}."
        + (f" To look at all the same: {listed(others)}." if others else "")
    )


def candidate_name(suspect: Candidate) -> str:
    """A candidate in a few words, with the direction that speaks for its class."""
    name = short_title(suspect.candidate)
    return name if suspect.more else f"less {name}"


def _write_ranking(page: Document, found: SearchResult) -> None:
    names = found.evidence.sheets.class_names
    page.chapter("Candidates, ranked", id="candidates")
    page.text(
        "Of two sheets of one true class that differ in a property, how often has the one with more of it "
        "the larger logit margin for a class? The effect D (Somers' D) is that share brought to -1..1; for "
        "what is there or not it is Cliff's delta. A finding needs a false discovery rate (Benjamini and "
        f"Hochberg's, over all candidates and classes) of at most {Q_LEVEL}, an interval of D above "
        f"{LEAST_EFFECT}, the property to be more frequent on that class itself, and a paste that goes more "
        f"than {LEAST_SHIFT:.0%} of the way to the class's usual margin."
    )
    named = [(f"{candidate_name(each)} → {names[each.pull.target]}", each) for each in found.suspects]
    page.figure(
        draw_effects(
            [EffectRow(name, each.pull.effect, each.status == "finding") for name, each in named],
            least=LEAST_EFFECT,
            label="Somers' D of the margin within true classes, 95 % interval",
        ),
        id="effects",
        alt="Effects: " + "; ".join(f"{name} {each.pull.effect.estimate:.2f}" for name, each in named[:8]),
    )
    page.table(
        [
            "candidate",
            "speaks for",
            "status",
            Column("effect D", 2),
            Column("q", 4),
            Column("more on it", 2),
            Column("paste", 2),
            "flips",
        ],
        [
            [
                Cell(
                    candidate_name(each),
                    note=f"follows {each.follows}" if each.follows else each.candidate.note,
                ),
                names[each.pull.target],
                Chip(each.status, TONES.get(each.status, "off")),
                each.pull.effect,
                each.pull.q_value,
                each.pull.with_class.delta,
                each.check.shift if each.check else None,
                _flips(each.check),
            ]
            for each in found.suspects
        ],
        id="candidates-table",
        caption="Every candidate with the class it speaks for most",
        note="More on it: Cliff's delta of the property between that class and all others. Paste: median "
        "shift of the margin, paste minus control, as a share of the way to the class. Flips: sheets given "
        "to the class with the paste / with its control. "
        + " ".join(f"{name.capitalize()}: {words}." for name, words in STATUSES.items()),
    )


def _flips(check: PasteCheck | None) -> str | None:
    if check is None or not check.sheets:
        return None
    return f"{check.flips.estimate:.0%} / {check.control_flips.estimate:.0%}"


def _write_suspect(page: Document, found: SearchResult, suspect: Candidate) -> None:
    names, pull, check = found.evidence.sheets.class_names, suspect.pull, suspect.check
    target, key = names[pull.target], suspect.candidate.key
    name = candidate_name(suspect)
    page.chapter(f"{name[0].upper()}{name[1:]} → {target}", id=f"suspect-{key}")
    page.text(f"{suspect.status.capitalize()}: {STATUSES[suspect.status]}.")
    page.facts(
        {
            "what is measured": suspect.candidate.title,
            "effect D within true classes": pull.effect,
            "p": f"{pull.p_value:.4f}",
            "q over all candidates": f"{pull.q_value:.4f}",
            f"more on {target} than on other sheets (Cliff's delta)": pull.with_class.delta,
            **{f"mean on {name}": value for name, value in class_means(found.evidence, suspect).items()},
        }
    )
    if check is not None and check.sheets:
        page.text(
            f"On {check.sheets} rightly judged sheets of other classes it moves the margin "
            f"{check.shift.estimate:.0%} of the way to the usual one of {target} (95 % interval "
            f"{check.shift.low:.0%} to {check.shift.high:.0%}; the way is {check.gap:.1f} logits long). "
            f"{check.flips.estimate:.0%} are then called {target}, {check.control_flips.estimate:.0%} with "
            "the control."
        )
    page.figure(
        draw_panels(_pictures(found, suspect)),
        id=f"pictures-{key}",
        alt=f"Sheets with it, and sheets changed and their controls: {suspect.candidate.title}.",
        caption=f"By true class, with the margin of {target}. Red speaks for {target}, blue against it.",
    )


def _pictures(found: SearchResult, suspect: Candidate) -> list[tuple[str, list[Panel]]]:
    target, ids = suspect.pull.target, found.evidence.sheets.ids
    name, margins = found.evidence.sheets.class_names[target], found.evidence.margins[:, target]
    telling: list[Panel] = []
    for row in representative_sheets(found.evidence, suspect):
        title = f"{Path(ids[row]).stem}, {truth_of(found, row)}: margin {margins[row]:+.1f}"
        telling += [panel_of(found, row, title), panel_of(found, row, f"map of {name}", target=target)]
    much = "much" if suspect.more else "little"
    lines = [(f"Sheets with {much} of it: of other classes, nearest to {name}, first", telling)]
    for each in suspect.check.examples if suspect.check else ():
        before, changed, control = each.margins
        head = f"{Path(ids[each.row]).stem}, {truth_of(found, each.row)}: margin {before:+.1f}"
        pair = [
            Panel(each.changed, f"changed: {changed:+.1f}"),
            Panel(each.control, f"control: {control:+.1f}"),
        ]
        lines.append((head, pair))
    return lines
