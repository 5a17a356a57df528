"""What `steelsight adapt` gains on real sheets: cross-validated figures, learning curve, maps, seconds.

    python benchmarks/adapt.py BUNDLE DATA [DATA ...] [--repeats 5] [--seed 0] [--curve 5 10] [--than OTHER]

Figures are those that the verb decides by: nested cross-validation by groups, five folds, with intervals by
bootstrap over groups. The learning curve fits, in each fold, only so many sheets of each class, drawn anew in
every repetition. Maps are scored on the sheets that are left out, where DATA has boxes.csv: whether the
centre of the strongest place of the true class's map lies in a box of that class. Prints rows and JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from steelsight.adaptation.calibrate import calibrate_head
from steelsight.adaptation.classes import ClassPlan, plan_classes
from steelsight.adaptation.compare import HeadComparison, compare_heads, own_probabilities
from steelsight.adaptation.features import PooledFeatures, read_features, reference_outputs
from steelsight.adaptation.nested import FitSheets, NestedScores, fit_best, nested_scores
from steelsight.adaptation.options import AdaptOptions
from steelsight.adaptation.run import adapt_bundle
from steelsight.adaptation.sheets import LabelledSheets, SheetLabels, label_by_plan, read_folders
from steelsight.errors import AdaptationRefused
from steelsight.evaluation.curves.roc import roc_auc
from steelsight.evaluation.probabilities import softmax
from steelsight.plain import plain
from steelsight.runtime.bundle.open import Bundle, open_bundle
from steelsight.runtime.engine.engine import open_engine
from steelsight.streams import indexed_stream
from steelsight.types import Interval

FOLDS = 5
RISKS = (0.05, 0.10)  # shares of wrong answers allowed
DELTA = 0.1
HEIGHT, WIDTH = 256, 1600  # px, of the frame of boxes.csv


class Measured:
    """A bundle and labelled sheets, run through its network once."""

    def __init__(self, bundle: Path, data: list[Path]) -> None:
        self.bundle: Bundle = open_bundle(bundle)
        card, options = self.bundle.card, AdaptOptions()
        sheets = read_folders(data, card.input, options, {})
        found = sorted({name for types in sheets.types for name in types})
        self.plan: ClassPlan = plan_classes(card, found, not all(sheets.types), sheets.clean_name, options)
        self.sheets: LabelledSheets
        self.labels: SheetLabels
        self.sheets, self.labels = label_by_plan(sheets, self.plan, binary=False)
        self.features: PooledFeatures = read_features(self.bundle, self.sheets.images)
        self.own = own_probabilities(self.features.logits, self.plan, card.temperature)

    def fit_sheets(self) -> FitSheets:
        """What is fitted."""
        shares = self.labels.shares(len(self.plan.names))
        return FitSheets(self.features.pooled, shares, self.sheets.groups)

    def compare(self, logits: np.ndarray, seed: int, own: np.ndarray | None = None) -> HeadComparison:
        """The figures of out-of-fold logits (r, n, c) beside those of the bundle, or of another head."""
        new = np.stack([softmax(each) for each in logits])
        before = self.own[None] if own is None else np.stack([softmax(each) for each in own])
        return compare_heads(self.labels, before, new, self.plan, self.sheets.groups, seed)


def main() -> None:
    """Measure one bundle."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--than", type=Path, help="another bundle, adapted on the same folds")
    parser.add_argument("--curve", type=int, nargs="*", default=[5, 10, 20])
    options = parser.parse_args()
    seconds = time_verb(options.bundle, options.data)
    measured = Measured(options.bundle, options.data)
    scores = nested_scores(measured.fit_sheets(), folds=FOLDS, repeats=options.repeats, seed=options.seed)
    compared = measured.compare(scores.logits, options.seed)
    result: dict[str, Any] = {
        "bundle": str(options.bundle),
        "sheets": len(measured.sheets.ids),
        **seconds,
        "all": compared.as_dict(),
        "types": type_areas(measured, scores),
        "decided": decided(measured, scores, options.seed),
        "penalties": list(scores.penalties),
    }
    show("bundle's own head", compared.balanced_accuracy.own, compared.defect_auc and compared.defect_auc.own)
    show("new head", compared.balanced_accuracy.new, compared.defect_auc and compared.defect_auc.new)
    show("gain", compared.balanced_accuracy.gain, compared.defect_auc and compared.defect_auc.gain)
    if options.than:
        result["than"] = adapted_otherwise(measured, scores, options).as_dict()
    result["unlimited"] = without_limit(measured, options.repeats, options.seed).as_dict()
    result["curve"] = {}
    for count in options.curve:
        part = measured.compare(learn_from(measured, count, options.repeats, options.seed), options.seed)
        show(f"{count} a class", part.balanced_accuracy.new, part.defect_auc and part.defect_auc.new)
        result["curve"][str(count)] = part.as_dict()
    result["maps"] = score_maps(measured, options.data, scores)
    print(json.dumps(plain(result)))


def adapted_otherwise(
    measured: Measured, scores: NestedScores, options: argparse.Namespace
) -> HeadComparison:
    """The gain of this bundle's new head over that of another bundle, paired by sheet and fold."""
    other = Measured(options.than, options.data)
    if other.sheets.ids != measured.sheets.ids or other.sheets.groups != measured.sheets.groups:
        sys.exit("the two bundles see other sheets or groups; compare bundles that read the same ones")
    theirs = nested_scores(other.fit_sheets(), folds=FOLDS, repeats=options.repeats, seed=options.seed)
    compared = measured.compare(scores.logits, options.seed, theirs.logits)
    areas = compared.defect_auc
    show("head of the other bundle", compared.balanced_accuracy.own, areas and areas.own)
    show("gain over it", compared.balanced_accuracy.gain, areas and areas.gain)
    return compared


def show(name: str, *figures: Interval | None) -> None:
    """One row of a table."""
    cells = [f"{each.estimate:.3f} [{each.low:.3f}, {each.high:.3f}]" for each in figures if each is not None]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def time_verb(bundle: Path, data: list[Path]) -> dict[str, float]:
    """Seconds of the whole verb with its defaults, images decoded before, imports left out.

    Where the verb finds the new head no better, it ends before the bundle is written.
    """
    with tempfile.TemporaryDirectory() as folder:
        start, used = time.perf_counter(), time.process_time()
        try:
            adapt_bundle(bundle, data[0], Path(folder) / "new", AdaptOptions(also=tuple(data[1:])))
        except AdaptationRefused as refused:
            print(refused)
        return {"seconds": time.perf_counter() - start, "processor_seconds": time.process_time() - used}


def type_areas(measured: Measured, scores: NestedScores) -> dict[str, float]:
    """AUC of each defect type against all other sheets; a sheet of several types counts for each."""
    mean = np.mean([softmax(each) for each in scores.logits], axis=0)
    areas = {}
    for number, name in enumerate(measured.plan.names):
        positive = np.array([number in answers for answers in measured.labels.alternatives])
        areas[name] = roc_auc(positive, mean[:, number])
    print("AUC by class:", {name: round(area, 3) for name, area in areas.items()})
    return areas


def decided(measured: Measured, scores: NestedScores, seed: int) -> dict[str, Any]:
    """Share of sheets answered and of answers that are right, at thresholds chosen on the other folds."""
    found = {
        risk: calibrate_head(
            scores, measured.labels, measured.sheets.groups, risk=risk, delta=DELTA, seed=seed
        )
        for risk in RISKS
    }
    for risk, each in found.items():
        print(f"risk {risk:g}: {each.statement(risk, DELTA)}")
    temperature = found[RISKS[0]].temperature
    mean = np.mean([softmax(each, temperature=temperature) for each in scores.logits], axis=0)
    right = measured.labels.right(mean.argmax(axis=1))
    order = np.argsort(-mean.max(axis=1))
    half = order[: len(order) // 2]
    values: dict[str, Any] = plain(
        {
            **{f"risk {risk:g}": asdict(each) for risk, each in found.items()},
            "right_of_the_surest_half": float(right[half].mean()),
            "accuracy": float(right.mean()),
        }
    )
    return values


def without_limit(measured: Measured, repeats: int, seed: int) -> HeadComparison:
    """The same with features that are not limited."""
    sheets = replace(measured.fit_sheets(), limit=np.inf)
    scores = nested_scores(sheets, folds=FOLDS, repeats=repeats, seed=seed)
    compared = measured.compare(scores.logits, seed)
    areas = compared.defect_auc and compared.defect_auc.new
    show("new head, features not limited", compared.balanced_accuracy.new, areas)
    return compared


def learn_from(measured: Measured, count: int, repeats: int, seed: int) -> np.ndarray:
    """Out-of-fold logits (r, n, c) of heads fitted to at most `count` sheets of each class."""
    sheets = measured.fit_sheets()
    logits = np.full((repeats, *sheets.shares.shape), np.nan)
    for repeat in range(repeats):
        rng = indexed_stream(seed, repeat)
        for number, (fit, test) in enumerate(sheets.folds(FOLDS, rng)):
            rows = rng.permutation(fit)
            few = [rows[sheets.labels[rows] == c][:count] for c in range(sheets.shares.shape[1])]
            part = sheets.part(np.sort(np.concatenate(few)))
            head, _ = fit_best(part, folds=FOLDS, seed=int(rng.integers(2**31)) + number)
            logits[repeat, test] = head.logits(sheets.features[test])
    return logits


def score_maps(measured: Measured, data: list[Path], scores: NestedScores) -> dict[str, Any]:
    """How often the strongest place of the true class lies in a box, before and after.

    By the evidence of the place head, which adapting leaves as it is, or else by the class's map.
    """
    boxes = read_boxes(data)
    sheets = measured.fit_sheets()
    hits: dict[str, list[bool]] = {"own": [], "new": []}
    before = open_engine(measured.bundle)(measured.sheets.images).where
    grid = (before.shape[2], before.shape[3])
    for fit, test in scores.folds:
        head, _ = fit_best(sheets.part(fit), folds=FOLDS, seed=0)
        maps = reference_outputs(measured.bundle, head, measured.sheets.images[test], measured.plan.own).where
        for place, row in enumerate(test.tolist()):
            label, name = int(sheets.labels[row]), Path(measured.sheets.ids[row]).name
            own = measured.plan.own[label]
            mine = [box for kind, *box in boxes[name] if kind == label]
            if not (sheets.single[row] and label and mine and own is not None):
                continue
            hits["own"].append(strongest_inside(before[row, own], mine, grid))
            hits["new"].append(strongest_inside(maps[place, label], mine, grid))
    found = {name: float(np.mean(each)) if each else None for name, each in hits.items()}
    print(f"strongest place in a box of the true class, of {len(hits['own'])} sheets: {found}")
    return {"sheets": len(hits["own"]), **found}


def strongest_inside(heatmap: np.ndarray, boxes: list[list[float]], grid: tuple[int, int]) -> bool:
    """Whether the centre of the strongest cell lies in a box."""
    row, column = divmod(int(heatmap.argmax()), grid[1])
    x, y = (column + 0.5) * WIDTH / grid[1], (row + 0.5) * HEIGHT / grid[0]
    return any(left <= x <= right and top <= y <= bottom for left, top, right, bottom in boxes)


def read_boxes(data: list[Path]) -> dict[str, list[tuple[float, ...]]]:
    """Class and box of every row of the folders' boxes.csv, by image."""
    boxes: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for folder in data:
        if (folder / "boxes.csv").is_file():
            with (folder / "boxes.csv").open(newline="") as file:
                for row in csv.DictReader(file):
                    numbers = (float(row[key]) for key in ("ClassId", "x0", "y0", "x1", "y1"))
                    boxes[row["ImageId"]].append(tuple(numbers))
    return boxes


if __name__ == "__main__":
    main()
