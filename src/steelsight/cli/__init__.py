"""The command line: one file per verb. Verbs import their rooms when they run, so `--help` stays quick."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from steelsight.cli.bench import bench
from steelsight.cli.bundle import bundle
from steelsight.cli.calibrate import calibrate
from steelsight.cli.compare import compare
from steelsight.cli.confidence import confidence
from steelsight.cli.console import exit_on_error
from steelsight.cli.data import data
from steelsight.cli.demo import demo
from steelsight.cli.evaluate import evaluate
from steelsight.cli.explain import explain
from steelsight.cli.export import export
from steelsight.cli.inspect import inspect
from steelsight.cli.label_curve import label_curve
from steelsight.cli.league import league
from steelsight.cli.models import models
from steelsight.cli.robustness import robustness
from steelsight.cli.scan import scan
from steelsight.cli.shortcuts import shortcuts
from steelsight.cli.study import study
from steelsight.cli.synth import synth
from steelsight.cli.train import train

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
for verb in (demo, bench, scan, synth, data, models, *LAB):
    app.command()(verb)
app.add_typer(bundle)
app.add_typer(shortcuts)
app.add_typer(inspect)


def main() -> None:
    """Run the command line."""
    app()
