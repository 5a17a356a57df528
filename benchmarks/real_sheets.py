"""How a model trained on generated sheets alone reads real ones: AUC per type with intervals, and each sheet.

    python benchmarks/real_sheets.py RUN DATA/severstal [--out FIGURES]

DATA is a small development set: too few sheets of types 2 and 4 for an interval, so those are listed one by
one, as are the clean sheets, each of which carries a nuisance. Prints tables, then one JSON object; with
--out, writes each listed sheet with its heatmaps.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from steelsight.evaluation.classification import auc_interval
from steelsight.evaluation.curves.roc import roc_auc
from steelsight.explanations.sources import find_items, read_items
from steelsight.explanations.verdicts import explain_images
from steelsight.models.checkpoint import load_checkpoint
from steelsight.reports.figures.explanation.panels import ExplanationRow, draw_explanations
from steelsight.reports.figures.style import save_figure

FEWEST = 5  # sheets of a type below which an interval says nothing


def main() -> None:
    """Score every real sheet and say where the model stands."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    model, card = load_checkpoint(options.run)
    items, type_names = find_items([options.data], options.data)
    sheets, set_aside = read_items(items, card.input, type_names)
    told = explain_images(model, card, [sheet.gray for sheet in sheets])
    scores = np.stack([explanation.probabilities for explanation in told])  # (n, c)
    result: dict[str, Any] = {"run": str(options.run), "sheets": len(sheets), "set_aside": len(set_aside)}
    result["auc"] = measure_types(scores, [sheet.item.types for sheet in sheets], card.class_names)
    listed = []
    for index, sheet in enumerate(sheets):
        if not sheet.item.types or set(sheet.item.types) & {2, 4}:
            line = {name: round(float(p), 3) for name, p in zip(card.class_names, scores[index], strict=True)}
            listed.append({"sheet": sheet.item.path.stem, "truth": sheet.truth, **line})
            print(" ".join(f"{key} {value}" for key, value in listed[-1].items()))
            if options.out:
                row = ExplanationRow(
                    sheet.gray,
                    sheet.mask,
                    f"{sheet.item.path.stem}  {told[index].verdict} {told[index].confidence:.2f} "
                    f"(true: {sheet.truth})",
                    list(told[index].maps),
                    list(card.class_names),
                )
                save_figure(draw_explanations([row]), options.out / f"{sheet.item.path.stem}.png")
    result["listed"] = listed
    print(json.dumps(result))


def measure_types(
    scores: np.ndarray, types: list[tuple[int, ...]], names: tuple[str, ...]
) -> dict[str, dict[str, Any]]:
    """AUC of each type against all other sheets; a sheet of two types counts for both."""
    found: dict[str, dict[str, Any]] = {}
    first = 0 if names[0] == "none" else 1  # multilabel cards name the types alone
    for column, name in enumerate(names):
        kind = column + first
        positive = np.array([kind in own if kind else not own for own in types])
        figure: dict[str, Any] = {"sheets": int(positive.sum())}
        if positive.sum() >= FEWEST and kind:
            area = auc_interval(positive, scores[:, column], rng=np.random.default_rng(0))
            figure |= {"auc": area.estimate, "low": area.low, "high": area.high}
        elif positive.any():
            figure["auc"] = roc_auc(positive, scores[:, column])
        found[name] = figure
        print(name, {key: round(value, 3) for key, value in figure.items()})
    return found


if __name__ == "__main__":
    main()
