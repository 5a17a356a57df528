"""`steelsight bench`: what this machine can carry."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import JsonFlag, console, emit_json

__all__ = ["bench"]

DRAWN = 48


def bench(
    bundle: Annotated[
        Path | None, typer.Argument(help="BUNDLE folder; default the package's own.", metavar="BUNDLE")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of your own images; default generated sheets.", metavar="DIR")
    ] = None,
    rate: Annotated[float, typer.Option(help="Sheets a second that one camera sends.")] = 10.0,
    sheets: Annotated[int, typer.Option(min=100, help="How many are scanned, for the whole way.")] = 2000,
    as_json: JsonFlag = False,
) -> None:
    """Measure decoding, inference, latency and whole scans here, and say how many cameras that carries."""
    from rich.table import Table

    from steelsight.runtime.bundle.default import default_bundle
    from steelsight.runtime.sizing import SHARE, size_machine
    from steelsight.sheets.formats.listing import list_images
    from steelsight.sheets.synthetic import synth_spec, write_sheets

    with tempfile.TemporaryDirectory() as scratch, console.status("measuring; run nothing else meanwhile"):
        if data is None:
            write_sheets(synth_spec(count=DRAWN), Path(scratch))
            data = Path(scratch) / "train_images"
        images = [data / name for name in list_images(data).images]
        found = size_machine(bundle or default_bundle(), images, rate=rate, sheets=sheets)
    table = Table("engine", box=None, pad_edge=False)
    for head in ("core ms a sheet", "latency p50", "p90", "p99 ms"):
        table.add_column(head, justify="right")
    for each in found.engines:
        name = f"{each.engine} {each.precision}" + " (chosen)" * each.chosen
        figures = (each.core_ms, each.p50_ms, each.p90_ms, each.p99_ms)
        table.add_row(name, *(f"{value:.2f}" for value in figures))
    console.print(table)
    console.print(f"decoding {found.decode_core_ms:.2f} core ms a sheet, {found.cores} cores")
    console.print(
        f"whole scans: {found.sheets_per_s:.0f} sheets/s, so {found.cameras} cameras of {rate:g} sheets/s "
        f"at {SHARE:.0%} load"
    )
    if as_json:
        emit_json(found.as_dict())
