"""One example sheet for each class, with the Grad-CAM maps of all classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from steelsight.explanations.verdicts import explain_images
from steelsight.reports.cells import probability_text
from steelsight.reports.figures.explanation.panels import ExplanationRow, draw_explanations
from steelsight.runs.opening.open import OpenRun
from steelsight.sheets.catalog import mask_fractions
from steelsight.sheets.images.pixels import place, read_size
from steelsight.training.predict import predict_logits
from steelsight.training.report.scores import probabilities_of

__all__ = ["choose_examples", "picture_classes"]


def choose_examples(runs: Sequence[OpenRun], part: str) -> dict[int, tuple[OpenRun, int]]:
    """For each class the sheet most confidently and correctly predicted; otherwise the one nearest to it.

    returns  by class, the run that predicted the sheet and its position; classes without sheets are absent
    """
    best: dict[int, tuple[bool, float, OpenRun, int]] = {}
    for run in runs:
        positions = run.positions(part)
        probabilities = probabilities_of(
            predict_logits(run.model, np.asarray(run.data.images[positions])), run.card.task
        )
        for position, row in zip(positions.tolist(), probabilities, strict=True):
            classes = run.data.labelled.alternatives[position]
            if len(classes) != 1:
                continue
            name = classes[0]
            candidate = (int(row.argmax()) == name, float(row[name]), run, position)
            if name not in best or candidate[:2] > best[name][:2]:
                best[name] = candidate
    return {name: (run, position) for name, (_, _, run, position) in sorted(best.items())}


def picture_classes(runs: Sequence[OpenRun], part: str) -> tuple[Figure, str]:
    """The figure of the examples, and its description."""
    rows = []
    for name, (run, position) in choose_examples(runs, part).items():
        item, names = run.data.items[position], run.card.class_names
        gray = np.asarray(run.data.images[position])
        explained = explain_images(run.model, run.card, gray[None])[0]
        masked = bool(item.types) and item.evidence == "mask"
        rows.append(
            ExplanationRow(
                gray,
                mask_fractions(item, run.card.input) if masked else None,
                f"{item.path.stem}  {explained.verdict} {probability_text(explained.confidence)}"
                f"  (true: {names[name]})",
                list(explained.maps),
                [f"{names[c]}  {probability_text(explained.probabilities[c])}" for c in explained.targets],
                place(read_size(item.path), run.card.input).pixel_aspect,
            )
        )
    words = f"{len(rows)} {part} sheets, one for each class, each with Grad-CAM for every class."
    return draw_explanations(rows), words
