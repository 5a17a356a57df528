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
    from steelsight.runs.abstention.calibrate import CalibrationReport

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
    from steelsight.plain import plain
    from steelsight.runs.abstention.calibrate import PAGE, calibrate_run

    with console.status("calibrating"):
        report = calibrate_run(run, data, options, sheets)
    _print(report)
    print_earlier(report.numbers)
    print_line(f"report: {run / PAGE}")
    if as_json:
        emit_json(plain(report.numbers))


def _print(report: CalibrationReport) -> None:
    from steelsight.runs.abstention.calibrate import EARLIER
    from steelsight.runs.abstention.calibration_page import temperature_outcome

    numbers = report.numbers
    print_line(temperature_outcome(numbers))
    print_line(report.certificate.statement)
    if numbers["threshold_by"] == EARLIER:
        console.print(f"the card keeps its earlier threshold {numbers['threshold']:g} and its temperature")
    if report.cost is not None:
        cost = report.cost
        choice = f"threshold {cost.threshold:g}" if math.isfinite(cost.threshold) else "review everything"
        console.print(
            f"cheapest: {choice}, {cost.cost_a_sheet.estimate:.4g} a sheet "
            f"({cost.cost_without_review:.4g} without review, {cost.cost_all_review:.4g} all reviewed)"
        )
