"""`steelsight shortcuts`: image content that a model uses instead of the defect."""

from __future__ import annotations

import typer

from steelsight.cli.shortcuts.find import find
from steelsight.cli.shortcuts.gate import gate
from steelsight.cli.shortcuts.prove import prove
from steelsight.cli.shortcuts.repair import repair
from steelsight.cli.verb import Verb

__all__ = ["shortcuts"]

shortcuts = typer.Typer(
    name="shortcuts", help="Image content that a model uses instead of the defect.", no_args_is_help=True
)
shortcuts.command(cls=Verb)(find)
shortcuts.command(cls=Verb)(prove)
shortcuts.command(cls=Verb)(repair)
shortcuts.command(cls=Verb)(gate)
