"""`steelsight data DATA`: what a folder of sheets holds, what had to be set aside, and what would leak."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steelsight.cli.console import GroupsOption, JsonFlag, console, emit_json

if TYPE_CHECKING:
    from rich.table import Table

    from steelsight.sheets.cache import PixelCache
    from steelsight.sheets.describe import DataDescription
    from steelsight.types import SheetSet

__all__ = ["data"]

_PAIRS_SHOWN = 4


def data(
    data: Annotated[
        Path, typer.Argument(help="Folder in Kaggle's layout, or one folder per class.", metavar="DATA")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Write data.html, data.json and the figures here.", metavar="DIR")
    ] = None,
    groups: GroupsOption = None,
    workers: Annotated[int, typer.Option(min=1, help="Decoding threads.")] = 2,
    as_json: JsonFlag = False,
) -> None:
    """Describe and check a folder of sheets. Exit code 2 if anything was set aside."""
    sheets, cache = _read(data, groups, workers)
    description = _describe(sheets, cache)
    _print(description, sheets, grouped=groups is not None)
    result: dict[str, Any] = {
        "data": str(data),
        "data_hash": cache.data_hash if cache else None,
        "group_rule": groups,
        **description.as_dict(),
    }
    if out is not None:
        from steelsight.cli.data.report import write_report

        result["files"] = write_report(out, sheets, description, result)
        console.print(f"report: {out / 'data.html'}", markup=False, soft_wrap=True)
    if as_json:
        emit_json(result)
    if description.set_aside:
        raise typer.Exit(2)


def _read(root: Path, groups: str | None, workers: int) -> tuple[SheetSet, PixelCache | None]:
    """The sheets with their pixels; no pixels when not one sheet is usable."""
    from rich.progress import Progress

    from steelsight.errors import BadData
    from steelsight.sheets.catalog import check_images, group_sheets, load_pixels, open_data
    from steelsight.types import InputSpec

    sheets = open_data(root)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("reading", total=len(sheets.items))
        try:
            cache = load_pixels(
                sheets,
                InputSpec(),
                workers=workers,
                report=lambda done, _: progress.update(task, completed=done),
            )
        except BadData:
            checked = check_images(sheets, workers=workers)
            if checked.items:  # the cache failed, not the data
                raise
            return checked, None
    return group_sheets(cache.sheets, groups) if groups else cache.sheets, cache


def _describe(sheets: SheetSet, cache: PixelCache | None) -> DataDescription:
    from steelsight.sheets.describe import describe_sheets, find_duplicates

    if cache is None:
        return describe_sheets(sheets, (), ())
    return describe_sheets(sheets, cache.sizes, find_duplicates(sheets.items, cache.images))


def _print(description: DataDescription, sheets: SheetSet, *, grouped: bool) -> None:
    from rich.table import Table

    console.print(
        f"{sheets.root}: {description.sheets} sheets, layout {description.layout}"
        + (f", {description.groups} groups" if grouped else "")
        + (f", {description.multi_type} with several types" if description.multi_type else ""),
        markup=False,
        soft_wrap=True,
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
        console.print(f"  {pair.left} ~ {pair.right} ({pair.correlation:.2f})", markup=False, soft_wrap=True)
    console.print(f"set aside: {len(description.set_aside)}")
    for rejection in description.set_aside:
        console.print(f"  {rejection.id}: {rejection.reason}", markup=False, soft_wrap=True)


def _add(table: Table, *cells: object) -> None:
    from rich.text import Text

    table.add_row(*(Text(str(cell)) for cell in cells))
