"""`steelsight coil …`: repeat distances on a coil, its defects as a table, and two coils compared."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import JsonFlag, emit_json, print_line
from steelsight.cli.verb import Verb

if TYPE_CHECKING:
    from steelsight.coils.read import NamedRepeat

__all__ = ["coil"]

coil = typer.Typer(name="coil", help="Look at the coils of a ledger.", no_args_is_help=True)

Address = Annotated[
    str,
    typer.Argument(help="A file, sqlite:///FILE, or postgresql://USER@HOST/NAME.", metavar="LEDGER"),
]
CoilName = Annotated[str, typer.Argument(help="Name of the coil.", metavar="COIL")]


class TableForm(StrEnum):
    """Formats of `export`."""

    CSV = "csv"
    PARQUET = "parquet"


@coil.command(cls=Verb)
def repeats(
    address: Address,
    name: CoilName,
    rolls: Annotated[
        Path | None,
        typer.Option(help="CSV of roll diameters: name, diameter_mm, tolerance_mm; stretch where wanted."),
    ] = None,
    shortest: Annotated[float, typer.Option(help="Shortest period, in m.")] = 0.5,
    longest: Annotated[float, typer.Option(help="Longest period, in m.")] = 6.0,
    lateral: Annotated[
        float, typer.Option(help="How far marks may lie from their middle, across, in mm.")
    ] = 10.0,
    tolerance: Annotated[
        float, typer.Option(help="How far marks may lie from where they are expected, along, in mm.")
    ] = 15.0,
    false_alarms: Annotated[
        float, typer.Option(help="Most coils without roll marks that may show a candidate, as a share.")
    ] = 0.01,
    as_json: JsonFlag = False,
) -> None:
    """Find defects that return with the circumference of a roll."""
    from steelsight.api.ledger.view import open_ledger

    with open_ledger(address) as ledger:
        found = ledger.repeats(
            name,
            () if rolls is None else rolls,
            shortest_m=shortest,
            longest_m=longest,
            lateral_mm=lateral,
            tolerance_mm=tolerance,
            false_alarms=false_alarms,
        )
    for each in found.repeats:
        print_line(_words(each))
    for each in found.outside:
        print_line(f"outside the range: {_words(each)}")
    print_line(
        f"{len(found.repeats)} repeat distances on {name}, {found.found.searched} defects searched; "
        f"{found.found.unplaced} regions of sheets without a place"
    )
    if as_json:
        emit_json(found.as_dict())


def _words(found: NamedRepeat) -> str:
    repeat = found.repeat
    names = ", ".join(f"{each.roll.name} ({each.off_mm:+.1f} mm)" for each in found.rolls)
    camera = f"; {found.images} images long, look at the camera first" if found.images else ""
    return (
        f"{repeat.period_m:.4f} m at {repeat.across_mm:.0f} mm, {repeat.side or 'side unknown'}: "
        f"{repeat.label}, {repeat.count} marks from {repeat.first_m:.1f} to {repeat.last_m:.1f} m, "
        f"{100 * repeat.missing:.0f} % missing, p <= {repeat.p_value:.1g}; "
        f"{names or 'no roll of the table fits'}{camera}"
    )


@coil.command(cls=Verb)
def export(
    address: Address,
    name: CoilName,
    out: Annotated[Path, typer.Option(help="Folder for the file.")],
    form: Annotated[TableForm, typer.Option("--format", help="Format of the file.")] = TableForm.CSV,
    as_json: JsonFlag = False,
) -> None:
    """Write the defects of a coil as a table, `defects.csv` or `defects.parquet`."""
    from steelsight.api.ledger.view import open_ledger

    with open_ledger(address) as ledger:
        found = ledger.defects(name)
    path, count = found.write(out, form.value), len(found.defects)
    print_line(f"{count} defects of {name} in {path}; {found.without_place}")
    if as_json:
        emit_json({"coil": name, "path": str(path), "defects": count, "unplaced": found.unplaced})


@coil.command(cls=Verb)
def compare(
    address: Address,
    name: CoilName,
    other: Annotated[str, typer.Argument(help="Name of the second coil.", metavar="OTHER")],
    band: Annotated[float, typer.Option(help="Width of a band, in m.")] = 10.0,
    as_json: JsonFlag = False,
) -> None:
    """Count the defects of two coils by type, in all and in bands of metres."""
    from steelsight.api.ledger.view import open_ledger

    with open_ledger(address) as ledger:
        found = ledger.compare_coils(name, other, band_m=band)
    result = found.comparison
    for label, (first, second) in result.totals.items():
        print_line(f"{label}: {first} and {second}{_ratio(result.ratios[label])}")
    print_line(
        f"{name}: {result.lengths_m[0]:.1f} m, {other}: {result.lengths_m[1]:.1f} m, "
        f"{len(result.bands)} bands of {band:g} m; {found.unplaced[0]} and {found.unplaced[1]} regions of "
        "sheets without a place"
    )
    if as_json:
        emit_json(found.as_dict())


def _ratio(ratio: tuple[float | None, float, float | None]) -> str:
    estimate, low, high = ratio
    if high is None and not low:
        return ""
    middle = "" if estimate is None else f"{estimate:.2f} "
    return (
        f", a metre {middle}[{low:.2f}, {'no bound' if high is None else format(high, '.2f')}] times as many"
    )
