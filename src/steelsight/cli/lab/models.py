"""`steelsight models`: the networks layer by layer, and their cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import JsonFlag, console, emit_json, print_line
from steelsight.cli.options import draws_figures, expand_options
from steelsight.runs.options import ModelOptions

if TYPE_CHECKING:
    from steelsight.runs.architectures import Architecture

__all__ = ["models"]


@draws_figures
@expand_options
def models(
    options: ModelOptions,
    names: Annotated[list[str] | None, typer.Argument(help="Networks; default all.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the architecture figures.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the networks layer by layer: output shape, parameters, multiply-accumulates per image."""
    from steelsight.api.lab.catalog import list_models

    found = list_models(*names or (), out=out, options=options)
    for each in found.architectures:
        _print(each)
        if each.figure is not None:
            print_line(f"figure in {each.figure}")
    if as_json:
        emit_json(found.as_dict())


def _print(architecture: Architecture) -> None:
    from rich.table import Table

    table = Table(title=architecture.title, title_justify="left")
    for heading in ("layer", "kind", "output"):
        table.add_column(heading)
    table.add_column("parameters", justify="right")
    table.add_column("MMAC", justify="right")
    for row in architecture.rows:
        shape = "x".join(str(length) for length in row.output_shape)
        table.add_row(row.name, row.kind, shape, f"{row.parameters:,}", f"{row.macs / 1e6:.2f}")
    table.add_section()
    table.add_row("total", "", "", f"{architecture.parameters:,}", f"{architecture.macs / 1e6:.2f}")
    console.print(table)
