"""`steelsight inspect VERB`: what happens inside a trained network."""

from __future__ import annotations

import typer

from steelsight.cli.explain.inspect_layers import layers
from steelsight.cli.explain.inspect_neurons import neurons
from steelsight.cli.explain.inspect_transplant import transplant
from steelsight.cli.verb import Verb

__all__ = ["inspect"]

inspect = typer.Typer(name="inspect", help="Look inside a trained network.", no_args_is_help=True)
for verb in (layers, neurons, transplant):
    inspect.command(cls=Verb)(verb)
