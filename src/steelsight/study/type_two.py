"""The study's false positives of type 2: are they sheet ends? Told in a chapter, judged as a claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from steelsight.evaluation.bootstrap import group_index, wilson
from steelsight.explanations.verdicts import explain_images
from steelsight.reports.document import Document
from steelsight.reports.figures import (
    ExampleSheet,
    ExplanationRow,
    draw_examples,
    draw_explanations,
)
from steelsight.sheets.catalog import mask_fractions
from steelsight.shortcuts.association import somers_d
from steelsight.shortcuts.margins import class_margin
from steelsight.shortcuts.sheet_ends import end_widths
from steelsight.study.findings import Findings
from steelsight.study.second import Second
from steelsight.study.verdict import Verdict, decide
from steelsight.types import Interval

__all__ = ["TypeTwo", "judge_type_two", "look_at_type_two", "write_type_two"]

TYPE_TWO, STRIP_CLASSES = 2, 5
SHOWN = 4  # sheets in each figure
NO_TYPES = "these data do not have the study's four types"

Rows = Int[np.ndarray, " m"]  # of the test sheets


@dataclass(frozen=True)
class TypeTwo:
    """Sheets wrongly called type 2 against the others."""

    wrong: Rows  # called type 2 and not of it, the surest first
    sound: Rows  # of them, defect-free
    ends: Bool[np.ndarray, " t"]  # which test sheets end within the picture
    share: Interval  # of `wrong`, with an end; Wilson's bounds
    elsewhere: Interval  # share with an end of the sheets not of type 2 and not called so
    of_type: Interval  # share with an end of type 2 itself
    effect: Interval  # Somers' D of the margin of type 2, ends against none, within true classes


def look_at_type_two(found: Findings) -> TypeTwo | str:
    """What the false positives of type 2 have to do with ends, or why that cannot be told."""
    result = found.chosen
    if len(found.data.labelled.class_names) != STRIP_CLASSES:
        return NO_TYPES
    if result is None:
        return "no multi-class model was trained"
    labels, verdicts = found.labels, result.clean_logits.argmax(1)
    ends = end_widths(found.data.images[found.split.test]) > 0
    margin = class_margin(result.clean_logits, TYPE_TWO)
    others = labels != TYPE_TWO
    wrong = np.flatnonzero((verdicts == TYPE_TWO) & others)
    wrong = wrong[np.argsort(-margin[wrong], kind="stable")]
    groups = group_index(found.groups, labels.size)
    effect = somers_d(ends[:, None].astype(np.float64), margin[:, None], labels, groups)[0][0]
    return TypeTwo(
        wrong,
        wrong[labels[wrong] == 0],
        ends,
        _share(ends, wrong),
        _share(ends, np.flatnonzero(others & (verdicts != TYPE_TWO))),
        _share(ends, np.flatnonzero(~others)),
        effect,
    )


def write_type_two(document: Document, found: Findings) -> dict[str, str]:
    """The share of ends among the false positives, the sheets, and Grad-CAM of type 2 on them."""
    document.chapter("Type-2 false positives", id="shortcuts", status="done")
    looked = look_at_type_two(found)
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


def judge_type_two(second: Second) -> Verdict:
    """Whether all false positives of type 2 show an end, and that is more than others do."""
    looked = look_at_type_two(second.found)
    if isinstance(looked, str):
        return Verdict("undecided here", f"{looked[0].upper()}{looked[1:]}.")
    if not looked.wrong.size:
        return Verdict("undecided here", "No test sheet was wrongly called type 2.")
    ended = int(looked.ends[looked.wrong].sum())
    because = (
        f"Share of the {looked.wrong.size} with a sheet end ({ended}); of other sheets not of type 2 it is "
        f"{looked.elsewhere.estimate:.0%}."
    )
    every = ended == looked.wrong.size
    more = looked.share.low > looked.elsewhere.high
    return Verdict(decide(every and more, not every), because, looked.share)


def _share(ends: Bool[np.ndarray, " t"], rows: Rows) -> Interval:
    return wilson(int(ends[rows].sum()), rows.size)


def _example(found: Findings, row: int) -> ExampleSheet:
    position = int(found.split.test[row])
    names = found.data.labelled.class_names
    item = found.data.items[position]
    return ExampleSheet(
        f"{item.path.stem}, truly {names[int(found.labels[row])]}", np.asarray(found.data.images[position])
    )


def _explained(found: Findings, rows: Sequence[int]) -> list[ExplanationRow]:
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
