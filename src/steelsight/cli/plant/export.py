"""`steelsight export RUN --data DATA --out BUNDLE`: a verified bundle, or the reason why it was refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import JsonFlag, RunArgument, console, emit_json, print_line
from steelsight.cli.options import expand_options
from steelsight.deploy.options import ExportOptions

if TYPE_CHECKING:
    from steelsight.deploy.export import Exported

__all__ = ["export"]


@expand_options
def export(
    run: RunArgument,
    data: Annotated[Path, typer.Option(help="DATA folder the run was trained on.", metavar="DATA")],
    out: Annotated[Path, typer.Option(help="BUNDLE folder to write.", metavar="BUNDLE")],
    options: ExportOptions,
    as_json: JsonFlag = False,
) -> None:
    """Write a bundle: one graph that classifies and explains, verified against the model it came from."""
    from steelsight.api.lab.run import Run

    before = _model_id(out)
    with console.status("exporting") as status:
        done = Run(run).export(
            data, out, options=options, progress=lambda event: status.update(event.message)
        )
    _print(done.exported)
    if before not in ("", done.model_id):
        print_line(f"replaced the bundle {before[:12]} of {out}; scans made with it cannot be continued")
    print_line(f"bundle: {out}")
    if as_json:
        emit_json(done.as_dict())


def _model_id(out: Path) -> str:
    """The model id of the bundle in a folder; empty where there is none that can be read."""
    from steelsight.reading import parse_object, read_regular

    try:
        return str(parse_object(read_regular(out / "card.json")).get("model_id", ""))
    except (OSError, ValueError):  # none, or damaged: the new one stands for itself
        return ""


def _print(exported: Exported) -> None:
    for trial in exported.trials:
        first = trial.parities[0]
        speed = "" if trial.ms_a_sheet is None else f", {trial.ms_a_sheet:.2f} ms a sheet"
        verdict = "passed" if not trial.broken else "; ".join(trial.broken)
        print_line(
            f"{trial.precision:<5} |Δp| 99 % {first.p99:.2g}, verdicts {first.agreement:.2%}, "
            f"maps {first.cosine_p5:.4f}{speed}: {verdict}"
        )
    card = exported.card
    print_line(f"precision: {card.precision}; {card.threshold_statement}")
    print_line(
        f"temperature {card.temperature:.4g}, fitted for {card.precision}; `steelsight explain` on the run "
        f"uses {card.source['temperature']:.4g} ({card.source['temperature_from']})"
    )
    if not card.shortcuts:
        print_line("shortcuts: none tested; see `steelsight shortcuts prove`")
    for stamp in card.shortcuts:
        print_line(f"shortcut {stamp.nuisance} → {stamp.suspect}: {stamp.verdict}")
