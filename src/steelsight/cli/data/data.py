"""`steelsight data DATA`: what a folder of sheets holds, what cannot be used, and near-duplicates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import (
    DataArgument,
    GroupsOption,
    JsonFlag,
    console,
    emit_json,
    print_line,
    progress_bar,
)

if TYPE_CHECKING:
    from rich.table import Table

    from steelsight.sheets.describe import DataDescription
    from steelsight.types import SheetSet

__all__ = ["data"]

_PAIRS_SHOWN = 4


def data(
    data: DataArgument,
    out: Annotated[
        Path | None, typer.Option(help="Folder for data.html, data.json and the figures.", metavar="DIR")
    ] = None,
    groups: GroupsOption = None,
    workers: Annotated[int, typer.Option(min=1, help="Number of decoding threads.")] = 2,
    as_json: JsonFlag = False,
) -> None:
    """Describe and check a folder of sheets. Exit code 2 if anything was set aside."""
    from steelsight.runs.data.describe import PAGE, describe_folder

    with progress_bar("reading") as progress:
        report = describe_folder(data, groups=groups, workers=workers, out=out, progress=progress)
    _print(report.description, report.sheets, grouped=groups is not None)
    if out is not None:
        print_line(f"report: {out / PAGE}")
    if as_json:
        emit_json(report.numbers)
    if report.description.set_aside:
        raise typer.Exit(2)


def _print(description: DataDescription, sheets: SheetSet, *, grouped: bool) -> None:
    from rich.table import Table

    print_line(
        f"{sheets.root}: {description.sheets} sheets, layout {description.layout}"
        + (f", {description.groups} groups" if grouped else "")
        + (f", {description.multi_type} with several types" if description.multi_type else "")
    )
    classes = Table("class", box=None, pad_edge=False)
    for head in ("sheets", "only this type", "with mask", "groups"):
        classes.add_column(head, justify="right")
    for entry in description.classes:
        _add(classes, entry.name, entry.sheets, entry.alone, entry.with_masks, entry.groups)
    console.print(classes)
    sizes = [f"{width}x{height} ({count})" for height, width, count in description.sizes[:5]]
    more = f" and {len(description.sizes) - 5} more sizes" if len(description.sizes) > 5 else ""
    console.print(f"sizes: {', '.join(sizes) or 'none'}{more}", markup=False)
    parted = sum(pair.parted for pair in description.twins)
    console.print(f"near-duplicates: {len(description.twins)} pairs, {parted} of them not in one group")
    for pair in description.twins[:_PAIRS_SHOWN]:
        print_line(f"  {pair.left} ~ {pair.right} ({pair.correlation:.2f})")
    console.print(f"set aside: {len(description.set_aside)}")
    for rejection in description.set_aside:
        print_line(f"  {rejection.id}: {rejection.reason}")


def _add(table: Table, *cells: object) -> None:
    from rich.text import Text

    table.add_row(*(Text(str(cell)) for cell in cells))
