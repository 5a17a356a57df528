"""`models`: what the networks are made of and what they cost, as tables and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from steelsight.cli.console import JsonFlag, console, emit_json
from steelsight.errors import BadRecipe

__all__ = ["models"]


def models(
    names: Annotated[list[str] | None, typer.Argument(help="Networks; default all.")] = None,
    head: Annotated[str, typer.Option(help="study or direct.")] = "study",
    outputs: Annotated[int, typer.Option(help="Classes.")] = 2,
    height: Annotated[int, typer.Option(help="Input height, px.")] = 64,
    width: Annotated[int, typer.Option(help="Input width, px.")] = 400,
    out: Annotated[Path | None, typer.Option(help="Folder for the architecture figures.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the networks layer by layer: output shape, parameters, multiply-accumulates an image."""
    from pydantic import ValidationError

    from steelsight.models.catalog import MODELS, ModelSpec, structure
    from steelsight.models.summary import summarise

    result: dict[str, Any] = {"head": head, "height": height, "width": width, "models": {}}
    for name in names or list(MODELS):
        facts = {"name": name, "head": head, "outputs": outputs, "height": height, "width": width}
        try:
            spec = ModelSpec.model_validate(facts)
        except ValidationError as error:
            raise BadRecipe(error.errors()[0]["msg"].removeprefix("Value error, ")) from error
        rows = summarise(structure(spec), height, width, whole_fires=True)
        title = f"{MODELS[name].title}, {head} head"
        _print_table(title, rows)
        if out is not None:
            _draw(title, name, rows, (height, width), out)
        result["models"][name] = {
            "title": MODELS[name].title,
            "parameters": sum(row.parameters for row in rows),
            "macs": sum(row.macs for row in rows),
            "layers": [vars(row) for row in rows],
        }
    if as_json:
        emit_json(result)


def _print_table(title: str, rows: list[Any]) -> None:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for heading in ("layer", "kind", "output"):
        table.add_column(heading)
    table.add_column("parameters", justify="right")
    table.add_column("MMAC", justify="right")
    for row in rows:
        shape = "x".join(str(length) for length in row.output_shape)
        table.add_row(row.name, row.kind, shape, f"{row.parameters:,}", f"{row.macs / 1e6:.2f}")
    parameters, macs = sum(row.parameters for row in rows), sum(row.macs for row in rows)
    table.add_section()
    table.add_row("total", "", "", f"{parameters:,}", f"{macs / 1e6:.2f}")
    console.print(table)


def _draw(title: str, name: str, rows: list[Any], size: tuple[int, int], out: Path) -> None:
    from steelsight.reports.figures.architecture import draw_architecture
    from steelsight.reports.figures.style import save_figure

    path = save_figure(draw_architecture(rows, title, size=size), out / f"{name}.png")
    console.print(f"figure in {path}", markup=False, soft_wrap=True)
