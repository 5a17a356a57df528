"""A repair as chapters of a report: before and after for every cure, the choice, the proofs, sheets."""

from __future__ import annotations

from collections.abc import Sequence

from steelsight.reports.cells import Cell, Chip, Column, Value
from steelsight.reports.document import Document
from steelsight.shortcuts.prove.examples import Example
from steelsight.shortcuts.prove.report import TONES, p_text, write_examples, write_test
from steelsight.shortcuts.repair.methods import CURES
from steelsight.shortcuts.repair.methods_run import NOTHING_DONE, MethodOutcome, RepairOutcome

__all__ = ["headline", "write_repair"]


def write_repair(
    document: Document,
    found: RepairOutcome,
    nuisance: str,
    suspect: str,
    before: Sequence[Example],
    after: Sequence[Example],
) -> None:
    """All chapters."""
    document.chapter("What came of it", id="repair")
    document.text(headline(found, nuisance, suspect))
    _write_choice(document, found, nuisance)
    _write_flips(document, found, nuisance, suspect)
    _write_accuracy(document, found, nuisance)
    document.table(
        ["training sheets", "sheets"],
        [[name, count] for name, count in found.groups.items()],
        id="groups",
        caption="What the run learnt from",
    )
    for name, reason in found.impossible.items():
        document.notice(f"{name} could not be done: {reason}")
    document.chapter("The test before", id="test-before")
    write_test(document, found.before.judgement.proof, id="before")
    if found.best.run is not None:
        document.chapter("The test after", id="test-after")
        write_test(document, found.best.judgement.proof, id="after")
    if before:
        document.chapter("Sheets before", id="sheets-before")
        write_examples(document, list(before), id="example-before")
    if after:
        document.chapter("Sheets after", id="sheets-after")
        document.text("The sheets the repaired model still moves most when the nuisance is pasted.")
        write_examples(document, list(after), id="example-after")


def headline(found: RepairOutcome, nuisance: str, suspect: str) -> str:
    """What a person wants to know first.

    found  a repair whose chosen cure may be none
    """
    before, best = found.before, found.best
    if best.name == NOTHING_DONE:
        return (
            f"No cure tells more validation sheets right with and without {nuisance} than the run as it is; "
            "keep it, or bring more sheets."
        )
    told = [_flips(each) for each in (before, best)]
    change = best.change.accuracy if best.change is not None else None
    cost = (
        ""
        if change is None
        else (
            f" Accuracy changes by {100 * change.estimate:+.1f} points "
            f"[{100 * change.low:+.1f}, {100 * change.high:+.1f}] on {best.judgement.right.size:,} sheets."
        )
    )
    return (
        f"Chosen on validation sheets: {best.name} ({CURES[best.name].title}). Verdicts that turn to "
        f"{suspect} under a pasted {nuisance}, beyond the control: {told[0]} before, {told[1]} after.{cost}"
    )


def _flips(each: MethodOutcome) -> str:
    pasted = each.judgement.proof.pasted
    if pasted is None:
        return "not measured"
    excess = pasted.excess
    return f"{excess.estimate:.1%} [{excess.low:.1%}, {excess.high:.1%}]"


def _write_choice(document: Document, found: RepairOutcome, nuisance: str) -> None:
    best = max(each.robust for each in (found.before, *found.after))
    document.table(
        ["", "what is done", Column("right with and without", 3), Column("training, s", 0)],
        [
            [
                each.name,
                "nothing" if each.name == NOTHING_DONE else CURES[each.name].title,
                Cell(each.robust, strong=each.robust == best, note="chosen" * (each.name == found.chosen)),
                each.seconds,
            ]
            for each in (found.before, *found.after)
        ],
        id="choice",
        caption="The choice, on validation sheets",
        note=f"Share of validation sheets that are told right both as they are and with {nuisance} put on or "
        "taken off; where it cannot be pasted, the mean accuracy of classes with and without it.",
    )


def _write_flips(document: Document, found: RepairOutcome, nuisance: str, suspect: str) -> None:
    document.table(
        [
            "",
            "verdict",
            Column(f"flip with {nuisance}", 3),
            Column("with the control", 3),
            Column("difference", 3),
            Column("sheets", 0),
        ],
        [_flip_row(each) for each in (found.before, *found.after)],
        id="flips",
        caption=f"Proved again: does {nuisance} still speak for {suspect}?",
        note="On sheets of other classes that the model tells right without it.",
    )
    tested = [each for each in (found.before, *found.after) if each.judgement.proof.on_margins is not None]
    if tested:
        document.table(
            [
                "",
                Column("without", 0),
                Column("with", 0),
                Column("Cliff's delta", 2),
                Column("p", align="right"),
            ],
            [_test_row(each) for each in tested],
            id="tests",
            caption=f"Do defect-free sheets with {nuisance} still score higher?",
            note="Mann-Whitney, one-sided, on margins.",
        )


def _flip_row(each: MethodOutcome) -> list[Value | Cell]:
    proof = each.judgement.proof
    pasted = proof.pasted
    shares: list[Value | Cell] = [None] * 4
    if pasted is not None:
        shares = [pasted.flips, pasted.control_flips, pasted.excess, pasted.receivers]
    return [each.name, Chip(proof.verdict, TONES[proof.verdict]), *shares]


def _test_row(each: MethodOutcome) -> list[Value | Cell]:
    test = each.judgement.proof.on_margins
    if test is None:
        return [each.name, None, None, None, None]
    return [each.name, test.without, test.with_it, test.delta, p_text(test.p_value)]


def _write_accuracy(document: Document, found: RepairOutcome, nuisance: str) -> None:
    columns = {
        "accuracy": "accuracy",
        "balanced_accuracy": "balanced accuracy",
        "accuracy_defective_with": f"accuracy, defective with {nuisance}",
        "dice": "Dice of Grad-CAM",
    }
    rows: list[list[Value | Cell]] = []
    for each in (found.before, *found.after):
        rows.append([each.name, *(each.metrics[name] for name in columns)])
        if each.change is not None:
            rows.append(["change", *(getattr(each.change, name) for name in columns)])
    judged = found.before.judgement
    document.table(
        ["", *(Column(title, 3) for title in columns.values())],
        rows,
        id="accuracy",
        caption="What it costs, and what the maps gain",
        note=f"{judged.right.size:,} sheets, {int(judged.stained.sum())} defective with {nuisance}; Dice "
        f"of {judged.dice.size} masks, by the study's rule, for the true class. Changes are paired.",
    )
