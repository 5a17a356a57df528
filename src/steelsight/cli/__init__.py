"""The command line: one file per verb. Verbs import the rooms they use when they run, so `--help` stays quick."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from steelsight.cli.console import exit_on_error

__all__ = ["app", "main"]


class _Verbs(TyperGroup):
    """Ends every verb the same way when the package refuses its input."""

    def invoke(self, ctx: Any) -> Any:
        with exit_on_error():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Verbs,
    name="steelsight",
    help="Explainable inspection of sheet steel.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


def main() -> None:
    """Run the command line."""
    app()
