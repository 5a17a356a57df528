"""`steelsight label-curve DATA --out DIR`: how many more labels are worth it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import AllowBadOption, GroupsOption, JsonFlag, console, emit_json
from steelsight.errors import BadRecipe

__all__ = ["label_curve"]


def label_curve(
    data: Annotated[
        Path, typer.Argument(help="Folder in Kaggle's layout, or one folder per class.", metavar="DATA")
    ],
    out: Annotated[Path, typer.Option(help="Where curve.html, curve.json and the runs go.", metavar="DIR")],
    task: Annotated[str | None, typer.Option(help="binary or multiclass. Default: the recipe's.")] = None,
    recipe: Annotated[str, typer.Option(help="A recipe's name or TOML file, as for train.")] = "default",
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Further recipe keys, key=value.", metavar="KEY=VALUE")
    ] = None,
    shares: Annotated[
        str, typer.Option(help="Shares of the training sheets, joined by commas.")
    ] = "0.1,0.2,0.4,0.7,1",
    groups: GroupsOption = None,
    allow_bad: AllowBadOption = 0,
    seed: Annotated[int, typer.Option(min=0, help="Same seed and data, same figures.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train again what is trained already.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Train on growing shares of the labels and see what more of them would bring."""
    from steelsight.runs.label_curve import grow_labels
    from steelsight.sheets.options import DataOptions
    from steelsight.training.loop.progress import ConsoleProgress
    from steelsight.training.recipe_files import load_recipe

    chosen = load_recipe(recipe, [*([] if task is None else [f"task={task}"]), *(setting or [])])
    with ConsoleProgress(console) as progress:
        found = grow_labels(
            data,
            DataOptions(groups, allow_bad),
            recipe=chosen,
            out=out,
            shares=_numbers(shares),
            seed=seed,
            fresh=fresh,
            progress=progress,
        )
    for row in found.numbers["rows"]:
        console.print(
            f"  {row['sheets']:>7,} sheets  balanced accuracy {row['balanced_accuracy']['estimate']:.3f}"
        )
    console.print(f"twice as many labels: {found.numbers['twice_as_many_add']:+.3f}")
    console.print(f"report: {out / 'curve.html'}", markup=False, soft_wrap=True)
    if as_json:
        emit_json(found.numbers)


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise BadRecipe(f"--shares: expected numbers joined by commas, got {text!r}") from error
