"""`steelsight data DATA`: what a folder of sheets holds, what cannot be used, and near-duplicates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

    from steelsight.api.results.sheets import ConvertedData, DataReport

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
    from steelsight.api.data import Data

    with progress_bar("reading") as progress:
        report = Data(data, options).describe(
            out=out, workers=workers, progress=lambda event: progress(event.done, event.total)
        )
    _print(report, grouped=options.groups is not None)
    numbers, left_out = report.as_dict(), False
    if report.page is not None:
        print_earlier(numbers)
        print_line(f"report: {report.page}")
    if convert is not None:
        converted = _convert(report, convert)
        numbers["converted"], left_out = converted.as_dict(), bool(converted.left_out)
    if as_json:
        emit_json(numbers)
    if report.bad > options.allow_bad or left_out:
        raise typer.Exit(2)


def _convert(report: DataReport, out: Path) -> ConvertedData:
    """Write the sheets as class folders or COCO."""
    with progress_bar("writing") as progress:
        converted = report.convert(out, progress=lambda event: progress(event.done, event.total))
    done = converted.conversion
    listed = ", ".join(f"{count} {name}" for name, count in done.classes.items())
    print_line(f"written to {done.out}: {listed}; {done.masks} masks, {len(done.left_out)} sheets left out")
    if done.group_rule:
        print_line(f"groups are in {done.out / 'groups.csv'}: give --groups {done.group_rule}")
    if done.bits is not None:
        print_line(f"the files do not state their bits: give --bits {done.bits} with {done.out} too")
    for reason in converted.left_out:
        print_line(f"  {reason}")
    return converted


def _print(report: DataReport, *, grouped: bool) -> None:
    from rich.table import Table

    description, sheets = report.report.description, report.report.sheets
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
    for title, listed_items, reasons in (
        ("passed over", description.passed_over, report.passed_over),
        ("set aside", description.set_aside, report.set_aside),
    ):
        console.print(f"{title}: {len(listed_items)}")
        for reason in reasons:
            print_line(f"  {reason}")


def _add(table: Table, *cells: object) -> None:
    from rich.text import Text

    table.add_row(*(Text(str(cell)) for cell in cells))
