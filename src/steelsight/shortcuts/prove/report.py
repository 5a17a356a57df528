"""Chapters of a proof's page: verdict and rule, two-group test, paste, removal, examples."""

from __future__ import annotations

from steelsight.counterfactuals.decision import ALPHA, FINDABLE_DELTA, LEAST_EXCESS, POWER
from steelsight.counterfactuals.pasting.counterfactual import DoseEffect, PasteEffect
from steelsight.counterfactuals.pasting.removal import RemovalEffect
from steelsight.counterfactuals.proof import GroupScores, ShortcutProof
from steelsight.evaluation.intervals.two_groups import TwoGroups, sheets_needed
from steelsight.reports.cells import Cell, Chip, Column, Tone
from steelsight.reports.document import Document
from steelsight.reports.figures.shortcut.proof import DosePoint, draw_changed, draw_doses, draw_two_groups
from steelsight.shortcuts.prove.examples import Example

__all__ = ["TONES", "p_text", "write_doses", "write_examples", "write_paste", "write_proof", "write_test"]

UNBROKEN = "\u2011"  # non-breaking hyphen
TONES: dict[str, Tone] = {"proven": "bad", "not found at this power": "good", "inconclusive": "open"}


def write_proof(document: Document, proof: ShortcutProof, examples: list[Example]) -> None:
    """Write all chapters of one proof."""
    document.chapter("Verdict", id="verdict")
    document.facts(
        {
            "nuisance": proof.nuisance,
            "suspected class": proof.suspected_class,
            "verdict": Chip(proof.verdict, TONES[proof.verdict]),
        }
    )
    document.text(proof.because[0].upper() + proof.because[1:] + ".")
    document.text(
        f"Proven: the lower 95 % bound of flips beyond the control is above {LEAST_EXCESS:.0%}. Not found at "
        f"this power: the upper bound is not, and the test detects nothing although its power for a delta of "
        f"{FINDABLE_DELTA:.2f} is at least {POWER:.0%}. Inconclusive: everything else. Where no sheet has "
        "the nuisance, a proof is one of a sensitivity to drawn examples."
    )
    for note in proof.notes:
        document.notice(note)
    document.chapter("The study's test", id="test")
    write_test(document, proof)
    document.chapter("Pasted on sheets of another class", id="pasted")
    if proof.pasted is None:
        document.text("Nothing could be pasted; the notes above give the reason.")
    else:
        write_paste(document, proof.nuisance, proof.suspected_class, proof.pasted)
        write_doses(document, proof.nuisance, proof.pasted)
        write_examples(document, examples)
    if proof.removal is not None:
        document.chapter("Stains removed", id="reverse")
        _write_removal(document, proof.suspected_class, proof.removal)


def write_test(document: Document, proof: ShortcutProof, *, id: str = "groups") -> None:
    """Write distributions, p-values, effect and required group sizes; a sentence where a group is empty.

    id  prefix of the identifiers of figure and table
    """
    if proof.on_margins is None or proof.on_probabilities is None or proof.scores is None:
        document.text("There are no two groups of defect-free sheets to compare.")
        return
    document.text(
        f"Defect-free sheets without (X) and with (Y) {proof.nuisance}, from the {proof.source}. "
        f"H0: P(X > Y) ≥ P(Y > X), X and Y being scores for {proof.suspected_class}; one-sided Mann-Whitney "
        "U. The margin is the log odds of the class, which does not saturate; the probability, in single "
        "precision, is the study's score. Brunner and Munzel's test allows unequal spread."
        f"{_grouping_words(proof.scores, proof.nuisance)}"
    )
    scores, names = proof.scores, (f"without {proof.nuisance}", f"with {proof.nuisance}")
    document.figure(
        draw_two_groups(
            {
                f"margin of {proof.suspected_class}": (scores.margin_without, scores.margin_with),
                f"probability of {proof.suspected_class}": (
                    scores.probability_without,
                    scores.probability_with,
                ),
            },
            names,
        ),
        id=f"{id}-figure",
        alt=f"Margins and probabilities of {proof.suspected_class}, without and with {proof.nuisance}: "
        f"Cliff's delta {proof.on_margins.delta.estimate:.2f} on margins.",
        caption=f"Ticks: {scores.units}; lines: medians.",
    )
    write_test_table(document, proof.on_margins, proof.on_probabilities, id=id, units=scores.units)


def _grouping_words(scores: GroupScores, nuisance: str) -> str:
    """How sheets become the compared scores, where related sheets count once."""
    if scores.units == "sheets":
        return ""
    return (
        f" Related sheets count once, with their mean score: {scores.sheets_without} sheets without "
        f"{nuisance} are {scores.margin_without.size} groups, and {scores.sheets_with} with it are "
        f"{scores.margin_with.size}."
    )


def write_test_table(
    document: Document,
    on_margins: TwoGroups,
    on_probabilities: TwoGroups,
    *,
    id: str = "groups",
    units: str = "sheets",
) -> None:
    """Write p-values, effect and required group sizes for both scores.

    units  what a score belongs to, as `GroupScores.units`
    """
    document.table(
        ["score", "without", "with", "p", "Brunner-Munzel p", "Cliff's delta"],
        [
            [
                Cell(name, note=f"{test.method}; {test.tied_pairs} tied pairs"),
                test.without,
                test.with_it,
                p_text(test.p_value),
                "–" if test.brunner_munzel_p is None else p_text(test.brunner_munzel_p),
                test.delta,
            ]
            for name, test in (("margin", on_margins), ("probability", on_probabilities))
        ],
        id=id,
        caption=f"Scores of {units} without and with it",
        note=_required_sizes(on_margins, units),
    )


def write_paste(
    document: Document, nuisance: str, suspected_class: str, pasted: PasteEffect, *, id: str = "paste"
) -> None:
    """Write flips and shifts of the nuisance, of its control, and their difference."""
    filling = "the sheet's own steel, mirrored" if nuisance == "end" else "clean texture of the same shape"
    document.text(
        f"{pasted.receivers} correctly classified sheets without {nuisance}, of other classes than "
        f"{suspected_class}, get one ({pasted.material}), never on the defect; the control is {filling}, at "
        f"the same place. A flip is a verdict that becomes {suspected_class}. {_left_out(pasted)}"
    )
    document.table(
        ["pasted", Column("verdicts that flip", 3), Column(f"change of {suspected_class}'s margin", 2)],
        [
            [nuisance, pasted.flips, pasted.shift],
            ["control", pasted.control_flips, pasted.control_shift],
            ["difference on the same sheets", pasted.excess, pasted.excess_shift],
        ],
        id=id,
        caption="Effect of pasting",
        note="Verdicts afterwards: "
        + ", ".join(f"{count} {name}" for name, count in pasted.becomes.items())
        + ".",
    )


def write_doses(document: Document, nuisance: str, pasted: PasteEffect, *, id: str = "doses") -> None:
    """Write flips by area and by brightness; nothing with fewer than two doses of either."""
    by_area = sorted((d for d in pasted.doses if d.brightness == 1), key=lambda d: d.area)
    by_brightness = sorted((d for d in pasted.doses if d.area == 1), key=lambda d: d.brightness)
    if len(by_area) < 2 or len(by_brightness) < 2:
        return
    document.figure(
        draw_doses(
            {
                "area, pixels at model size": [_point(d, d.area_px) for d in by_area],
                "brightness, 0 = the steel, 1 = the stamp": [_point(d, d.brightness) for d in by_brightness],
            }
        ),
        id=f"{id}-figure",
        alt="Share of verdicts that flip by area and by brightness: "
        + "; ".join(f"{d.area_px:.0f} px {d.flips.estimate:.2f}" for d in by_area),
    )
    document.table(
        [Column("pixels", 0), "flips", "control flips", Column("change of margin", 2)],
        [
            [
                Cell(d.area_px, note=f"area {d.area:.0%}, brightness {d.brightness:.0%}"),
                d.flips,
                d.control_flips,
                d.shift,
            ]
            for d in pasted.doses
        ],
        id=id,
        caption=f"Flips by dose of {nuisance}",
    )


def write_examples(document: Document, examples: list[Example], *, id: str = "example") -> None:
    """Draw each sheet unchanged, with the nuisance and with the control, with Grad-CAM of every class."""
    for number, example in enumerate(examples, start=1):
        document.figure(
            draw_changed(
                example.versions,
                example.class_names,
                mask=example.mask,
                title=example.title,
                pixel_aspect=example.pixel_aspect,
            ),
            id=id if number == 1 else f"{id}-{number}",
            alt=f"{example.title}: " + "; ".join(version.title for version in example.versions),
            caption="Grad-CAM of every class before and after; the control has clean texture instead."
            if number == 1
            else "",
        )


def _write_removal(document: Document, suspected_class: str, removal: RemovalEffect) -> None:
    document.text(
        f"The stain is removed from {removal.sheets} sheets that have one: its place is filled with the "
        "sheet's own grain. The control fills the same shape elsewhere on the sheet. "
        + (f"On {removal.not_found} more no stain could be removed. " if removal.not_found else "")
    )
    document.table(
        ["removed", Column(f"change of {suspected_class}'s margin", 2)],
        [
            ["stain", removal.shift],
            ["clean steel", removal.control_shift],
            ["difference on the same sheets", removal.excess_shift],
        ],
        id="reverse-table",
        caption="Effect of removing stains",
    )
    if removal.verdicts:
        document.facts({f"share of {removal.verdicts} verdicts {suspected_class} that change": removal.leave})


def _left_out(pasted: PasteEffect) -> str:
    reasons = {
        "classified wrongly": pasted.wrong,
        "defective without a mask": pasted.unlocated,
        "without room beside the defect": pasted.no_room,
    }
    counted = ", ".join(f"{count} {reason}" for reason, count in reasons.items() if count)
    return f"Left out: {counted}." if counted else ""


def _required_sizes(test: TwoGroups, units: str) -> str:
    least = f"The smallest p these group sizes can give is {p_text(test.smallest_p)}."
    if test.needed is not None:
        least += (
            f" A delta of {test.delta.estimate:.2f} needs {test.needed} {units} on each side "
            f"(power .9, α {ALPHA})"
        )
    else:
        least += " The delta is not above 0"
    return f"{least}; one of {FINDABLE_DELTA:.2f} needs {sheets_needed(FINDABLE_DELTA)}."


def _point(dose: DoseEffect, at: float) -> DosePoint:
    return DosePoint(at, dose.flips, dose.control_flips)


def p_text(value: float) -> str:
    """Format a p-value: three decimals, or scientific notation below 0.001."""
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}".replace("-", UNBROKEN)
