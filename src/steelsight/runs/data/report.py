"""The report of `steelsight data`: one page, its JSON companion, and the figures as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from steelsight.names import shown_name
from steelsight.reports.document import Document
from steelsight.reports.figures.sheets.data import ExampleSheet, draw_examples, draw_sizes
from steelsight.reports.figures.sheets.distribution import draw_distribution
from steelsight.sheets.describe import DataDescription, example_sheets
from steelsight.sheets.examine import group_reasons
from steelsight.sheets.images.pixels import read_gray
from steelsight.sheets.masks import read_mask
from steelsight.types import SheetItem, SheetSet
from steelsight.version import __version__

__all__ = ["FIGURES", "write_report"]

FIGURES = ("distribution", "sizes", "examples", "duplicates")

_PAIRS_SHOWN = 4
_SIZES_SHOWN = 10
_ROWS_SHOWN = 500  # of a table in the page


def write_report(
    out: Path,
    sheets: SheetSet,
    description: DataDescription,
    result: Mapping[str, Any],
    *,
    bits: int | None = None,
) -> list[str]:
    """Write the report into `out`; the names of its files.

    result  joins the JSON's top level, as do the names of the files
    bits    at which files of more than 8 bits are read, as in `DataOptions`
    """
    subtitle = f"{description.sheets} sheets, {description.layout} layout"
    document = Document(f"The data in {sheets.root.name}", subtitle=subtitle)
    figures = _figures(sheets, description, bits)
    _add_chapters(document, description, figures)
    document.footer({"steelsight": __version__, "data hash": result["data_hash"] or "none"})
    document.save(out / "data.html", **result)
    return ["data.html", "data.json", *document.figure_files()]


def _figures(
    sheets: SheetSet, description: DataDescription, bits: int | None
) -> dict[str, tuple[Figure, str]]:
    """Figures by name, each with words for those who cannot see it."""
    names = [description.shown_name(entry.name) for entry in description.classes]
    counts = [entry.sheets for entry in description.classes]
    listed = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
    figures = {
        "distribution": (
            draw_distribution(names, counts, clean=description.clean, sheets=description.sheets),
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
            [
                _example(f"{description.shown_name(name)}: {item.path.name}", item, bits)
                for name, item in chosen
            ],
            sheets.type_names,
        ),
        _example_words(sheets),
    )
    by_id = {item.id: item for item in sheets.items}
    pairs = [
        (pair, by_id[id_]) for pair in description.twins[:_PAIRS_SHOWN] for id_ in (pair.left, pair.right)
    ]
    if pairs:
        examples = [_example(f"{pair.correlation:.2f}: {item.path.name}", item, bits) for pair, item in pairs]
        figures["duplicates"] = (
            draw_examples(examples, sheets.type_names),
            "The most alike pairs of sheets, side by side.",
        )
    return figures


def _example(title: str, item: SheetItem, bits: int | None) -> ExampleSheet:
    gray = read_gray(item.path, bits=bits)
    return ExampleSheet(shown_name(title), gray, read_mask(item, (gray.shape[0], gray.shape[1])))


def _class_caption(description: DataDescription) -> str:
    """What the bars and shares are of."""
    words = f"Sheets per class, and their share of all {description.sheets:,} sheets."
    if description.multi_type:
        words += " A sheet of several types counts under each of them: the shares sum to more than 100 %."
    return words


def _add_chapters(
    document: Document, description: DataDescription, figures: dict[str, tuple[Figure, str]]
) -> None:
    def show(name: str, caption: str) -> None:
        if name in figures:
            document.figure(figures[name][0], alt=figures[name][1], caption=caption, file=name)

    document.chapter("Classes")
    show("distribution", _class_caption(description))
    document.table(
        ["class", "sheets", "only this type", "with mask", "groups"],
        [
            [description.shown_name(c.name), c.sheets, c.alone, c.with_masks, c.groups]
            for c in description.classes
        ],
        caption="Sheets per class",
        note=f"{description.multi_type} sheets carry several types.",
    )
    for note in description.class_notes():
        document.notice(f"{note[0].upper()}{note[1:]}.")
    document.chapter("Examples")
    show("examples", figures["examples"][1] if "examples" in figures else "")
    document.chapter("Sizes")
    show("sizes", "Widths and heights of the image files.")
    document.table(
        ["width", "height", "sheets"],
        [[width, height, count] for height, width, count in description.sizes[:_SIZES_SHOWN]],
        caption="The most frequent sizes",
        note="" if len(description.sizes) == 1 else f"{len(description.sizes)} different sizes in all.",
    )
    for words in description.input_words():
        document.notice(f"{words[0].upper()}{words[1:]}.", title="Input size")
    document.chapter("Near-duplicates")
    parted = [pair for pair in description.twins if pair.parted]
    document.text(
        f"{description.unknown_twins}."
        if description.unknown_twins
        else _twin_words(len(description.twins), len(parted))
    )
    show("duplicates", "The most alike pairs, with the correlation of their grain.")
    if description.twins:
        document.table(
            ["sheet", "its near-duplicate", "correlation", "in one group"],
            [
                [p.left, p.right, round(p.correlation, 3), "no" if p.parted else "yes"]
                for p in description.twins[:_ROWS_SHOWN]
            ],
            caption="Near-duplicates",
            note=_cut_note(len(description.twins)),
        )
    _add_contradictions(document, description)
    _add_split(document, description)
    document.chapter("Set aside")
    document.text(
        f"{len(description.set_aside)} files or rows cannot be used." if description.set_aside else "Nothing."
    )
    if description.set_aside:
        reasons = group_reasons(description.set_aside)
        document.table(
            ["what", "items", "why"],
            [[each.first, each.count, each.reason] for each in reasons[:_ROWS_SHOWN]],
            caption="Set aside, by reason",
            note=_cut_note(len(reasons)) or "Of each reason the first item; data.json has all.",
        )


def _add_contradictions(document: Document, description: DataDescription) -> None:
    if not description.contradictions:
        return
    copies = sum(each.correlation >= 1 for each in description.contradictions)
    document.notice(
        f"{len(description.contradictions)} near-duplicate pairs carry different classes, {copies} of which "
        "have the same pixels. Look at both images and correct or remove the wrong one: a model cannot learn "
        "both, and figures on them are wrong whatever it says."
    )
    document.table(
        ["sheet", "class", "its near-duplicate", "class of that", "correlation"],
        [
            [each.left, each.left_classes, each.right, each.right_classes, round(each.correlation, 3)]
            for each in description.contradictions[:_ROWS_SHOWN]
        ],
        caption="Contradictory labels",
        note=_cut_note(len(description.contradictions)),
    )


def _example_words(sheets: SheetSet) -> str:
    """What the pictures of examples show."""
    defective = [item for item in sheets.items if item.types]
    known = sum(item.evidence == "mask" for item in defective)
    words = "Two sheets of each class"
    if not known:
        return f"{words}; they have no masks." if defective else f"{words}."
    some = "" if known == len(defective) else ", where they are known"
    return f"{words} with the outlines of their masks{some}."


def _twin_words(pairs: int, parted: int) -> str:
    """How many pairs are near-duplicates, and how many of them a split can part."""
    if not pairs:
        return "No two sheets share their grain, the mark of one piece of steel seen twice."
    verb = "pair of sheets shares its" if pairs == 1 else "pairs of sheets share their"
    return (
        f"{pairs} {verb} grain, the mark of one piece of steel seen twice; {parted} of them are in "
        "several groups, so that a split can put them on both sides."
    )


def _add_split(document: Document, description: DataDescription) -> None:
    """The data set's own split, and what was passed over."""
    if description.parts:
        document.chapter("Given split")
        document.table(
            ["part", "sheets"], [list(row) for row in description.parts], caption="Sheets per part"
        )
        document.text(
            f"{len(description.leaks)} groups or pairs of near-duplicates lie in several parts."
            if description.leaks
            else "No group and no pair of near-duplicates lies in several parts."
        )
        if description.leaks:
            rows = [[leak] for leak in description.leaks[:_ROWS_SHOWN]]
            document.table(["leak"], rows, caption="Leaks", note=_cut_note(len(description.leaks)))
    if description.passed_over:
        document.chapter("Passed over")
        document.table(
            ["what", "why"],
            [[r.id, r.reason] for r in description.passed_over[:_ROWS_SHOWN]],
            caption="On the disk, and not part of the data",
            note=_cut_note(len(description.passed_over)),
        )


def _cut_note(rows: int) -> str:
    return f"The first {_ROWS_SHOWN} of {rows}; data.json has all." if rows > _ROWS_SHOWN else ""
