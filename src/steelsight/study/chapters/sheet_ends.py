"""Chapter on the false positives of type 2: the share with a sheet end, and their maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from steelsight.explanations.verdicts import explain_images
from steelsight.reports.document import Document
from steelsight.reports.figures import (
    ExampleSheet,
    ExplanationRow,
    draw_examples,
    draw_explanations,
)
from steelsight.sheets.catalog import mask_fractions
from steelsight.study.claims.sheet_ends import TYPE_TWO, measure_type_two
from steelsight.study.results import StudyResults

__all__ = ["write_type_two"]

SHOWN = 4  # sheets in each figure


def write_type_two(document: Document, found: StudyResults) -> dict[str, str]:
    """The share of ends among the false positives, the sheets, and Grad-CAM of type 2 on them."""
    document.chapter("Type-2 false positives", id="shortcuts", status="done")
    looked = measure_type_two(found)
    if isinstance(looked, str):
        document.text(f"{looked[0].upper()}{looked[1:]}.")
        return dict.fromkeys(("type-2-example", "type-2-false-positives"), looked)
    document.text(
        f"{looked.wrong.size} test sheets were called type 2 and are not, {looked.sound.size} of them "
        "defect-free. Sheet ends are found by their black columns. `steelsight shortcuts find` looks for "
        "such a pattern where nobody suspects one."
    )
    document.table(
        ["sheets", "with a sheet end"],
        [
            ["called type 2, and are not", looked.share],
            ["not of type 2, and not called so", looked.elsewhere],
            ["of type 2", looked.of_type],
        ],
        id="type-2-shares",
        caption="How many sheets end within the picture",
        note="Wilson's intervals.",
    )
    document.facts({"margin of type 2 with an end and without, within true classes": looked.effect})
    if not looked.wrong.size:
        reason = "no test sheet was wrongly called type 2"
        return dict.fromkeys(("type-2-example", "type-2-false-positives"), reason)
    ended = looked.wrong[looked.ends[looked.wrong]]
    omitted: dict[str, str] = {}
    if ended.size:
        document.figure(
            draw_examples([_example(found, row) for row in ended[:SHOWN].tolist()]),
            id="type-2-example",
            alt=f"{min(SHOWN, ended.size)} sheet ends that were called type 2.",
            caption="Sheet ends taken for type 2.",
        )
    else:
        omitted["type-2-example"] = "no sheet wrongly called type 2 shows a sheet end"
    if looked.sound.size:
        document.figure(
            draw_explanations(_explained(found, looked.sound[:SHOWN].tolist())),
            id="type-2-false-positives",
            alt=f"{min(SHOWN, looked.sound.size)} defect-free sheets called type 2, with Grad-CAM of type 2.",
            caption="Defect-free sheets called type 2, the surest first.",
        )
    else:
        omitted["type-2-false-positives"] = "no defect-free test sheet was called type 2"
    return omitted


def _example(found: StudyResults, row: int) -> ExampleSheet:
    position = int(found.split.test[row])
    names = found.data.labelled.class_names
    item = found.data.items[position]
    return ExampleSheet(
        f"{item.path.stem}, truly {names[int(found.labels[row])]}", np.asarray(found.data.images[position])
    )


def _explained(found: StudyResults, rows: Sequence[int]) -> list[ExplanationRow]:
    """Grad-CAM of type 2, and of none."""
    shown = found.shown
    if shown is None:
        return []
    names = shown.card.class_names
    drawn = []
    for row in rows:
        position = int(found.split.test[row])
        item, gray = found.data.items[position], np.asarray(found.data.images[position])
        told = explain_images(shown.model, shown.card, gray[None], targets=[TYPE_TWO, 0])[0]
        masked = bool(item.types) and item.evidence == "mask"
        truth = names[int(found.labels[row])]
        drawn.append(
            ExplanationRow(
                gray,
                mask_fractions(item, found.data.input) if masked else None,
                f"{item.path.stem}  {told.verdict} {told.confidence:.2f}  (true: {truth})",
                list(told.maps),
                [f"{names[c]}  {told.probabilities[c]:.2f}" for c in told.targets],
            )
        )
    return drawn
