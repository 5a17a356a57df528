"""`steelsight adapt BUNDLE DATA --out BUNDLE2`: a head of one's own, or the reason why it was refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.adaptation.options import AdaptOptions
from steelsight.cli.console import BundleArgument, DataArgument, JsonFlag, console, emit_json, print_line
from steelsight.cli.options import expand_options

if TYPE_CHECKING:
    from steelsight.adaptation.compare import HeadGain
    from steelsight.adaptation.pointing import MapHits
    from steelsight.adaptation.run import Adapted

__all__ = ["adapt"]


@expand_options
def adapt(
    bundle: BundleArgument,
    data: DataArgument,
    out: Annotated[Path, typer.Option(help="BUNDLE folder to write.", metavar="BUNDLE")],
    options: AdaptOptions,
    as_json: JsonFlag = False,
) -> None:
    """Fit a new head to labelled sheets, and write it into the bundle's graph where it is better."""
    from steelsight.api.plant.adaptation import adapt as adapt_bundle

    with console.status("adapting") as status:
        done = adapt_bundle(
            bundle, data, out, options=options, progress=lambda event: status.update(event.message)
        )
    _print(done.adapted)
    if as_json:
        emit_json(done.as_dict())


def _print(adapted: Adapted) -> None:
    for text in adapted.notes:
        print_line(f"note: {text}")
    compared = adapted.comparison
    for name, gain in (
        ("balanced accuracy", compared.balanced_accuracy),
        ("on the bundle's classes", compared.shared),
        ("defect AUC", compared.defect_auc),
        ("log loss, lower better", compared.log_loss),
    ):
        if gain is not None:
            print_line(f"{name:<24}{_figures(gain)}")
    if adapted.maps is not None:
        print_line(f"{'strongest place in mask':<24}{_places(adapted.maps)}")
    print_line(f"precision: {adapted.card.precision}; {adapted.card.threshold_statement}")
    print_line(f"bundle: {adapted.folder}")


def _places(maps: MapHits) -> str:
    head = "" if maps.place_head is None else f", place head {maps.place_head}"
    return (
        f"Grad-CAM of the bundle {maps.before}, of the new head {maps.after}{head}, of {maps.sheets} sheets"
    )


def _figures(gain: HeadGain) -> str:
    return (
        f"bundle {gain.own.estimate:.3f}, new head {gain.new.estimate:.3f} "
        f"[{gain.new.low:.3f}, {gain.new.high:.3f}], gain {gain.gain.estimate:+.3f} "
        f"[{gain.gain.low:+.3f}, {gain.gain.high:+.3f}]"
    )
