"""Measures accuracy over the number of labels: one recipe on growing shares of the training sheets.

All sizes are tested on the same sheets, and each smaller set is part of the larger ones, so that only the
number of labels differs. Sheets are added group by group; the last group of a share may be taken in part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from steelsight.errors import BadInput
from steelsight.evaluation.curves.learning_curve import fit_power_law, gain_interval
from steelsight.evaluation.intervals.bounds import FEWEST_GROUPS
from steelsight.executor import Executor
from steelsight.files import add_files, keep_earlier, write_json
from steelsight.plain import plain
from steelsight.reports.document import Document
from steelsight.reports.figures import draw_learning_size
from steelsight.runs.settings import result_settings
from steelsight.sheets.grouping.splits import Split
from steelsight.sheets.options import AUTOMATIC, DataOptions
from steelsight.streams import stream
from steelsight.training.conclude import environment
from steelsight.training.dataset import SheetData, open_training_sheets
from steelsight.training.loop.progress import TrainingProgress
from steelsight.training.recipe import Recipe
from steelsight.training.report.pages import stored_interval
from steelsight.training.run import make_split
from steelsight.training.several import LOCAL, Training, train_each
from steelsight.types import Interval

__all__ = ["LabelCurve", "draw_labels", "gain_words", "grow_labels"]

SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)
METRIC = "balanced_accuracy"
LEAST_GAIN = 0.0005  # of balanced accuracy; less is 0.000 in print

Positions = Int[np.ndarray, "_"]


@dataclass(frozen=True)
class LabelCurve:
    """Numbers of a label curve, and the folder they are written to."""

    folder: Path
    numbers: dict[str, Any]


def grow_labels(
    data: Path,
    options: DataOptions = AUTOMATIC,
    *,
    recipe: Recipe,
    out: Path,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
    fresh: bool = False,
    progress: TrainingProgress | None = None,
    executor: Executor = LOCAL,
) -> LabelCurve:
    """Train once for each share, fit the curve, write OUT/curve.html and OUT/curve.json.

    The RUN folders are OUT/share-NNNN.

    shares    of the training sheets, above 0 to 1, at least three
    executor  does the trainings
    raises    BadInput for other shares, or where the smallest lacks a class; what training raises
    """
    ordered = sorted(set(shares))
    if len(ordered) < 3 or ordered[0] <= 0 or ordered[-1] > 1:
        raise BadInput(
            f"--shares: expected at least three different shares above 0 and up to 1, got {list(shares)}"
        )
    if recipe.task == "multilabel":
        raise BadInput("learning curve: expected task binary or multiclass, got multilabel")
    sheets = open_training_sheets(data, recipe, options)
    whole = make_split(sheets, recipe.split, seed=seed)
    if not whole.test.size:
        raise BadInput("learning curve: expected test sheets, got none; set split.test above 0")
    parts = draw_labels(sheets, whole, ordered, stream(seed, "label-curve"))
    trainings = [
        Training(
            name=f"share {share:g}",
            data=sheets,
            split=Split(train, whole.validation, whole.test),
            recipe=recipe,
            folder=out / f"share-{round(1000 * share):04d}",
            seed=seed,
        )
        for share, train in zip(ordered, parts, strict=True)
    ]
    runs = dict(train_each(trainings, reads=[data], fresh=fresh, progress=progress, executor=executor))
    reports = [runs[index].metrics["test"] for index in range(len(trainings))]
    rows = [
        {"share": share, "sheets": int(train.size), METRIC: report[METRIC], "auc": report["auc"]}
        for share, train, report in zip(ordered, parts, reports, strict=True)
    ]
    numbers = _numbers(sheets, rows, seed, np.unique(sheets.group_indices[whole.test]).size)
    settings = result_settings(
        "label-curve",
        options,
        data_hash=sheets.data_hash,
        recipe=recipe.model_dump(mode="json"),
        shares=ordered,
        seed=seed,
    )
    numbers |= keep_earlier(out, "curve.json", settings, ["curve.html"])
    _write(out, sheets, numbers)
    return LabelCurve(out, numbers)


def draw_labels(
    data: SheetData, split: Split, shares: Sequence[float], rng: np.random.Generator
) -> list[Positions]:
    """Training positions of each share, each a subset of the next.

    Whole groups are added in a random order, after one group for each class; only the last group of a share
    is cut where the share's count is reached.

    raises  BadInput where a share lacks a class of the training sheets
    """
    group = data.group_indices[split.train]
    keys = data.keys[split.train]
    rank = rng.permutation(int(group.max()) + 1)[group]  # groups in a random order
    order = np.argsort(rank, kind="stable")
    # The groups of one sheet of each class come first, since the smallest share needs every class.
    heads = [order[keys[order] == key][0] for key in np.unique(keys)]
    first = np.isin(group, group[heads])
    order = np.concatenate([order[first[order]], order[~first[order]]])
    parts = []
    for share in shares:
        count = max(1, round(share * order.size))
        part = np.sort(split.train[order[:count]])
        if np.unique(data.keys[part]).size < np.unique(keys).size:
            raise BadInput(
                f"--shares: {share:g} of {order.size} training sheets lacks a class; "
                "start with a larger share"
            )
        parts.append(part)
    return parts


def gain_words(gain: Interval, factor: str, groups: int) -> str:
    """The gain from more labels in words: with its bounds, or why it cannot be said.

    factor  "twice", "four times"
    groups  independent groups of the test sheets
    """
    what = f"the gain from {factor} as many labels"
    if groups < FEWEST_GROUPS:
        return (
            f"{what} cannot be said: {groups} groups of test sheets are too few, {FEWEST_GROUPS} are needed"
        )
    if not (np.isfinite(gain.low) and np.isfinite(gain.high)):
        return (
            f"{what} cannot be said: a size has no interval, because its verdicts name one class only or a "
            "class has one group of test sheets"
        )
    bounds = f"{gain.estimate:+.3f} [{gain.low:.3f}, {gain.high:.3f}]"
    if gain.low < LEAST_GAIN:
        return f"{what} cannot be told from none: {bounds} of balanced accuracy"
    return f"{what} is {bounds} of balanced accuracy, if the curve goes on as it did"


def _numbers(data: SheetData, rows: list[dict[str, Any]], seed: int, groups: int) -> dict[str, Any]:
    sizes = [row["sheets"] for row in rows]
    scores = [stored_interval(row[METRIC]) for row in rows]
    law = fit_power_law(sizes, [score.estimate for score in scores])
    gains = {
        word: gain_interval(sizes, scores, factor, rng=stream(seed, "label-gain"))
        for word, factor in (("twice", 2), ("four times", 4))
    }
    numbers: dict[str, Any] = {
        "data": data.name,
        "data_hash": data.data_hash,
        "groups": data.grouping,
        "reading": data.reading,
        "seed": seed,
        "rows": rows,
        "law": asdict(law),
        "twice_as_many_add": law.gain(sizes[-1], 2),
        "four_times_as_many_add": law.gain(sizes[-1], 4),
        "test_groups": groups,
        "gains": {word: plain(gain) for word, gain in gains.items()},
        "in_words": [gain_words(gain, word, groups) for word, gain in gains.items()],
        "environment": environment(),
    }
    return numbers


def _write(out: Path, data: SheetData, numbers: dict[str, Any]) -> None:
    rows = numbers["rows"]
    intervals = [stored_interval(row[METRIC]) for row in rows]
    sizes = [row["sheets"] for row in rows]
    law = fit_power_law(sizes, [row[METRIC]["estimate"] for row in rows])
    page = Document("Value of more labels", subtitle=f"{data.name}, {data.task}")
    page.chapter("Learning curve")
    page.text(
        "The same recipe on growing shares of the training sheets, tested on the same sheets. "
        + " ".join(f"{words[0].upper()}{words[1:]}." for words in numbers["in_words"])
    )
    page.figure(
        draw_learning_size(sizes, intervals, law),
        id="label-curve",
        alt="Balanced accuracy by training sheets: "
        + ", ".join(f"{row['sheets']}: {row[METRIC]['estimate']:.3f}" for row in rows),
        caption="Bars: 95 % intervals. A power law through the points extrapolates the trend. The bounds of "
        "a gain come from laws through scores drawn within these intervals; each size is trained once, and "
        "the spread between trainings is not in them.",
    )
    page.table(
        ["training sheets", "balanced accuracy", "AUC"],
        [[row["sheets"], stored_interval(row[METRIC]), stored_interval(row["auc"])] for row in rows],
        id="label-table",
    )
    page.footer(
        {
            "data": f"{data.name} ({data.data_hash})",
            "groups": data.grouping,
            "read as": data.reading,
            "seed": numbers["seed"],
            **environment(),
        }
    )
    page.save_page(out / "curve.html")
    add_files(numbers, page.figure_files())
    write_json(out / "curve.json", numbers)
