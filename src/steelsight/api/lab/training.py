"""`ss.train` and its like, and `ss.compare`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from steelsight.api.data import DataLike, as_data, path_or_none
from steelsight.api.lab.run import Run
from steelsight.api.lab.settings import CompareSettings
from steelsight.api.progress import Progress, training_progress
from steelsight.api.settings import choose
from steelsight.argument_types import checked
from steelsight.errors import BadRecipe
from steelsight.sheets.options import AUTOMATIC
from steelsight.training.options import FoldOptions, TrainOptions

if TYPE_CHECKING:
    from steelsight.api.results.evaluation import (
        ComparisonResult,
        CrossValidationResult,
        EvaluationResult,
        LabelCurveResult,
    )
    from steelsight.executor import Executor
    from steelsight.runs.options import CompareOptions
    from steelsight.training.recipe import Recipe

__all__ = ["compare", "cross_validate", "label_curve", "train", "train_and_test", "train_on_all"]

RunLike = Run | Path | str
RecipeLike = Any  # a name, a TOML file, a Recipe, or TrainOptions; None = default, or the recipe of `start`


@checked
def train(
    data: DataLike,
    recipe: RecipeLike = None,
    *,
    out: Path | str,
    start: RunLike | None = None,
    seed: int = 0,
    fresh: bool = False,
    progress: Progress = None,
    **settings: Any,
) -> Run:
    """Train a model, test it on sheets that were not used in training, and write everything to a RUN folder.

    After KeyboardInterrupt, or the end of the process, the same call goes on from the last finished epoch and
    gives the same figures. A finished training with the same inputs is returned as it is.

    recipe    default, accurate, parts, study, ...; a TOML file; a Recipe; or TrainOptions, which say the
              start, the seed, the settings and whether to start over as well
    out       RUN folder
    start     finished run whose weights the training starts from
    fresh     start over
    progress  None, True for a bar, or a function of a ProgressEvent
    settings  values of recipe keys by their last part, or by the whole with __ for the dot:
              learning_rate=1e-3, model__name="squeezenet_reduced"
    raises    BadData, BadRecipe; BadCheckpoint where `out` holds another training
    """
    from steelsight.training.run import train_run

    where = as_data(data)
    common = _common(recipe, start, out, seed, fresh, settings)
    with training_progress(progress) as shown:
        train_run(
            where.path,
            where.options,
            **common,
            progress=shown,
        )
    return Run(Path(out))


@checked
def cross_validate(
    data: DataLike,
    recipe: RecipeLike = None,
    *,
    out: Path | str,
    folds: FoldOptions | int = 5,
    seed: int = 0,
    fresh: bool = False,
    progress: Progress = None,
    executor: Executor | None = None,
    **settings: Any,
) -> CrossValidationResult:
    """Train on all folds but one, in turn, and evaluate on that one; one RUN a fold in `out`.

    folds     their number, or FoldOptions with repetitions
    executor  where the trainings are done; None = here
    returns   metrics pooled over all out-of-fold sheets
    raises    as `train`
    """
    from steelsight.api.results.evaluation import CrossValidationResult
    from steelsight.training.folds import cross_validate as validate
    from steelsight.training.several import LOCAL

    where = as_data(data)
    common = _common(recipe, None, out, seed, fresh, settings)
    with training_progress(progress) as shown:
        done = validate(
            where.path,
            where.options,
            **common,
            folds=_folds(folds),
            progress=shown,
            executor=executor or LOCAL,
        )
    return CrossValidationResult(Path(out), done.metrics)


@checked
def train_and_test(
    data: DataLike,
    other: DataLike,
    recipe: RecipeLike = None,
    *,
    out: Path | str,
    seed: int = 0,
    fresh: bool = False,
    progress: Progress = None,
    **settings: Any,
) -> tuple[Run, EvaluationResult]:
    """Train on DATA, whose test share goes to training, and evaluate on all sheets of another folder.

    other   read as `data` is
    raises  as `train` and `Run.evaluate`
    """
    from steelsight.api.results.evaluation import EvaluationResult
    from steelsight.runs.train_and_test import train_and_test as train_then_test

    where = as_data(data)
    common = _common(recipe, None, out, seed, fresh, settings)
    with training_progress(progress) as shown:
        _, tested = train_then_test(
            where.path,
            as_data(other).path,
            where.options,
            **common,
            progress=shown,
        )
    return Run(Path(out)), EvaluationResult(tested.folder, tested.metrics)


@checked
def train_on_all(
    data: DataLike,
    recipe: RecipeLike = None,
    *,
    out: Path | str,
    folds: FoldOptions | int = 5,
    seed: int = 0,
    fresh: bool = False,
    progress: Progress = None,
    executor: Executor | None = None,
    **settings: Any,
) -> tuple[Run, CrossValidationResult]:
    """Cross-validate the recipe on DATA, in `out`/folds, then train on every sheet; raises as `train`."""
    from steelsight.api.results.evaluation import CrossValidationResult
    from steelsight.runs.train_and_test import FOLDS_FOLDER
    from steelsight.runs.train_and_test import train_on_all as train_everything
    from steelsight.training.several import LOCAL

    where = as_data(data)
    common = _common(recipe, None, out, seed, fresh, settings)
    with training_progress(progress) as shown:
        _, validated = train_everything(
            where.path,
            where.options,
            **common,
            folds=_folds(folds),
            progress=shown,
            executor=executor or LOCAL,
        )
    return Run(Path(out)), CrossValidationResult(Path(out) / FOLDS_FOLDER, validated.metrics)


@checked
def label_curve(
    data: DataLike,
    recipe: RecipeLike = None,
    *,
    out: Path | str,
    shares: Sequence[float] = (0.1, 0.2, 0.4, 0.7, 1.0),
    seed: int = 0,
    fresh: bool = False,
    progress: Progress = None,
    executor: Executor | None = None,
    **settings: Any,
) -> LabelCurveResult:
    """Train on growing shares of the labels, and extrapolate to twice as many; one RUN a share in `out`.

    shares   of the training sheets, above 0 to 1, at least three
    raises   BadInput for other shares, or where the smallest lacks a class; as `train`
    """
    from steelsight.api.results.evaluation import LabelCurveResult
    from steelsight.runs.label_curve import grow_labels
    from steelsight.training.several import LOCAL

    where = as_data(data)
    common = _common(recipe, None, out, seed, fresh, settings)
    with training_progress(progress) as shown:
        curve = grow_labels(
            where.path,
            where.options,
            **common,
            shares=tuple(shares),
            progress=shown,
            executor=executor or LOCAL,
        )
    return LabelCurveResult(curve.folder, curve.numbers)


@checked
def compare(
    *runs: RunLike,
    data: DataLike | None = None,
    out: Path | str | None = None,
    options: CompareOptions | None = None,
    **settings: Unpack[CompareSettings],
) -> ComparisonResult:
    """Compare runs with the first, on sheets that none was trained on: paired intervals and McNemar's test.

    runs    two or more; or folders of cross-validations, which are compared by their own predictions
    data    DATA folder whose sheets judge; None for cross-validations
    out     folder for compare.html and compare.json; None = nothing is written
    raises  BadInput for fewer than two runs, or runs of other tasks; BadData where no sheet is left
    """
    from steelsight.api.results.evaluation import ComparisonResult
    from steelsight.runs.comparison import compare_models
    from steelsight.runs.options import CompareOptions

    where = None if data is None else as_data(data)
    chosen = choose(CompareOptions, options, settings, data=None)
    if where is not None:
        chosen = replace(chosen, data=where.path)
    folders = [each.folder if isinstance(each, Run) else Path(each) for each in runs]
    reading = AUTOMATIC if where is None else where.options
    folder = path_or_none(out)
    return ComparisonResult(tuple(compare_models(folders, chosen, reading, out=folder)), folder)


class _Common(TypedDict):
    """What every training function takes."""

    recipe: Recipe
    out: Path
    seed: int
    fresh: bool


def _common(
    recipe: RecipeLike,
    start: RunLike | None,
    out: Path | str,
    seed: int,
    fresh: bool,
    settings: Mapping[str, Any],
) -> _Common:
    options = _train_options(recipe, start, seed, fresh, settings)
    chosen = _recipe(recipe, options, settings)
    return {"recipe": chosen, "out": Path(out), "seed": options.seed, "fresh": options.fresh}


def _train_options(
    recipe: RecipeLike, start: RunLike | None, seed: int, fresh: bool, settings: Mapping[str, Any]
) -> TrainOptions:
    """What the call says, as the command line says it."""
    if isinstance(recipe, TrainOptions):
        if settings or start is not None:
            names = ", ".join([*settings, *(["start"] if start is not None else [])])
            raise BadRecipe(f"{names}: expected inside TrainOptions, got both; leave one of them out")
        return recipe
    folder = start.folder if isinstance(start, Run) else None if start is None else Path(start)
    named = str(recipe) if isinstance(recipe, str | Path) else None
    return TrainOptions(recipe=named, start=folder, setting=tuple(_texts(settings)), seed=seed, fresh=fresh)


def _recipe(given: RecipeLike, options: TrainOptions, settings: Mapping[str, Any]) -> Recipe:
    """The recipe of a call; raises BadRecipe, BadCheckpoint."""
    from steelsight.training.fine_tune import chosen_recipe
    from steelsight.training.recipe import Recipe
    from steelsight.training.recipe_files import override

    if not isinstance(given, Recipe):
        if given is not None and not isinstance(given, str | Path | TrainOptions):
            raise BadRecipe(
                f"recipe: expected a name, a TOML file, a Recipe or TrainOptions, got {type(given).__name__}"
            )
        return chosen_recipe(options)
    if options.start is not None:
        raise BadRecipe(
            "start: expected with a recipe by name or file, got a Recipe, which has its own start"
        )
    return override(given, {_key(name): value for name, value in settings.items()})


def _texts(settings: Mapping[str, Any]) -> Sequence[str]:
    """Settings as `key=value` of the command line; raises BadRecipe for a value that TOML cannot hold."""
    texts = []
    for name, value in settings.items():
        refused = BadRecipe(f"{name}: expected a number, text, truth value or list, got {value!r:.80}")
        if value is None:
            raise refused
        if getattr(value, "ndim", None) == 0:  # a number of NumPy
            value = value.item()
        try:
            texts.append(f"{_key(name)}={json.dumps(value, allow_nan=False)}")
        except (TypeError, ValueError) as error:
            raise refused from error
    return texts


def _key(name: str) -> str:
    """A setting's name as a key of a recipe."""
    return name.replace("__", ".")


def _folds(folds: FoldOptions | int) -> FoldOptions:
    return folds if isinstance(folds, FoldOptions) else FoldOptions(folds)
