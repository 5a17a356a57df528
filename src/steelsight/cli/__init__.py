"""The command line: one file a verb. A verb is imported, with what it needs, when it is asked for."""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

from steelsight.cli.boundary import flush_output, open_streams
from steelsight.cli.group import Verbs
from steelsight.cli.verbosity import QuietFlag, VerboseFlag, set_verbosity
from steelsight.version import __version__

__all__ = ["app", "main"]


app = typer.Typer(
    cls=Verbs,
    name="steelsight",
    help="Explainable inspection of sheet steel.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> bool:
    if asked:
        typer.echo(f"steelsight {__version__}")
        raise typer.Exit
    return asked


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version),
    ] = False,
    show_traceback: Annotated[
        bool,
        typer.Option("--traceback", help="Show the traceback of every error.", envvar="STEELSIGHT_TRACEBACK"),
    ] = False,
    quiet: QuietFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    del show_traceback  # the classes of commands read it
    set_verbosity(quiet=quiet, verbose=verbose)


def main() -> None:
    """Run the command line."""
    open_streams()
    try:
        app()
    finally:
        gc.freeze()  # else the interpreter searches all objects for cycles as it ends: a second and more
        if code := flush_output():
            sys.exit(code)
