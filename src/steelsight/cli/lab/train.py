"""`steelsight train DATA`: learn from a folder of sheets, or cross-validate on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steelsight.cli.console import AllowBadOption, GroupsOption, JsonFlag, console, emit_json

if TYPE_CHECKING:
    from steelsight.training.recipe import Recipe

__all__ = ["show_report", "train"]

_HEADLINES = ("accuracy", "balanced_accuracy", "f1_weighted", "auc", "defect_auc")


def train(
    data: Annotated[
        Path, typer.Argument(help="Folder in Kaggle's layout, or one folder per class.", metavar="DATA")
    ],
    out: Annotated[Path, typer.Option(help="RUN folder to write.", metavar="RUN")],
    task: Annotated[
        str | None, typer.Option(help="binary, multiclass or multilabel. Default: the recipe's, binary.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Network; `steelsight models` lists them. Default: the recipe's.")
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="default, parts, study, aug_cnn and its like, or a TOML file.")
    ] = "default",
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another value for a recipe key, such as learning_rate=1e-3; repeatable."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="At most so many epochs.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed and data, same figures.")] = 0,
    groups: GroupsOption = None,
    allow_bad: AllowBadOption = 0,
    folds: Annotated[
        int | None, typer.Option(help="Cross-validate in so many folds; RUN holds a run for each.")
    ] = None,
    repeats: Annotated[int, typer.Option(help="Cross-validate so many times over.")] = 1,
    fresh: Annotated[
        bool, typer.Option("--fresh/--resume", help="Start over, or go on with what RUN holds.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Train a model, judge it on sheets it never saw, and write all of it to RUN.

    Interrupted, even killed, the same command goes on and ends with the same figures.
    """
    from steelsight.sheets.options import DataOptions
    from steelsight.training.loop.progress import ConsoleProgress
    from steelsight.training.recipe_files import load_recipe

    flags = {"task": task, "model.name": model, "stop.max_epochs": epochs}
    given = [f"{key}={value}" for key, value in flags.items() if value is not None]
    chosen = load_recipe(recipe, [*given, *(setting or [])])
    common: dict[str, Any] = {"options": DataOptions(groups, allow_bad), "seed": seed, "fresh": fresh}
    with ConsoleProgress(console) as progress:
        if folds is None:
            result = _train_one(data, chosen, out, progress=progress, **common)
        else:
            result = _train_folds(data, chosen, out, folds, repeats, progress=progress, **common)
    console.print(f"report: {out / 'report.html'}", markup=False, soft_wrap=True)
    if as_json:
        emit_json(result)


def _train_one(data: Path, recipe: Recipe, out: Path, **common: Any) -> dict[str, Any]:
    from steelsight.training.run import train_run

    done = train_run(data, recipe=recipe, out=out, **common)
    show_report("test sheets", done.metrics["test"])
    show_report(f"test sheets, X + {done.metrics['noise_sigma']}Z", done.metrics["test_noisy"])
    return {"run": str(out), "mask_supervised": done.card.mask_supervised, **done.metrics}


def _train_folds(
    data: Path, recipe: Recipe, out: Path, folds: int, repeats: int, **common: Any
) -> dict[str, Any]:
    from steelsight.training.folds import FoldOptions, cross_validate

    done = cross_validate(data, recipe=recipe, out=out, folds=FoldOptions(folds, repeats), **common)
    show_report("out-of-fold sheets", done.metrics["pooled"])
    return {"out": str(out), **done.metrics}


def show_report(what: str, report: dict[str, Any] | None) -> None:
    """Print a report's headline figures with their intervals."""
    if report is None:
        console.print(f"{what}: none")
        return
    console.print(f"{what}: {report['sheets']}", markup=False)
    if "types" in report:
        for name, found in report["types"].items():
            console.print(f"  {name:<24} AUC {_interval(found['auc'])}", markup=False)
        return
    for name in _HEADLINES:
        if name in report:
            console.print(f"  {name.replace('_', ' '):<18} {_interval(report[name])}", markup=False)


def _interval(interval: dict[str, float | None]) -> str:
    estimate, low, high = (interval[key] for key in ("estimate", "low", "high"))
    if estimate is None:
        return "undefined"
    return f"{estimate:.3f}" + ("" if low is None or high is None else f"  ({low:.3f} to {high:.3f})")
