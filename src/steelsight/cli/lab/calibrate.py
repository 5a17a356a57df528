"""`steelsight calibrate RUN DATA`: the threshold below which the model answers "I don't know"."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from steelsight.cli.console import (
    DataArgument,
    JsonFlag,
    RunArgument,
    console,
    emit_json,
    print_earlier,
    print_line,
)
from steelsight.cli.options import draws_figures, expand_options
from steelsight.runs.abstention.options import CalibrationOptions
from steelsight.sheets.options import DataOptions

if TYPE_CHECKING:
    from steelsight.api.results.evaluation import CalibrationResult

__all__ = ["calibrate"]


@draws_figures
@expand_options
def calibrate(
    run: RunArgument,
    data: DataArgument,
    options: CalibrationOptions,
    sheets: DataOptions,
    as_json: JsonFlag = False,
) -> None:
    """Fit the temperature and certify a threshold, on sheets that were not used in training.

    The result may be that no threshold can be certified, and how many more sheets that would take. The card
    then keeps the threshold it had.
    """
    from steelsight.api.data import Data
    from steelsight.api.lab.run import Run

    with console.status("calibrating"):
        done = Run(run).calibrate(Data(data, sheets), options=options)
    _print(done)
    print_earlier(done.report.numbers)
    print_line(f"report: {done.page}")
    if as_json:
        emit_json(done.as_dict())


def _print(done: CalibrationResult) -> None:
    report, numbers = done.report, done.report.numbers
    print_line(done.temperature_statement)
    print_line(done.statement)
    if done.keeps_earlier:
        console.print(f"the card keeps its earlier threshold {numbers['threshold']:g} and its temperature")
    if report.cost is not None:
        cost = report.cost
        choice = f"threshold {cost.threshold:g}" if math.isfinite(cost.threshold) else "review everything"
        console.print(
            f"cheapest: {choice}, {cost.cost_a_sheet.estimate:.4g} a sheet "
            f"({cost.cost_without_review:.4g} without review, {cost.cost_all_review:.4g} all reviewed)"
        )
