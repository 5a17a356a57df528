"""Chapters of a repair's page: the choice, every method before and after, the proofs, example sheets."""

from __future__ import annotations

from collections.abc import Sequence

from steelsight.reports.cells import Cell, Chip, Column, Value
from steelsight.reports.document import Document
from steelsight.shortcuts.prove.examples import Example
from steelsight.shortcuts.prove.report import TONES, p_text, write_examples, write_test
from steelsight.shortcuts.repair.conclusion import repair_conclusion
from steelsight.shortcuts.repair.methods import REPAIR_METHODS
from steelsight.shortcuts.repair.methods_run import NOTHING_DONE, MethodOutcome, RepairOutcome

__all__ = ["headline", "write_repair"]


def write_repair(
    document: Document,
    outcome: RepairOutcome,
    nuisance: str,
    suspected_class: str,
    before: Sequence[Example],
    after: Sequence[Example],
) -> None:
    """Write all chapters of a repair.

    before, after  example sheets of the unchanged run and of the chosen one
    """
    document.chapter("Result", id="repair")
    document.text(headline(outcome, nuisance, suspected_class))
    _write_choice(document, outcome, nuisance)
    _write_flips(document, outcome, nuisance, suspected_class)
    _write_accuracy(document, outcome, nuisance)
    document.table(
        ["training sheets", "sheets"],
        [[name, count] for name, count in outcome.groups.items()],
        id="groups",
        caption="Training sheets of the run",
    )
    for name, reason in outcome.impossible.items():
        document.notice(f"{name} could not be done: {reason}")
    document.chapter("Two-group test before", id="test-before")
    write_test(document, outcome.before.evaluation.proof, id="before")
    if outcome.best.run is not None:
        document.chapter("Two-group test after", id="test-after")
        write_test(document, outcome.best.evaluation.proof, id="after")
    if before:
        document.chapter("Example sheets before", id="sheets-before")
        write_examples(document, list(before), id="example-before")
    if after:
        document.chapter("Example sheets after", id="sheets-after")
        document.text(
            "The sheets with the largest remaining shift of the margin when the nuisance is pasted."
        )
        write_examples(document, list(after), id="example-after")


def headline(outcome: RepairOutcome, nuisance: str, suspected_class: str) -> str:
    """Summarise a repair: the chosen method, flips before and after, and the change in accuracy.

    outcome  its chosen method may be none
    """
    before, best = outcome.before, outcome.best
    if best.name == NOTHING_DONE:
        return (
            f"No method classifies more validation sheets correctly with and without {nuisance} than the "
            "unchanged run; keep it, or bring more sheets."
        )
    change = best.change.accuracy if best.change is not None else None
    cost = (
        ""
        if change is None
        else (
            f" Accuracy changes by {100 * change.estimate:+.1f} points "
            f"[{100 * change.low:+.1f}, {100 * change.high:+.1f}] on {best.evaluation.right.size:,} sheets."
        )
    )
    shown = repair_conclusion(before.evaluation.proof, best.evaluation.proof, nuisance)
    return (
        f"Chosen on validation sheets: {best.name} ({REPAIR_METHODS[best.name].title}). {shown} Verdicts "
        f"that flip to {suspected_class}: before, {_flips(before, nuisance)}; after, "
        f"{_flips(best, nuisance)}.{cost}"
    )


def _flips(each: MethodOutcome, nuisance: str) -> str:
    pasted = each.evaluation.proof.pasted
    if pasted is None:
        return "not measured"
    excess = pasted.excess
    return (
        f"{pasted.flips.estimate:.1%} with a pasted {nuisance} and {pasted.control_flips.estimate:.1%} with "
        f"the control, difference {excess.estimate:.1%} [{excess.low:.1%}, {excess.high:.1%}] on "
        f"{pasted.receivers} sheets"
    )


def _write_choice(document: Document, outcome: RepairOutcome, nuisance: str) -> None:
    best = max(each.robust for each in (outcome.before, *outcome.after))
    document.table(
        ["", "method", Column("correct with and without", 3), Column("training, s", 0)],
        [
            [
                each.name,
                "none" if each.name == NOTHING_DONE else REPAIR_METHODS[each.name].title,
                Cell(each.robust, strong=each.robust == best, note="chosen" * (each.name == outcome.chosen)),
                each.seconds,
            ]
            for each in (outcome.before, *outcome.after)
        ],
        id="choice",
        caption="Choice on validation sheets",
        note=f"Share of validation sheets with correct verdicts both unchanged and with {nuisance} pasted or "
        "removed; where it cannot be pasted, the mean accuracy of the groups of class and presence.",
    )


def _write_flips(document: Document, outcome: RepairOutcome, nuisance: str, suspected_class: str) -> None:
    document.table(
        [
            "",
            "verdict",
            Column(f"flip with {nuisance}", 3),
            Column("with the control", 3),
            Column("difference", 3),
            Column("sheets", 0),
        ],
        [_flip_row(each) for each in (outcome.before, *outcome.after)],
        id="flips",
        caption=f"Proof after repair: does {nuisance} still flip verdicts to {suspected_class}?",
        note="On sheets of other classes that the model classifies correctly without it.",
    )
    tested = [
        each for each in (outcome.before, *outcome.after) if each.evaluation.proof.on_margins is not None
    ]
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
            caption=f"Margins of defect-free sheets without and with {nuisance}",
            note="Mann-Whitney, one-sided, on margins.",
        )


def _flip_row(each: MethodOutcome) -> list[Value | Cell]:
    proof = each.evaluation.proof
    pasted = proof.pasted
    shares: list[Value | Cell] = [None] * 4
    if pasted is not None:
        shares = [pasted.flips, pasted.control_flips, pasted.excess, pasted.receivers]
    return [each.name, Chip(proof.verdict, TONES[proof.verdict]), *shares]


def _test_row(each: MethodOutcome) -> list[Value | Cell]:
    test = each.evaluation.proof.on_margins
    if test is None:
        return [each.name, None, None, None, None]
    return [each.name, test.without, test.with_it, test.delta, p_text(test.p_value)]


def _write_accuracy(document: Document, outcome: RepairOutcome, nuisance: str) -> None:
    columns = {
        "accuracy": "accuracy",
        "balanced_accuracy": "balanced accuracy",
        "accuracy_defective_with": f"accuracy, defective with {nuisance}",
        "dice": "Dice of Grad-CAM",
    }
    rows: list[list[Value | Cell]] = []
    for each in (outcome.before, *outcome.after):
        rows.append([each.name, *(each.metrics[name] for name in columns)])
        if each.change is not None:
            rows.append(["change", *(getattr(each.change, name) for name in columns)])
    evaluated = outcome.before.evaluation
    document.table(
        ["", *(Column(title, 3) for title in columns.values())],
        rows,
        id="accuracy",
        caption="Accuracy and quality of the maps",
        note=f"{evaluated.right.size:,} sheets, {int(evaluated.defective_with.sum())} defective with "
        f"{nuisance}; Dice of {evaluated.dice.size} masks, by the study's rule, for the true class. "
        "Changes are paired.",
    )
