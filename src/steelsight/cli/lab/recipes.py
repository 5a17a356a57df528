"""`steelsight recipes [NAME]`: the shipped recipes, as templates for one's own."""

from __future__ import annotations

from typing import Annotated

import typer

from steelsight.cli.console import JsonFlag, emit_json

__all__ = ["recipes"]


def recipes(
    name: Annotated[
        str | None, typer.Argument(help="Recipe to print; default: a list of all.", metavar="NAME")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Print a shipped recipe as a template for your own TOML file, or list the recipes."""
    from steelsight.api.lab.catalog import list_recipes

    found = list_recipes() if name is None else list_recipes(name)
    if as_json:
        emit_json(found.as_dict())
    elif name is not None:
        typer.echo(found.texts[name], nl=False)
    else:
        width = max(map(len, found.texts))
        for each, description in found.table().rows:
            typer.echo(f"{each:<{width}}  {description}")
