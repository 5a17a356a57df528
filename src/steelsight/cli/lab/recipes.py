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
    from steelsight.training.recipe_files import RECIPES, recipe_text

    texts = {each: recipe_text(each) for each in ((name,) if name is not None else RECIPES)}
    if as_json:
        emit_json({"recipes": texts})
    elif name is not None:
        typer.echo(texts[name], nl=False)
    else:
        width = max(map(len, texts))
        for each, text in texts.items():
            typer.echo(f"{each:<{width}}  {text.splitlines()[0].removeprefix('# ')}")
