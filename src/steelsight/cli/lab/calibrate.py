"""`steelsight calibrate RUN DATA`: when the model should say "I don't know"."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import AllowBadOption, GroupsOption, JsonFlag, console, emit_json
from steelsight.errors import BadInput

__all__ = ["calibrate"]


class ThresholdChoice(StrEnum):
    """Which threshold the card gets."""

    CERTIFICATE = "certificate"
    COST = "cost"


def calibrate(
    run: Annotated[Path, typer.Argument(help="RUN folder of a trained model.", metavar="RUN")],
    data: Annotated[
        Path, typer.Argument(help="Folder in Kaggle's layout, or one folder per class.", metavar="DATA")
    ],
    split: Annotated[
        str,
        typer.Option(help="Sheets that certify: unseen, test or validation of the run."),
    ] = "unseen",
    risk: Annotated[float, typer.Option(help="Share of wrong answers that may be given.")] = 0.01,
    delta: Annotated[float, typer.Option(help="Chance that the promise fails by bad luck.")] = 0.1,
    escape_price: Annotated[
        float | None, typer.Option(help="What a defective sheet that passes costs.")
    ] = None,
    overkill_price: Annotated[float | None, typer.Option(help="What a good sheet stopped costs.")] = None,
    review_price: Annotated[float | None, typer.Option(help="What a person's look at a sheet costs.")] = None,
    prevalence: Annotated[
        float | None, typer.Option(help="Share of defective sheets on the line; default that of the sheets.")
    ] = None,
    by: Annotated[
        ThresholdChoice, typer.Option(help="Which threshold the card gets.")
    ] = ThresholdChoice.CERTIFICATE,
    groups: GroupsOption = None,
    allow_bad: AllowBadOption = 0,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            help="Of halves and of each group's sheet. Choose it beforehand: to try seeds until one "
            "certifies breaks the promise of delta.",
        ),
    ] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Fit the temperature and certify a threshold, on sheets that did not train the model.

    The answer may be that no threshold can be certified, and about how many more sheets it would take; a
    threshold that the card has from before then stays.
    """
    from steelsight.evaluation.abstention.cost import Prices
    from steelsight.runs.abstention.calibrate import EARLIER, PAGE, calibrate_run
    from steelsight.runs.abstention.options import CalibrationOptions
    from steelsight.sheets.options import DataOptions

    given = (escape_price, overkill_price, review_price)
    if any(each is not None for each in given) and any(each is None for each in given):
        raise BadInput("prices: expected --escape-price, --overkill-price and --review-price, all or none")
    prices = (
        None
        if escape_price is None or overkill_price is None or review_price is None
        else Prices(float(escape_price), float(overkill_price), float(review_price))
    )
    with console.status("calibrating"):
        done = calibrate_run(
            run,
            data,
            CalibrationOptions(split, risk, delta, prices, prevalence, by.value, seed),
            DataOptions(groups, allow_bad),
        )
    quality = done.numbers["quality"]
    console.print(
        f"temperature {done.numbers['temperature']:.2f}: calibration error "
        f"{quality['before']['calibration_error']:.3f} → {quality['after']['calibration_error']:.3f}"
    )
    console.print(done.certificate.statement, markup=False, soft_wrap=True)
    if done.numbers["threshold_by"] == EARLIER:
        console.print(
            f"the card keeps its earlier threshold {done.numbers['threshold']:g} and its temperature"
        )
    if done.cost is not None:
        cost = done.cost
        choice = f"threshold {cost.threshold:g}" if math.isfinite(cost.threshold) else "review everything"
        console.print(
            f"cheapest: {choice}, {cost.cost_a_sheet.estimate:.4g} a sheet "
            f"({cost.cost_without_review:.4g} without review, {cost.cost_all_review:.4g} all reviewed)"
        )
    console.print(f"report: {run / PAGE}", markup=False, soft_wrap=True)
    if as_json:
        from steelsight.plain import plain

        emit_json(plain(done.numbers))
