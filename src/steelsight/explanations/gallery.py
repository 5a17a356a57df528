"""Explained sheets as figures, one file each, and as rows of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from steelsight.explanations.sources import ReadSheet
from steelsight.explanations.verdicts import Explanation
from steelsight.names import short_name
from steelsight.reports.figures.explanation.panels import ExplanationRow, draw_explanations
from steelsight.reports.figures.style import save_figure

__all__ = ["explanation_row", "report_rows", "save_figures"]


def explanation_row(sheet: ReadSheet, explanation: Explanation, class_names: Sequence[str]) -> ExplanationRow:
    """One sheet for `draw_explanations`: verdict, its probability, and the true class where it is known."""
    truth = "" if sheet.truth is None else f"  (true: {sheet.truth})"
    return ExplanationRow(
        sheet.gray,
        sheet.mask,
        f"{Path(sheet.item.id).stem}  {explanation.verdict} {explanation.confidence:.2f}{truth}",
        list(explanation.maps),
        [f"{class_names[index]}  {explanation.probabilities[index]:.2f}" for index in explanation.targets],
    )


def save_figures(
    sheets: Sequence[ReadSheet],
    explanations: Sequence[Explanation],
    class_names: Sequence[str],
    folder: Path,
    *,
    method: str,
    taken: set[str],
) -> list[Path]:
    """Write one PNG a sheet, named after it and the method.

    taken   names given so far, added to: two folders may hold sheets of one name
    raises  BadInput where the folder cannot be written
    """
    paths = []
    for sheet, explanation in zip(sheets, explanations, strict=True):
        name = _free_name(Path(sheet.item.id).stem, taken)
        row = explanation_row(sheet, explanation, class_names)
        paths.append(save_figure(draw_explanations([row]), folder / f"{name}.{method}.png"))
    return paths


def report_rows(
    sheets: Sequence[ReadSheet],
    explanations: Sequence[Explanation],
    class_names: Sequence[str],
    figures: Sequence[Path],
) -> list[dict[str, Any]]:
    """The numbers behind the figures, as plain JSON values."""
    return [
        {
            "image": str(sheet.item.path),
            "figure": str(figure),
            "verdict": explanation.verdict,
            "confidence": explanation.confidence,
            "truth": sheet.truth,
            "mask": sheet.mask is not None,
            "probabilities": dict(zip(class_names, explanation.probabilities.tolist(), strict=True)),
            "maps": {
                class_names[index]: {"lowest": float(each.min()), "highest": float(each.max())}
                for index, each in zip(explanation.targets, explanation.maps, strict=True)
            },
        }
        for sheet, explanation, figure in zip(sheets, explanations, figures, strict=True)
    ]


def _free_name(stem: str, taken: set[str]) -> str:
    """The stem, numbered where two folders hold the same name."""
    stem = short_name(stem)
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.casefold())
    return name
