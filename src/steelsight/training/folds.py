"""Cross-validation by whole groups: every sheet is predicted by models trained without its group.

Each fold is a RUN folder of its own, so an interrupted cross-validation can be resumed. Intervals come from
the pooled out-of-fold predictions of all repeats, resampled by group, all repeats of a sheet together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float32, Int
from sklearn.model_selection import StratifiedGroupKFold

from steelsight.checksums import write_checksums
from steelsight.errors import BadRecipe
from steelsight.executor import Executor
from steelsight.files import dump_json, replace_through, write_json
from steelsight.groups import group_keys
from steelsight.sheets.grouping.splits import Split, group_split
from steelsight.sheets.options import AUTOMATIC, DataOptions
from steelsight.streams import indexed_stream
from steelsight.training.conclude import describe_data, environment
from steelsight.training.coverage import class_members
from steelsight.training.dataset import SheetData, open_training_sheets
from steelsight.training.loop.progress import TrainingProgress
from steelsight.training.options import FoldOptions
from steelsight.training.recipe import Recipe, SplitRecipe
from steelsight.training.records import (
    METRICS_FILE,
    PREDICTIONS_FILE,
    RECIPE_FILE,
    read_logits,
    truth_names,
)
from steelsight.training.report.pages import write_folds_page
from steelsight.training.report.scores import answers_in_words, repeat_data, report_part
from steelsight.training.several import LOCAL, Training, train_each
from steelsight.types import Logits

__all__ = ["CrossValidation", "TrainingFold", "cross_validate", "draw_folds"]

Positions = Int[np.ndarray, " p"]


@dataclass(frozen=True)
class TrainingFold:
    """One training of a cross-validation."""

    repeat: int  # from 0
    number: int  # from 0
    split: Split


@dataclass(frozen=True)
class CrossValidation:
    """Metrics of a cross-validation, and the folder they are written to."""

    folder: Path
    metrics: dict[str, Any]


def cross_validate(
    data: Path,
    options: DataOptions = AUTOMATIC,
    *,
    recipe: Recipe,
    out: Path,
    folds: FoldOptions = FoldOptions(),
    seed: int = 0,
    fresh: bool = False,
    progress: TrainingProgress | None = None,
    executor: Executor = LOCAL,
) -> CrossValidation:
    """Train folds x repeats models and evaluate each on its fold.

    out       OUT/fold-REPEAT-NUMBER are RUN folders, finished ones are kept; metrics.json has pooled figures
    executor  does the trainings
    others    as run.train_run
    raises    BadRecipe as `draw_folds`; BadData where a multiclass DATA has one class alone
    """
    if recipe.split.method == "given":
        raise BadRecipe(
            "folds: a cross-validation divides all sheets itself and would train on the given test part; "
            "leave out --split given, or --folds"
        )
    sheets = open_training_sheets(data, recipe, options)
    plan = draw_folds(sheets, recipe.split, folds, seed=seed)
    shape = (folds.repeats, len(sheets.items), len(sheets.labelled.class_names))
    logits = np.full(shape, np.nan, dtype=np.float32)
    trainings = _trainings(sheets, plan, recipe, out, seed)
    runs = train_each(trainings, reads=[data], fresh=fresh, progress=progress, executor=executor)
    for index, run in runs:
        fold = plan[index]
        test = fold.split.test
        logits[fold.repeat, test] = read_logits(run.folder)[test]
    metrics = _pool(sheets, logits, seed)
    metrics |= {
        "folds": folds.folds,
        "repeats": folds.repeats,
        "seed": seed,
        "mask_supervised": recipe.learns_masks,
        "shuffled_labels": recipe.labels.shuffle_seed > 0,
        "data": describe_data(sheets, []),
        "environment": environment(),
    }
    write_json(out / RECIPE_FILE, recipe.model_dump(mode="json"))
    _write_answers(out / PREDICTIONS_FILE, sheets, plan, logits)
    write_folds_page(out, metrics, sheets)
    write_checksums(out, (RECIPE_FILE, PREDICTIONS_FILE), {METRICS_FILE: dump_json(metrics)})
    write_json(out / METRICS_FILE, metrics)
    return CrossValidation(out, metrics)


def draw_folds(
    data: SheetData, recipe: SplitRecipe, options: FoldOptions, *, seed: int
) -> list[TrainingFold]:
    """The folds of scikit-learn's StratifiedGroupKFold, one shuffle a repeat.

    Validation sheets are whole groups taken from the fold's own training sheets, by the recipe's ratio of
    validation to train; the recipe's `method` and `test` are not used.

    raises  BadRecipe for fewer groups of a class than folds, a fold with an empty part, or one whose train or
            test part lacks a class
    """
    folds = options.folds
    keys = data.keys
    usable = np.flatnonzero(keys >= 0)
    groups = group_keys([data.groups[i] for i in usable.tolist()], usable.tolist())
    _refuse_few_groups(data, keys[usable], groups, folds)
    share = recipe.validation / (recipe.train + recipe.validation)
    plan = []
    for repeat in range(options.repeats):
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed + repeat)
        for number, (learn, test) in enumerate(splitter.split(usable, keys[usable], groups)):
            rng = indexed_stream(seed, repeat, number)
            names = [groups[i] for i in learn.tolist()]
            inner = group_split(keys[usable[learn]], names, (1 - share, share, 0.0), rng=rng)
            split = Split(
                train=usable[learn[inner.train]],
                validation=usable[learn[inner.validation]],
                test=usable[test],
            )
            plan.append(TrainingFold(repeat, number, split))
    for fold in plan:
        _refuse_empty_parts(data, fold, recipe)
    _refuse_missing_classes(data, plan, folds)
    return plan


def _refuse_empty_parts(data: SheetData, fold: TrainingFold, recipe: SplitRecipe) -> None:
    """Raise BadRecipe where a fold has no training, validation or test sheets."""
    wanted = {"train": True, "validation": recipe.validation > 0, "test": True}
    for part, needed in wanted.items():
        if needed and not getattr(fold.split, part).size:
            groups = np.unique(data.group_indices[data.keys >= 0]).size
            advice = ", or set split.validation to 0 and split.train + split.test to 1"
            raise BadRecipe(
                f"fold {fold.number + 1} of repeat {fold.repeat + 1}: expected {part} sheets, got none from "
                f"{len(data.items)} sheets in {groups} groups; use fewer folds or another group rule"
                + advice
                * (part == "validation")
            )


def _refuse_few_groups(data: SheetData, keys: Positions, groups: list[str], folds: int) -> None:
    for key in np.unique(keys):
        count = len(set(np.array(groups)[keys == key]))
        if count < folds:
            name = truth_names(data)[int(np.flatnonzero(data.keys == key)[0])] or data.labelled.clean_name
            dropped = int((data.keys < 0).sum())
            aside = f" (not counting {dropped} of several types)" if dropped else ""
            fewer = "use fewer folds, or another group rule"
            single = "add sheets of it, train without --folds, or give --task binary"
            raise BadRecipe(
                f"folds: expected at most as many as groups, but class {name} has {count} for {folds} folds"
                f"{aside}; {fewer if count > 1 else single}"
            )


def _refuse_missing_classes(data: SheetData, plan: Sequence[TrainingFold], folds: int) -> None:
    """Raise BadRecipe where a fold lacks a class: groups of different size may fall into one fold."""
    members = class_members(data)
    present = members.any(axis=0)
    for fold in plan:
        for part in ("train", "test"):
            covered = members[getattr(fold.split, part)].any(axis=0)
            for missing in np.flatnonzero(present & ~covered).tolist():
                name, count = data.labelled.class_names[missing], _group_count(data, members[:, missing])
                raise BadRecipe(
                    f"fold {fold.number + 1} of repeat {fold.repeat + 1}: its {part} part has no sheet of "
                    f"{name}, whose {count} groups are not in all {folds} folds; use fewer folds, "
                    "another --seed or group rule"
                )


def _group_count(data: SheetData, chosen: Bool[np.ndarray, " n"]) -> int:
    return int(np.unique(data.group_indices[chosen]).size)


def _trainings(
    data: SheetData, plan: Sequence[TrainingFold], recipe: Recipe, out: Path, seed: int
) -> list[Training]:
    return [
        Training(
            name=f"fold {number} of {len(plan)}",
            data=data,
            split=fold.split,
            recipe=recipe,
            folder=out / f"fold-{fold.repeat}-{fold.number}",
            seed=_seed_of(seed, fold),
        )
        for number, fold in enumerate(plan, 1)
    ]


def _seed_of(seed: int, fold: TrainingFold) -> int:
    """A seed of the fold's own, for its head and its order."""
    return int(np.random.SeedSequence([seed, fold.repeat, fold.number]).generate_state(1)[0])


def _pool(data: SheetData, logits: Float32[np.ndarray, "r n c"], seed: int) -> dict[str, Any]:
    """Metrics of all repeats together, and of each repeat."""
    usable = np.flatnonzero(data.keys >= 0)
    repeats = len(logits)
    count = len(data.items)
    everywhere = np.concatenate([usable + repeat * count for repeat in range(repeats)])
    return {
        "task": data.task,
        "class_names": list(data.labelled.class_names),
        "pooled": report_part(
            repeat_data(data, repeats), logits.reshape(-1, logits.shape[2]), everywhere, seed=seed
        ),
        "each_repeat": [report_part(data, answers, usable, seed=seed) for answers in logits],
    }


def _write_answers(
    path: Path, data: SheetData, plan: Sequence[TrainingFold], logits: Float32[np.ndarray, "r n c"]
) -> None:
    """Write predictions.parquet: every out-of-fold prediction with its repeat and fold."""
    table = pa.Table.from_pylist(list(_answers(data, plan, logits)))
    replace_through(path, lambda new: pq.write_table(table, new))


def _answers(
    data: SheetData, plan: Sequence[TrainingFold], logits: Float32[np.ndarray, "r n c"]
) -> Iterator[dict[str, Any]]:
    truths = truth_names(data)
    words: list[list[str]] = [answers_in_words(np.nan_to_num(answers), data) for answers in logits]
    for fold in plan:
        for position in fold.split.test.tolist():
            row: Logits = logits[fold.repeat]
            yield {
                "id": data.ids[position],
                "repeat": fold.repeat,
                "fold": fold.number,
                "group": data.groups[position],
                "label": truths[position],
                "predicted": words[fold.repeat][position],
                "logits": row[position].tolist(),
            }
