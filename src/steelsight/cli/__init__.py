"""The command line: one file per verb. Verbs import the rooms they use when they run, so `--help` stays quick."""

from __future__ import annotations

import typer

from steelsight.cli.console import exit_on_error

__all__ = ["app", "main"]

app = typer.Typer(
    name="steelsight",
    help="Explainable inspection of sheet steel.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


def main() -> None:
    """Run the command line."""
    with exit_on_error():
        app()
