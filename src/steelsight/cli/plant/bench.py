"""`steelsight bench`: how many cameras this machine can process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import JsonFlag, console, emit_json
from steelsight.cli.options import expand_options
from steelsight.runtime.bundle.default import BUNDLE_HELP
from steelsight.runtime.capacity.options import PlanOptions

if TYPE_CHECKING:
    from steelsight.api.results.capacity import BenchResult

__all__ = ["bench"]


@expand_options
def bench(
    bundle: Annotated[
        Path | None,
        typer.Argument(help=f"{BUNDLE_HELP} Default: fast.", metavar="BUNDLE", show_default=False),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of your own images; default generated sheets.", metavar="DIR")
    ] = None,
    rate: Annotated[float, typer.Option(help="Sheets per second of one camera.")] = 10.0,
    sheets: Annotated[int, typer.Option(min=100, help="Number of sheets in the measured scan.")] = 2000,
    *,
    plan: PlanOptions,
    as_json: JsonFlag = False,
) -> None:
    """Measure decoding, inference, latency and whole scans, and the number of cameras that follows.

    With --plan also the nodes, storage, network, ledger and cost of a mill with so many sheets a day.
    """
    from steelsight.api.plant.capacity import bench as measure

    with console.status("measuring; run nothing else meanwhile"):
        done = measure(bundle, data, rate=rate, sheets=sheets, options=plan)
    _print(done)
    if done.plan is not None:
        console.print("\na mill of nodes whose cores are as fast as those of this machine:")
        for sentence in done.sentences:
            console.print(sentence)
    if as_json:
        emit_json(done.as_dict())


def _print(done: BenchResult) -> None:
    from rich.table import Table

    sizing = done.sizing
    table = Table("engine", box=None, pad_edge=False)
    for head in ("core ms a sheet", "latency p50", "p90", "p99 ms"):
        table.add_column(head, justify="right")
    for each in sizing.engines:
        name = f"{each.engine} {each.precision}" + " (chosen)" * each.chosen
        figures = (each.core_ms, each.p50_ms, each.p90_ms, each.p99_ms)
        table.add_row(name, *(f"{value:.2f}" for value in figures))
    console.print(table)
    console.print(f"decoding {sizing.decode_core_ms:.2f} core ms a sheet, {sizing.cores} cores")
    scan = sizing.scan
    memory = "" if scan.worker_mib is None else f", {scan.worker_mib:.0f} MiB each"
    rate = scan.warm_sheets_per_s / scan.workers
    console.print(f"scans once they run: {rate:.0f} sheets/s a process, {scan.workers} of them{memory}")
    console.print(
        f"whole scans: {sizing.sheets_per_s:.0f} sheets/s, so {sizing.cameras} cameras of {sizing.rate:g} "
        f"sheets/s at {done.planned_load:.0%} load"
    )
