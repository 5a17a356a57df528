"""`steelsight league RUN DATA`: which explanation to believe, measured against masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steelsight.cli.console import AllowBadOption, JsonFlag, console, emit_json, step_status
from steelsight.files import write_json

if TYPE_CHECKING:
    from steelsight.explanations.benchmark.run import League

__all__ = ["league"]

REPORT, FIGURES, NUMBERS = "report.html", "figures", "league.json"


def league(
    run: Annotated[
        Path,
        typer.Argument(help="RUN folder, also of a cross-validation: its folds are pooled.", metavar="RUN"),
    ],
    data: Annotated[Path, typer.Argument(help="Folder with masks, as for train.", metavar="DATA")],
    split: Annotated[
        str, typer.Option(help="The part that judges: test, validation, train, or unseen.")
    ] = "test",
    methods: Annotated[
        str | None, typer.Option(help="Names joined by commas; default all. A wrong one lists them.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many sheets to choose on, and to judge on, a model.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="Keys of the league's recipe, as study.sigma=1.", metavar="KEY=VALUE"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Default: RUN/league-SPLIT.", metavar="DIR")] = None,
    allow_bad: AllowBadOption = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of samples, noise and the bootstrap.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Compare explanation methods on sheets with masks, and recommend one with a rule for making masks.

    Method and rule are chosen on the run's validation sheets and reported on its test sheets.
    """
    from steelsight.explanations.benchmark.numbers import league_json
    from steelsight.explanations.benchmark.report import recommendation
    from steelsight.explanations.benchmark.run import run_league
    from steelsight.explanations.benchmark.settings import load_league_recipe
    from steelsight.runs.league_page import write_page
    from steelsight.runs.open import open_benchmark
    from steelsight.study.contents import published_segmentation

    recipe = load_league_recipe(setting or [])
    folder = out if out is not None else run / f"league-{split}"
    with step_status("opening") as say:
        arena = open_benchmark(
            run, data, part=split, share=recipe.choice.share, limit=limit, allow_bad=allow_bad, seed=seed
        )
        task = arena.runs[0].card.task
        found = run_league(
            arena.cases,
            recipe,
            task=task,
            methods=None
            if methods is None
            else [name.strip() for name in methods.split(",") if name.strip()],
            class_names=arena.runs[0].card.class_names,
            seed=seed,
            notes=arena.notes,
            say=say,
        )
        published = published_segmentation(task)
        numbers: dict[str, Any] = {
            "run": str(run),
            "data": arena.runs[0].data.name,
            "split": split,
            "mask_supervised": any(each.card.mask_supervised for each in arena.runs),
            "seed": seed,
            "recipe": recipe.model_dump(mode="json"),
            **league_json(found, published),
        }
        say("drawing")
        write_page(folder / REPORT, found, arena, recipe, published, split=split, seed=seed)
    write_json(folder / NUMBERS, numbers)
    _tell(found)
    console.print(recommendation(found), markup=False, soft_wrap=True)
    console.print(f"report: {folder / REPORT}", markup=False, soft_wrap=True)
    if as_json:
        emit_json({"out": str(folder), **numbers})


def _tell(found: League) -> None:
    """The table for people."""
    from rich.table import Table

    table = Table("method", box=None, pad_edge=False)
    for head in ("recall", "precision", "IoU", "Dice", "Dice, own rule", "ms"):
        table.add_column(head, justify="right", no_wrap=True)
    for result in found.results.values():
        means = [
            float(result.scores["study"][name].mean()) for name in ("recall", "precision", "iou", "dice")
        ]
        own = float(result.scores["chosen"]["dice"].mean())
        table.add_row(
            result.candidate.title, *(f"{value:.3f}" for value in (*means, own)), f"{result.time_ms:.1f}"
        )
    console.print(table)
    ceiling = found.ceiling
    console.print(
        f"{found.rule}; input {ceiling.input_size[0]}x{ceiling.input_size[1]}, grid "
        f"{ceiling.grid[0]}x{ceiling.grid[1]}, ceiling {ceiling.by_rule.mean():.3f}, with the best threshold "
        f"{ceiling.by_best.mean():.3f}",
        markup=False,
        soft_wrap=True,
    )
