"""Explained sheets as figures, one file each, and as rows of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from steelsight.explanations.sources import ReadSheet
from steelsight.explanations.verdicts import Explanation
from steelsight.names import short_name
from steelsight.reports.cells import probability_text
from steelsight.reports.figures.explanation.panels import FOOTNOTE, ExplanationRow, draw_explanations
from steelsight.reports.figures.style import save_figure
from steelsight.sheets.images.pixels import place, read_size
from steelsight.types import InputSpec

__all__ = ["explanation_row", "figure_names", "report_rows", "save_figures"]

MOST_MAPS = 24  # classes of one figure


def explanation_row(
    sheet: ReadSheet, explanation: Explanation, class_names: Sequence[str], spec: InputSpec
) -> ExplanationRow:
    """One sheet for `draw_explanations`: verdict, its probability, and the true class where it is known.

    Of more than MOST_MAPS classes the most probable ones are drawn.
    """
    shown = _most_probable(explanation)
    truth = "" if sheet.truth is None else f"  (true: {sheet.truth})"
    verdict = f"{explanation.verdict} {probability_text(explanation.confidence)}"
    return ExplanationRow(
        sheet.gray,
        sheet.mask,
        f"{Path(sheet.item.id).stem}  {verdict}{truth}",
        [explanation.maps[position] for position in shown],
        [_titled(class_names, explanation, explanation.targets[position]) for position in shown],
        place(read_size(sheet.item.path), spec).pixel_aspect,
    )


def _most_probable(explanation: Explanation) -> list[int]:
    """Positions of the maps that a figure has room for, in their order."""
    targets = explanation.targets
    if len(targets) <= MOST_MAPS:
        return list(range(len(targets)))
    ranked = sorted(range(len(targets)), key=lambda position: -explanation.probabilities[targets[position]])
    return sorted(ranked[:MOST_MAPS])


def _titled(class_names: Sequence[str], explanation: Explanation, target: int) -> str:
    return f"{class_names[target]}  {probability_text(explanation.probabilities[target])}"


def save_figures(
    sheets: Sequence[ReadSheet],
    explanations: Sequence[Explanation],
    class_names: Sequence[str],
    folder: Path,
    *,
    names: Sequence[str],
    spec: InputSpec,
    title: str,
) -> list[Path]:
    """Write one PNG a sheet.

    names   of the files without suffix, as `figure_names` makes them
    spec    the model's input: sheets are drawn with the aspect ratio of their images
    title   of the method, which the figures name
    raises  BadOutput where the folder cannot be written
    """
    paths = []
    for sheet, explanation, name in zip(sheets, explanations, names, strict=True):
        row = explanation_row(sheet, explanation, class_names, spec)
        paths.append(
            save_figure(draw_explanations([row], footnote=f"{title}. {FOOTNOTE}"), folder / f"{name}.png")
        )
    return paths


def figure_names(sheets: Sequence[ReadSheet], method: str, taken: set[str]) -> list[str]:
    """A name for each sheet's files, from its own and the method.

    taken  names given so far, added to: two folders may hold sheets of one name
    """
    return [f"{_free_name(Path(sheet.item.id).stem, taken)}.{method}" for sheet in sheets]


def report_rows(
    sheets: Sequence[ReadSheet],
    explanations: Sequence[Explanation],
    class_names: Sequence[str],
    figures: Sequence[Path],
    arrays: Sequence[Path | None],
) -> list[dict[str, Any]]:
    """The numbers behind the figures, as plain JSON values.

    arrays  the .npz file of each sheet; None where none was asked for
    """
    return [
        {
            "image": str(sheet.item.path),
            "figure": str(figure),
            "arrays": str(array) if array is not None else None,
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
        for sheet, explanation, figure, array in zip(sheets, explanations, figures, arrays, strict=True)
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
