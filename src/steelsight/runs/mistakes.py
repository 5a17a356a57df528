"""Wrong predictions of a run, or of all folds of a cross-validation: explained, as HTML page and JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from steelsight.errors import BadData
from steelsight.explanations.mistakes import Mistake, find_mistakes, write_mistakes
from steelsight.explanations.verdicts import explain_images
from steelsight.models.card import Card, temperature_source
from steelsight.reports.document import Document
from steelsight.reports.figures.explanation.panels import ExplanationRow
from steelsight.runs.opening.open import OpenRun
from steelsight.sheets.catalog import mask_fractions
from steelsight.sheets.images.pixels import place, read_size
from steelsight.training.predict import predict_logits
from steelsight.training.report.scores import probabilities_of
from steelsight.version import __version__

__all__ = ["PredictedSheet", "collect_mistakes", "draw_mistakes", "write_mistakes_page"]


@dataclass(frozen=True)
class PredictedSheet:
    """One predicted sheet: the run that predicted it, and its position in that run's data."""

    run: OpenRun
    position: int


def collect_mistakes(runs: Sequence[OpenRun], part: str) -> tuple[list[Mistake], list[PredictedSheet]]:
    """The wrong predictions of all runs on one part, most confident first, and all predicted sheets by row.

    Confidences are at the temperature of the run that predicted, as the probabilities over the maps are.

    raises  BadData where the part is empty
    """
    predicted: list[PredictedSheet] = []
    probabilities, truths = [], []
    for run in runs:
        positions = run.positions(part)
        if positions.size:
            logits = predict_logits(run.model, np.asarray(run.data.images[positions]))
            logits = logits / np.float32(run.card.temperature or 1.0)  # as the maps' probabilities are
            probabilities.append(probabilities_of(logits, run.card.task))
            truths += [run.data.labelled.alternatives[i] for i in positions.tolist()]
            predicted += [PredictedSheet(run, i) for i in positions.tolist()]
    first = runs[0].card
    if not predicted:
        raise BadData(
            f"{runs[0].data.name}: expected {part} sheets of the run, found none; "
            "choose another --split, such as unseen"
        )
    return find_mistakes(np.concatenate(probabilities), truths, first.task, first.clean), predicted


def draw_mistakes(
    mistakes: Sequence[Mistake], predicted: Sequence[PredictedSheet], *, method: str, most: int
) -> dict[int, ExplanationRow]:
    """Figure rows of the `most` most confident mistakes of each kind: maps of predicted and true class."""
    rows = {}
    for kind in dict.fromkeys(mistake.kind for mistake in mistakes):
        for mistake in [one for one in mistakes if one.kind == kind][:most]:
            rows[mistake.row] = _row(mistake, predicted[mistake.row], method)
    return rows


def write_mistakes_page(
    path: Path,
    runs: Sequence[OpenRun],
    part: str,
    *,
    method: str = "gradcam",
    most: int = 40,
    kept: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = lambda _text: None,
) -> dict[str, Any]:
    """Write the mistakes as `path` (HTML, JSON beside it); returns the JSON.

    most  mistakes drawn of each kind, the most confident first
    kept  settings of this page, and where an earlier one is kept; see `files.keep_earlier`
    """
    mistakes, predicted = collect_mistakes(runs, part)
    first = runs[0]
    say(f"explaining {len(mistakes)} wrong verdicts")
    rows = draw_mistakes(mistakes, predicted, method=method, most=most)
    document = Document(
        "Wrong predictions", subtitle=f"{first.card.model.name} on {first.data.name}, {part} sheets"
    )
    with_clean = first.card.task == "multilabel" or first.card.clean is not None
    notes = list(dict.fromkeys(note for run in runs for note in run.notes(part)))
    write_mistakes(document, mistakes, rows, sheets=len(predicted), most=most, with_clean=with_clean)
    for note in notes:
        document.notice(note)
    document.footer(
        {
            "Steelsight": __version__,
            "Data": first.data.name,
            "Groups": first.data.grouping,
            "Read as": first.data.reading,
            "Method": method,
            "Temperature of all probabilities": "; ".join(
                dict.fromkeys(
                    f"{run.card.temperature or 1:.4g}, {temperature_source(run.card)}" for run in runs
                )
            ),
        }
    )
    numbers = {
        **(kept or {}),
        "part": part,
        "method": method,
        "sheets": len(predicted),
        "notes": notes,
        "mistakes": [_plain(each, predicted[each.row], each.row in rows) for each in mistakes],
    }
    document.save(path, **numbers)
    return numbers


def _row(mistake: Mistake, where: PredictedSheet, method: str) -> ExplanationRow:
    run, item = where.run, where.run.data.items[where.position]
    card, names = run.card, run.card.class_names
    targets = list(range(len(names))) if len(names) <= 2 else sorted({*mistake.verdict, *mistake.truth})
    gray = np.asarray(run.data.images[where.position])
    explained = explain_images(run.model, run.card, gray[None], targets=targets, method=method)[0]
    masked = bool(item.types) and item.evidence == "mask"
    return ExplanationRow(
        gray,
        mask_fractions(item, run.card.input) if masked else None,
        f"{item.path.stem}  {_words(mistake.verdict, card)} {mistake.confidence:.2f}  "
        f"(true: {_words(mistake.truth, card)})",
        list(explained.maps),
        [f"{names[c]}  {explained.probabilities[c]:.2f}" for c in explained.targets],
        place(read_size(item.path), run.card.input).pixel_aspect,
    )


def _plain(mistake: Mistake, where: PredictedSheet, shown: bool) -> dict[str, Any]:
    card = where.run.card
    return {
        "image": where.run.data.ids[where.position],
        "run": where.run.folder.name,
        "kind": mistake.kind,
        "verdict": _words(mistake.verdict, card),
        "confidence": mistake.confidence,
        "truth": _words(mistake.truth, card),
        "shown": shown,
    }


def _words(classes: Sequence[int], card: Card) -> str:
    return " + ".join(card.class_names[index] for index in classes) or card.no_defect
