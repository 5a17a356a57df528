"""`steelsight export RUN --data DATA --out BUNDLE`: a bundle for the plant, or the reason why not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import AllowBadOption, GroupsOption, JsonFlag, console, emit_json

__all__ = ["export"]


def export(
    run: Annotated[Path, typer.Argument(help="RUN folder.", metavar="RUN")],
    data: Annotated[Path, typer.Option(help="DATA folder the run was trained on.", metavar="DATA")],
    out: Annotated[Path, typer.Option(help="BUNDLE folder to write.", metavar="BUNDLE")],
    precision: Annotated[
        str, typer.Option(help="Allowed ones, joined by commas; the fastest that passes parity is chosen.")
    ] = "int8,bf16,f32",
    risk: Annotated[
        float, typer.Option(help="Share of wrong answers the threshold is certified for.")
    ] = 0.05,
    delta: Annotated[float, typer.Option(help="Chance that bad luck breaks that promise.")] = 0.1,
    probes: Annotated[
        int, typer.Option(min=0, help="Sheets of DATA carried in the bundle for `bundle verify`; 0 = none.")
    ] = 24,
    groups: GroupsOption = None,
    allow_bad: AllowBadOption = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the sheets drawn.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Write a bundle: one graph that classifies and explains, verified against the model it came from."""
    from steelsight.deploy.export import export_run
    from steelsight.deploy.options import ExportOptions
    from steelsight.plain import plain

    with console.status("exporting") as status:
        options = ExportOptions(
            precision=tuple(name.strip() for name in precision.split(",") if name.strip()),
            risk=risk,
            delta=delta,
            probes=probes,
            groups=groups,
            allow_bad=allow_bad,
            seed=seed,
        )
        done = export_run(run, data, out, options, note=status.update)
    for each in done.trials:
        first = each.parities[0]
        speed = "" if each.ms_a_sheet is None else f", {each.ms_a_sheet:.2f} ms a sheet"
        verdict = "passed" if not each.broken else "; ".join(each.broken)
        console.print(
            f"{each.precision:<5} |Δp| 99 % {first.p99:.2g}, verdicts {first.agreement:.2%}, "
            f"maps {first.cosine_p5:.4f}{speed}: {verdict}",
            markup=False,
            soft_wrap=True,
        )
    card = done.card
    console.print(
        f"precision: {card.precision}; temperature {card.temperature:.2f}; {card.threshold_statement}"
    )
    if not card.shortcuts:
        console.print("shortcuts: nobody has looked; see `steelsight shortcuts prove`", markup=False)
    for stamp in card.shortcuts:
        console.print(
            f"shortcut {stamp.nuisance} → {stamp.suspect}: {stamp.verdict}", markup=False, soft_wrap=True
        )
    console.print(f"bundle: {out}", markup=False, soft_wrap=True)
    if as_json:
        emit_json(plain({"bundle": str(out), "card": card.model_dump(mode="json")}))
