"""The chapter on transplanted weights: scores, weights and similarities of a receiver with donor parts."""

from __future__ import annotations

from collections.abc import Sequence

from steelsight.evaluation.verdict_scores import SCORES
from steelsight.inspection.transplant.replace import DIRECTIONS, Direction, Step
from steelsight.reports.cells import Cell, Column, Value, cell_text
from steelsight.reports.document import Document
from steelsight.reports.figures import (
    PartAxis,
    TransplantCurve,
    draw_by_part,
    draw_similarity,
    draw_transplant,
)
from steelsight.runs.transplant.reading import SMALL, describe_sheets, describe_transplant, read_donor
from steelsight.runs.transplant.run import TransplantResult
from steelsight.types import Interval

__all__ = ["write_transplant", "write_transplant_results"]


def write_transplant(document: Document, done: TransplantResult | str) -> dict[str, str]:
    """Write the study's chapter; returns what is missing, with the reason."""
    document.chapter("Transplanted weights", id="transplant-chapter", status="done")
    if isinstance(done, str):
        document.text(f"No weights were exchanged: {done}.")
        return {"transplant": done}
    write_transplant_results(document, done)
    return {}


def write_transplant_results(document: Document, done: TransplantResult) -> None:
    """Add curves, tables, weights and similarities of one transplant to the last chapter."""
    found = done.found
    document.text(
        f"{done.receiver} is evaluated on {found.sheets:,} sheets that none of these models was trained on, "
        f"unchanged and then with the weights of the {done.donor} part by part. Running statistics belong to "
        f"their part. {describe_sheets(done)}"
    )
    for sentence in describe_transplant(done):
        document.text(sentence)
    for note in done.notes:
        document.notice(note)
    _draw_curves(document, done)
    _tabulate_steps(document, done)
    _tabulate_donors(document, done)
    _write_parts(document, done)


def part_axis(done: TransplantResult) -> PartAxis:
    """The receiver's parts as the axis of figures."""
    parts = done.found.parts
    return PartAxis(tuple(part.name for part in parts), sum(part.area == "features" for part in parts))


def _draw_curves(document: Document, done: TransplantResult) -> None:
    axis, scores = part_axis(done), done.found.scores
    forward = {title: _curves(done, "input", score) for score, title in SCORES.items()}
    own = done.found.curve(done.donor, "input")
    classes = sum(units > 0 for units in scores.class_groups.tolist())
    guess = {SCORES["accuracy"]: done.found.majority, SCORES["balanced_accuracy"]: 1 / classes}
    document.figure(
        draw_transplant(forward, axis, guess=guess),
        id="transplant",
        alt=f"Accuracy as parts become the {done.donor}'s, from the input: "
        + ", ".join(
            f"{_place(done, step)} {scores.interval(step.row, 'accuracy').estimate:.3f}" for step in own
        ),
        caption="From the input: every part up to the one named is the donor's. Bands: 95 % intervals by "
        "group; dotted: the majority class for all.",
    )
    score = "balanced_accuracy"
    others: dict[Direction, str] = {
        direction: title for direction, title in DIRECTIONS.items() if direction != "input"
    }
    document.figure(
        draw_transplant(
            {title: _curves(done, direction, score) for direction, title in others.items()},
            axis,
            backward=(DIRECTIONS["output"],),
            dots=(DIRECTIONS["alone"],),
            guess=dict.fromkeys(others.values(), 1 / classes),
        ),
        id="transplant-others",
        alt=f"Balanced accuracy with one part alone the {done.donor}'s: "
        + ", ".join(
            f"{_place(done, step)} {scores.interval(step.row, score).estimate:.3f}"
            for step in done.found.curve(done.donor, "alone")
        ),
        caption="Balanced accuracy. From the output: every part from the one named on is the donor's. Alone: "
        "only that part.",
    )


def _curves(done: TransplantResult, direction: Direction, score: str) -> list[TransplantCurve]:
    behind = len(done.found.parts)
    curves = []
    for donor in done.found.donors:
        steps = done.found.curve(donor, direction)
        places = [behind if direction == "output" and s.position < 0 else s.position for s in steps]
        scores = [done.found.scores.interval(step.row, score) for step in steps]
        curves.append(TransplantCurve(donor, tuple(places), tuple(scores)))
    return curves


def _tabulate_steps(document: Document, done: TransplantResult) -> None:
    scores = done.found.scores
    document.table(
        [f"the {done.donor}'s, up to", *SCORES.values(), "change of accuracy", "verdicts changed"],
        [
            [
                _place(done, step),
                *(scores.interval(step.row, score) for score in SCORES),
                scores.difference(step.row, 0, "accuracy").difference if step.taken else None,
                step.changed,
            ]
            for step in done.found.curve(done.donor, "input")
        ],
        id="transplant-steps",
        caption="From the input",
        note="Changes are paired: the same resamples score both models. All steps of all donors and "
        "directions are in the JSON file.",
    )


def _tabulate_donors(document: Document, done: TransplantResult) -> None:
    rows: list[list[Value | Cell]] = []
    for each in done.donors:
        reading = read_donor(done, each.name)
        score = "balanced_accuracy"
        values = (reading.features, reading.features_change, reading.classifier_change, reading.ahead)
        name = Cell(each.name, note=each.description)
        rows.append([name, *(None if value is None else value[score] for value in values)])
    document.table(
        [
            "weights of",
            "with its features",
            "change",
            "further change with its classifier",
            f"{done.donor} minus it, features",
        ],
        rows,
        id="transplant-controls",
        caption="Balanced accuracy with all feature parts of a donor, and the change by its classifier",
        note=f"Changes within {SMALL} count as small. A control as good as the donor shows that the donor's "
        "training is not the cause.",
    )


def _write_parts(document: Document, done: TransplantResult) -> None:
    axis = part_axis(done)
    similar = {name: found.same_place() for name, found in done.similar.items()}
    own = done.similar[done.donor]
    start = done.control("imagenet", "start")
    columns = [done.donor] + ([] if start is None else [start.name])
    rows: list[list[Value]] = []
    for change in done.changes:
        rows.append(
            [
                change.part,
                change.receiver_moved,
                change.donor_moved,
                change.apart,
                change.cosine,
                *(similar[name].get(change.part) for name in columns),
            ]
        )
    document.table(
        [
            "part",
            "receiver moved",
            "donor moved",
            "apart",
            "cosine",
            *(Column(f"CKA, {name}", 2, align="right") for name in columns),
        ],
        rows,
        id="transplant-parts",
        caption="Change of the weights in training, and similarity of the layers",
        note="Moved: the change from each model's own start over the size of the start. Apart: the change "
        "between the two over the size of the donor's. Cosine: near 0, the two changes are unrelated; "
        "none where the starts differ. CKA: linear, debiased, of a part's whole output in "
        f"{own.sheets:,} sheets; 1 = the same up to rotation and scale.",
    )
    _draw_similarities(document, done, axis)
    _draw_changes(document, done, axis)


def _draw_similarities(document: Document, done: TransplantResult, axis: PartAxis) -> None:
    own = done.similar[done.donor]
    similar = {name: found.same_place() for name, found in done.similar.items()}
    names = (done.receiver, done.donor)
    columns_axis = PartAxis(own.columns, axis.features)
    document.figure(
        draw_similarity(own.estimate, axis, columns_axis, names=names),
        id="transplant-cka",
        alt="CKA of each part with the same part: " + _list_parts(done, similar[done.donor]),
        caption=f"CKA of every part of {done.receiver} with every part of the {done.donor}.",
    )
    document.figure(
        draw_by_part(
            {name: [found.get(part) for part in axis.names] for name, found in similar.items()},
            axis,
            label=f"CKA with {done.receiver}",
        ),
        id="transplant-similarity",
        alt="CKA of each part with the same part: "
        + "; ".join(f"{name}: {_list_parts(done, found)}" for name, found in similar.items()),
        caption="The same part of each donor. Bands: 95 % intervals, batches of sheets resampled.",
    )


def _draw_changes(document: Document, done: TransplantResult, axis: PartAxis) -> None:
    moved = {
        f"{done.receiver} from its start": [change.receiver_moved for change in done.changes],
        f"{done.donor} from its start": [change.donor_moved for change in done.changes],
        "between the two": [change.apart for change in done.changes],
    }
    document.figure(
        draw_by_part(moved, axis, label="relative change of the weights"),
        id="transplant-weights",
        alt="Relative change of the weights between the two models: "
        + ", ".join(f"{c.part} {cell_text(c.apart)}" for c in done.changes),
        caption="Change of each part in training.",
    )


def _place(done: TransplantResult, step: Step) -> str:
    return done.found.parts[step.position].name if step.taken else "none"


def _list_parts(done: TransplantResult, found: dict[str, Interval]) -> str:
    names: Sequence[str] = [part.name for part in done.found.parts if part.name in found]
    return ", ".join(f"{name} {cell_text(found[name].estimate, 2)}" for name in names)
