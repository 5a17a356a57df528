"""Trains on one DATA folder and tests on another, or trains on every sheet with cross-validated figures."""

from __future__ import annotations

from pathlib import Path

from steelsight.errors import BadCheckpoint
from steelsight.executor import Executor
from steelsight.runs.evaluate import Evaluation, evaluate_run
from steelsight.sheets.catalog import open_data
from steelsight.sheets.options import AUTOMATIC, DataOptions
from steelsight.training.folds import CrossValidation, cross_validate
from steelsight.training.loop.progress import NoProgress, TrainingProgress
from steelsight.training.options import FoldOptions
from steelsight.training.recipe import Recipe
from steelsight.training.recipe_files import override
from steelsight.training.records import METRICS_FILE
from steelsight.training.run import RunResult, load_run, train_run
from steelsight.training.several import LOCAL

__all__ = ["FOLDS_FOLDER", "train_and_test", "train_on_all"]

FOLDS_FOLDER = "folds"  # in a RUN that was trained on every sheet: its cross-validation


def train_and_test(
    data: Path,
    other: Path,
    options: DataOptions = AUTOMATIC,
    *,
    recipe: Recipe,
    out: Path,
    seed: int = 0,
    fresh: bool = False,
    progress: TrainingProgress | None = None,
) -> tuple[RunResult, Evaluation]:
    """Train on DATA, whose test share goes to training, and evaluate on all sheets of OTHER.

    Sheets of OTHER that have the pixels of a training sheet, and their groups, are left out and counted.

    options  how both folders are opened
    raises   as `train_run` and `evaluate_run`
    """
    open_data(other, options=options)  # a folder that cannot be read is refused before the training
    split = recipe.split
    if split.method != "given":
        recipe = override(recipe, {"split.train": split.train + split.test, "split.test": 0.0})
    run = train_run(data, options, recipe=recipe, out=out, seed=seed, fresh=fresh, progress=progress)
    return run, evaluate_run(out, other, options, seed=seed)


def train_on_all(
    data: Path,
    options: DataOptions = AUTOMATIC,
    *,
    recipe: Recipe,
    out: Path,
    folds: FoldOptions,
    seed: int = 0,
    fresh: bool = False,
    progress: TrainingProgress | None = None,
    executor: Executor = LOCAL,
) -> tuple[RunResult, CrossValidation]:
    """Cross-validate the recipe on DATA, then train on every sheet; the figures are those of the folds.

    The epochs are those of the recipe, without early stopping: no sheet is left to validate on.

    executor  does the trainings of the cross-validation
    raises    as `train_run` and `cross_validate`
    """
    progress = progress or NoProgress()
    everything = {"split.train": 1.0, "split.validation": 0.0, "split.test": 0.0, "stop.patience": 0}
    final = override(recipe, everything)
    if not fresh and (out / METRICS_FILE).exists():
        _refuse_other(load_run(out), final, seed)  # before the folds, which take long
    validated = cross_validate(
        data,
        options,
        recipe=recipe,
        out=out / FOLDS_FOLDER,
        folds=folds,
        seed=seed,
        fresh=fresh,
        progress=progress,
        executor=executor,
    )
    progress.note("training on every sheet")
    run = train_run(data, options, recipe=final, out=out, seed=seed, fresh=fresh, progress=progress)
    return run, validated


def _refuse_other(run: RunResult, recipe: Recipe, seed: int) -> None:
    """Raise BadCheckpoint where a finished RUN was trained on a part of its sheets, or with another seed."""
    if run.recipe.split != recipe.split or run.card.seed != seed:
        raise BadCheckpoint(
            f"{run.folder}: holds a finished training with another split or seed; choose another --out, or "
            "overwrite it with --fresh"
        )
