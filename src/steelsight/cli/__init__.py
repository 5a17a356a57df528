"""The command line: one file a verb. A verb imports what it needs when it runs: `--help` stays fast."""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

from steelsight.cli.boundary import flush_output, open_streams
from steelsight.cli.data.data import data
from steelsight.cli.data.synth import synth
from steelsight.cli.explain.explain import explain
from steelsight.cli.explain.inspect import inspect
from steelsight.cli.explain.league import league
from steelsight.cli.lab.calibrate import calibrate
from steelsight.cli.lab.compare import compare
from steelsight.cli.lab.confidence import confidence
from steelsight.cli.lab.evaluate import evaluate
from steelsight.cli.lab.label_curve import label_curve
from steelsight.cli.lab.models import models
from steelsight.cli.lab.recipes import recipes
from steelsight.cli.lab.robustness import robustness
from steelsight.cli.lab.train import train
from steelsight.cli.plant.adapt import adapt
from steelsight.cli.plant.bench import bench
from steelsight.cli.plant.bundle import bundle
from steelsight.cli.plant.demo import demo
from steelsight.cli.plant.export import export
from steelsight.cli.plant.gate import gate
from steelsight.cli.plant.scan import scan
from steelsight.cli.service.coil import coil
from steelsight.cli.service.console import console
from steelsight.cli.service.ledger import ledger
from steelsight.cli.service.line import line
from steelsight.cli.service.quality import quality
from steelsight.cli.service.reviews import reviews
from steelsight.cli.service.serve import serve
from steelsight.cli.service.user import user
from steelsight.cli.shortcuts.shortcuts import shortcuts
from steelsight.cli.study import study
from steelsight.cli.verb import Verb, Verbs
from steelsight.version import __version__

__all__ = ["app", "main"]


app = typer.Typer(
    cls=Verbs,
    name="steelsight",
    help="Explainable inspection of sheet steel.",
    no_args_is_help=True,
    add_completion=False,
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
    show_traceback: Annotated[  # read by Verbs
        bool,
        typer.Option("--traceback", help="Show the traceback of every error.", envvar="STEELSIGHT_TRACEBACK"),
    ] = False,
) -> None:
    pass


LAB = (
    train,
    evaluate,
    compare,
    confidence,
    calibrate,
    robustness,
    label_curve,
    explain,
    league,
    study,
    export,
)
for verb in (
    demo,
    bench,
    scan,
    adapt,
    gate,
    line,
    serve,
    console,
    quality,
    synth,
    data,
    models,
    recipes,
    *LAB,
):
    app.command(cls=Verb)(verb)
app.add_typer(bundle)
app.add_typer(shortcuts)
app.add_typer(inspect)
app.add_typer(ledger)
app.add_typer(coil)
app.add_typer(reviews)
app.add_typer(user)


def main() -> None:
    """Run the command line."""
    open_streams()
    try:
        app()
    finally:
        gc.freeze()  # else the interpreter searches all objects for cycles as it ends: a second and more
        if code := flush_output():
            sys.exit(code)
