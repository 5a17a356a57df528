"""`steelsight inspect`: what a trained network's inside has learnt."""

from __future__ import annotations

import typer

from steelsight.cli.inspect_neurons import neurons

__all__ = ["inspect"]

inspect = typer.Typer(name="inspect", help="Look inside a trained network.", no_args_is_help=True)
for verb in (neurons,):
    inspect.command()(verb)
