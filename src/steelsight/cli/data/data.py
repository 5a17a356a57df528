"""`steelsight data DATA`: what a folder of sheets holds, what cannot be used, and near-duplicates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steelsight.cli.console import (
    DataArgument,
    JsonFlag,
    console,
    emit_json,
    print_earlier,
    print_line,
    progress_bar,
)
from steelsight.cli.options import draws_figures, expand_options
from steelsight.sheets.options import DataOptions

if TYPE_CHECKING:
    from rich.table import Table

    from steelsight.sheets.describe import DataDescription
    from steelsight.types import SheetSet

__all__ = ["data"]

_PAIRS_SHOWN = 4


@draws_figures
@expand_options
def data(
    data: DataArgument,
    options: DataOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder for data.html, data.json and the figures.", metavar="DIR")
    ] = None,
    convert: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the sheets as class folders, or as COCO where a sheet has several types.",
            metavar="OUT",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Number of decoding threads.")] = 2,
    as_json: JsonFlag = False,
) -> None:
    """Describe and check a folder of sheets.

    Exit code 2 if more than --allow-bad is set aside, or has another sheet's pixels and a different class.
    """
    from steelsight.runs.data.describe import PAGE, describe_folder

    with progress_bar("reading") as progress:
        report = describe_folder(data, options, workers=workers, out=out, progress=progress)
    _print(report.description, report.sheets, grouped=options.groups is not None)
    if out is not None:
        print_earlier(report.numbers)
        print_line(f"report: {out / PAGE}")
    numbers, left_out = report.numbers, 0
    if convert is not None:
        numbers["converted"], left_out = _convert(report.sheets, convert, options)
    if as_json:
        emit_json(numbers)
    if report.description.bad > options.allow_bad or left_out:
        raise typer.Exit(2)


def _convert(sheets: SheetSet, out: Path, options: DataOptions) -> tuple[dict[str, Any], int]:
    """Write the sheets as class folders or COCO; what was written, and how many sheets were left out."""
    from steelsight.plain import plain
    from steelsight.sheets.convert import convert_sheets
    from steelsight.sheets.examine import group_reasons

    with progress_bar("writing") as progress:
        done = convert_sheets(sheets, out, groups=options.groups, bits=options.bits, progress=progress)
    listed = ", ".join(f"{count} {name}" for name, count in done.classes.items())
    print_line(f"written to {done.out}: {listed}; {done.masks} masks, {len(done.left_out)} sheets left out")
    if done.group_rule:
        print_line(f"groups are in {done.out / 'groups.csv'}: give --groups {done.group_rule}")
    if done.bits is not None:
        print_line(f"the files do not state their bits: give --bits {done.bits} with {done.out} too")
    for group in group_reasons(done.left_out):
        print_line(f"  {group}")
    return plain(done), len(done.left_out)


def _print(description: DataDescription, sheets: SheetSet, *, grouped: bool) -> None:
    from rich.table import Table

    from steelsight.sheets.examine import group_reasons

    print_line(
        f"{sheets.root}: {description.sheets} sheets, layout {description.layout}"
        + (f", {description.groups} groups" if grouped else "")
        + (f", {description.multi_type} with several types" if description.multi_type else "")
    )
    classes = Table("class", box=None, pad_edge=False)
    for head in ("sheets", "only this type", "with mask", "groups"):
        classes.add_column(head, justify="right")
    for entry in description.classes:
        _add(
            classes,
            description.shown_name(entry.name),
            entry.sheets,
            entry.alone,
            entry.with_masks,
            entry.groups,
        )
    console.print(classes)
    for note in description.class_notes():
        print_line(f"note: {note}")
    sizes = [f"{width}x{height} ({count})" for height, width, count in description.sizes[:5]]
    more = f" and {len(description.sizes) - 5} more sizes" if len(description.sizes) > 5 else ""
    console.print(f"sizes: {', '.join(sizes) or 'none'}{more}", markup=False)
    for words in description.input_words():
        print_line(f"input: {words}")
    parted = sum(pair.parted for pair in description.twins)
    if description.unknown_twins:
        print_line(description.unknown_twins)
    else:
        console.print(f"near-duplicates: {len(description.twins)} pairs, {parted} of them not in one group")
    if parted:
        rule = "join +duplicates to the rule of --groups" if grouped else "give --groups duplicates"
        print_line(f"  to keep such pairs in one part of the split, {rule}")
    for pair in description.twins[:_PAIRS_SHOWN]:
        print_line(f"  {pair.left} ~ {pair.right} ({pair.correlation:.2f})")
    if description.contradictions:
        print_line(
            f"contradictory labels: {len(description.contradictions)} pairs show one piece of steel with "
            "different classes; look at both images and correct or remove the wrong one"
        )
    for contradiction in description.contradictions[:_PAIRS_SHOWN]:
        print_line(f"  {contradiction}")
    if description.parts:
        listed = ", ".join(f"{count} {part}" for part, count in description.parts)
        console.print(f"given split: {listed}; {len(description.leaks)} leaks found between its parts")
        for leak in description.leaks[:_PAIRS_SHOWN]:
            print_line(f"  {leak}")
    read = ", ".join(f"{count} {what}" for what, count in description.read)
    print_line(f"read: {read or 'nothing'}; layout {description.layout}")
    for title, listed_items in (
        ("passed over", description.passed_over),
        ("set aside", description.set_aside),
    ):
        console.print(f"{title}: {len(listed_items)}")
        for group in group_reasons(listed_items):
            print_line(f"  {group}")


def _add(table: Table, *cells: object) -> None:
    from rich.text import Text

    table.add_row(*(Text(str(cell)) for cell in cells))
