"""Chapter on the false positives of type 2: how many show a sheet end, and their Grad-CAM maps."""

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
from steelsight.study.measures.sheet_ends import TYPE_TWO, measure_sheet_ends
from steelsight.study.results import StudyResults

__all__ = ["write_type_two"]

SHOWN = 4  # sheets in each figure


def write_type_two(document: Document, study: StudyResults) -> dict[str, str]:
    """Share of sheet ends among the false positives, example sheets, and Grad-CAM of type 2 on them."""
    document.chapter("Type-2 false positives", id="shortcuts", status="done")
    effect = measure_sheet_ends(study)
    if isinstance(effect, str):
        document.text(f"{effect[0].upper()}{effect[1:]}.")
        return dict.fromkeys(("type-2-example", "type-2-false-positives"), effect)
    document.text(
        f"{effect.wrong.size} test sheets were wrongly classified as type 2, {effect.sound.size} of them "
        "defect-free. Sheet ends are detected by their black columns. The command steelsight shortcuts find "
        "searches for such patterns without a prior suspicion."
    )
    document.table(
        ["sheets", "with a sheet end"],
        [
            ["wrongly classified as type 2", effect.share],
            ["neither of type 2 nor classified as it", effect.elsewhere],
            ["of type 2", effect.of_type],
        ],
        id="type-2-shares",
        caption="Share of sheets that show a sheet end",
        note="95 % intervals by Wilson's method.",
    )
    document.facts({"margin of type 2 with an end and without, within true classes": effect.effect})
    if not effect.wrong.size:
        reason = "no test sheet was wrongly classified as type 2"
        return dict.fromkeys(("type-2-example", "type-2-false-positives"), reason)
    ended = effect.wrong[effect.ends[effect.wrong]]
    omitted: dict[str, str] = {}
    if ended.size:
        document.figure(
            draw_examples([_example(study, row) for row in ended[:SHOWN].tolist()]),
            id="type-2-example",
            alt=f"{min(SHOWN, ended.size)} sheet ends that were classified as type 2.",
            caption="Sheet ends classified as type 2.",
        )
    else:
        omitted["type-2-example"] = "no sheet wrongly classified as type 2 shows a sheet end"
    if effect.sound.size:
        document.figure(
            draw_explanations(_explained(study, effect.sound[:SHOWN].tolist())),
            id="type-2-false-positives",
            alt=f"{min(SHOWN, effect.sound.size)} defect-free sheets classified as type 2, with Grad-CAM "
            "of type 2.",
            caption="Defect-free sheets classified as type 2, the most confident first.",
        )
    else:
        omitted["type-2-false-positives"] = "no defect-free test sheet was classified as type 2"
    return omitted


def _example(study: StudyResults, row: int) -> ExampleSheet:
    position = int(study.split.test[row])
    names = study.data.labelled.class_names
    item = study.data.items[position]
    return ExampleSheet(
        f"{item.path.stem}, truly {names[int(study.labels[row])]}", np.asarray(study.data.images[position])
    )


def _explained(study: StudyResults, rows: Sequence[int]) -> list[ExplanationRow]:
    """Grad-CAM of type 2 and of none on these test sheets."""
    shown = study.shown
    if shown is None:
        return []
    names = shown.card.class_names
    drawn = []
    for row in rows:
        position = int(study.split.test[row])
        item, gray = study.data.items[position], np.asarray(study.data.images[position])
        explanation = explain_images(shown.model, shown.card, gray[None], targets=[TYPE_TWO, 0])[0]
        masked = bool(item.types) and item.evidence == "mask"
        truth = names[int(study.labels[row])]
        drawn.append(
            ExplanationRow(
                gray,
                mask_fractions(item, study.data.input) if masked else None,
                f"{item.path.stem}  {explanation.verdict} {explanation.confidence:.2f}  (true: {truth})",
                list(explanation.maps),
                [f"{names[c]}  {explanation.probabilities[c]:.2f}" for c in explanation.targets],
            )
        )
    return drawn
