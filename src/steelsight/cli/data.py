"""`steelsight data DATA`: what a folder of sheets holds, what had to be set aside, and what would leak."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steelsight.cli.console import JsonFlag, console, emit_json

if TYPE_CHECKING:
    from rich.table import Table

    from steelsight.sheets.cache import PixelCache
    from steelsight.sheets.describe import Description
    from steelsight.types import SheetSet

__all__ = ["data"]

_PAIRS_SHOWN = 4
_SIZES_SHOWN = 10


def data(
    data: Annotated[
        Path, typer.Argument(help="Folder in Kaggle's layout, or one folder per class.", metavar="DATA")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Write data.html, data.json and the figures here.", metavar="DIR")
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option(
            help="What keeps sheets together: column:NAME, frames[:GAP], duplicates, or several joined by +."
        ),
    ] = None,
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
        result["files"] = _write(out, data, sheets, cache, description, result)
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


def _describe(sheets: SheetSet, cache: PixelCache | None) -> Description:
    from steelsight.sheets.describe import describe_sheets, find_twins

    if cache is None:
        return describe_sheets(sheets, (), ())
    return describe_sheets(sheets, cache.sizes, find_twins(sheets.items, cache.images))


def _print(description: Description, sheets: SheetSet, *, grouped: bool) -> None:
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


def _write(
    out: Path,
    root: Path,
    sheets: SheetSet,
    cache: PixelCache | None,
    description: Description,
    result: dict[str, Any],
) -> list[str]:
    """The report with its figures; the names of the files."""
    from steelsight import __version__
    from steelsight.reports.document import Document
    from steelsight.reports.figures.style import save_figure

    document = Document(
        f"The data in {root.name}", subtitle=f"{description.sheets} sheets, {description.layout} layout"
    )
    figures = _figures(sheets, description)
    _add_chapters(document, description, figures)
    document.footer({"steelsight": __version__, "data hash": cache.data_hash if cache else "none"})
    names = [str(save_figure(figure, out / f"{name}.png").name) for name, (figure, _) in figures.items()]
    document.save(out / "data.html", **result)
    return ["data.html", "data.json", *names]


def _figures(sheets: SheetSet, description: Description) -> dict[str, tuple[Any, str]]:
    """Figures by name, each with words for those who cannot see it."""
    from steelsight.reports.figures.data import draw_examples, draw_sizes
    from steelsight.reports.figures.distribution import draw_distribution
    from steelsight.sheets.describe import example_sheets

    names = [entry.name for entry in description.classes]
    counts = [entry.sheets for entry in description.classes]
    listed = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
    figures = {
        "distribution": (
            draw_distribution(names, counts),
            f"Bars of sheets per class: {listed}.",
        )
    }
    if not sheets.items:
        return figures
    if len(description.sizes) > 1:
        figures["sizes"] = (draw_sizes(description.sizes), "Histograms of image widths and heights.")
    chosen = [(name, item) for name, items in example_sheets(sheets).items() for item in items]
    figures["examples"] = (
        draw_examples(
            [_example(f"{name}: {item.path.name}", item) for name, item in chosen], sheets.type_names
        ),
        "Two sheets of each class with the outlines of their masks.",
    )
    by_id = {item.id: item for item in sheets.items}
    pairs = [
        (pair, by_id[id_]) for pair in description.twins[:_PAIRS_SHOWN] for id_ in (pair.left, pair.right)
    ]
    if pairs:
        examples = [_example(f"{pair.correlation:.2f}: {item.path.name}", item) for pair, item in pairs]
        figures["duplicates"] = (
            draw_examples(examples, sheets.type_names),
            "The most alike pairs of sheets, side by side.",
        )
    return figures


def _example(title: str, item: Any) -> Any:
    from steelsight.reports.figures.data import ExampleSheet
    from steelsight.sheets.masks import read_mask
    from steelsight.sheets.pixels import read_gray

    known = "" if item.evidence == "mask" else " (mask unknown)"
    gray = read_gray(item.path)
    return ExampleSheet(f"{title}{known}", gray, read_mask(item, (gray.shape[0], gray.shape[1])))


def _add_chapters(document: Any, description: Description, figures: dict[str, tuple[Any, str]]) -> None:
    def show(name: str, caption: str) -> None:
        if name in figures:
            document.figure(figures[name][0], alt=figures[name][1], caption=caption)

    document.chapter("Classes")
    show("distribution", "Sheets per class. A sheet of several types counts under each of them.")
    document.table(
        ["class", "sheets", "only this type", "with mask", "groups"],
        [[c.name, c.sheets, c.alone, c.with_masks, c.groups] for c in description.classes],
        caption="Sheets per class",
        note=f"{description.multi_type} sheets carry several types.",
    )
    document.chapter("Examples")
    show("examples", "Two sheets of each class with the outlines of their masks.")
    document.chapter("Sizes")
    show("sizes", "Widths and heights of the image files.")
    document.table(
        ["width", "height", "sheets"],
        [[width, height, count] for height, width, count in description.sizes[:_SIZES_SHOWN]],
        caption="The most frequent sizes",
        note=f"{len(description.sizes)} different sizes in all.",
    )
    document.chapter("Near-duplicates")
    parted = [pair for pair in description.twins if pair.parted]
    document.text(
        f"{len(description.twins)} pairs of sheets share their grain, the mark of one piece of steel seen "
        f"twice; {len(parted)} of them are not in one group, so a split can put them on both sides."
    )
    show("duplicates", "The most alike pairs, with the correlation of their grain.")
    if description.twins:
        document.table(
            ["sheet", "its near-duplicate", "correlation", "in one group"],
            [
                [p.left, p.right, round(p.correlation, 3), "no" if p.parted else "yes"]
                for p in description.twins
            ],
            caption="Near-duplicates",
        )
    document.chapter("Set aside")
    document.text(
        f"{len(description.set_aside)} files or rows cannot be used." if description.set_aside else "Nothing."
    )
    if description.set_aside:
        document.table(
            ["what", "why"],
            [[r.id, r.reason] for r in description.set_aside],
            caption="Set aside, with reasons",
        )
