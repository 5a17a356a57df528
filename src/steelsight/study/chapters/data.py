"""The data and the networks: what the study's first slides show, on these sheets."""

from __future__ import annotations

from collections import Counter

from steelsight.reports.cells import Column
from steelsight.reports.document import Document
from steelsight.reports.figures import draw_architecture, draw_distribution, draw_fire_module
from steelsight.reports.figures.sheets.data import ExampleSheet, draw_examples
from steelsight.sheets.catalog import read_mask
from steelsight.sheets.describe import describe_sheets, example_sheets
from steelsight.sheets.images.pixels import read_gray
from steelsight.study.results import StudyResults
from steelsight.types import SheetItem

__all__ = ["write_architectures", "write_data"]

FINAL_MODEL = "squeezenet_reduced"
FIRE = (64, 16, 64)  # channels in, squeezed, and of each expand layer of SqueezeNet v1.1's first Fire module

Omitted = dict[str, str]  # ids of items the chapter should hold and cannot on these data, with the reason


def write_data(document: Document, found: StudyResults) -> Omitted:
    """What the folder holds, how it was split, two sheets of each class."""
    told = describe_sheets(found.sheets, found.sizes, ())
    document.chapter("Data", id="data", status="done")
    document.facts(_facts(found))
    if found.options.stratify:
        document.notice(
            "The study's random split would leave a class out of training or test, so every part was given "
            "its share of every class.",
            title="Stratified split.",
        )
    if found.options.groups is None:
        document.notice(
            "Sheets were split one by one, as in the study. Where one piece of steel was photographed "
            "several times, such a split puts the same piece in training and test, and every figure below "
            "flatters; --groups keeps them together.",
            title="Split by sheet.",
        )
    elif found.leaks:
        document.notice(f"{found.leaks} groups lie in more than one part of the split.", title="Leak.")
    names = [entry.name for entry in told.classes]
    counts = [entry.sheets for entry in told.classes]
    shown = draw_distribution(names, counts)
    words = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
    document.figure(
        shown,
        id="data-distribution",
        alt=f"Bars of sheets per class: {words}.",
        caption="Distribution of the classes. A sheet of several types counts under each of them.",
    )
    document.table(
        [Column("class"), "sheets", "only this type", "with mask", *_part_names()],
        [
            [entry.name, entry.sheets, entry.alone, entry.with_masks, *_parts(found, kind)]
            for kind, entry in enumerate(told.classes)
        ],
        caption="Classes and parts",
        note=f"{told.multi_type or 'No'} sheets carry several types; binary work keeps such sheets.",
    )
    examples = [
        _example(name, item) for name, items in example_sheets(found.sheets).items() for item in items
    ]
    document.figure(
        draw_examples(examples, found.sheets.type_names),
        id="data-examples",
        alt="Two sheets of each class with the outlines of their masks.",
        caption="Two sheets of each class; masks, where known, are outlined.",
    )
    return {}


def write_architectures(document: Document, found: StudyResults) -> Omitted:
    """What each network is made of and costs."""
    document.chapter("Architectures", id="architectures", status="done")
    spec = found.data.input
    size = (spec.height, spec.width)
    first_fire = next(layer for layer in found.costs[FINAL_MODEL].layers if layer.kind == "Fire")
    document.figure(
        draw_architecture(found.costs[FINAL_MODEL].layers, found.costs[FINAL_MODEL].title, size=size),
        id="architecture",
        alt="Slabs for the layers of reduced SqueezeNet from the image to the classes, with their sizes.",
        caption="The study's final model: SqueezeNet v1.1 without its last three Fire modules.",
    )
    document.figure(
        draw_fire_module(*FIRE, (first_fire.output_shape[1], first_fire.output_shape[2])),
        id="fire-module",
        alt="Squeeze by 1x1 filters, then expansion by 1x1 and 3x3 filters side by side, stacked.",
        caption="Inside the first Fire module.",
    )
    document.table(
        [
            "network",
            "layers with weights",
            "parameters",
            Column("multiply-accumulates", 1, "million an image"),
            Column("batch of five", 1, "ms"),
        ],
        [
            [
                cost.title,
                sum(layer.parameters > 0 for layer in cost.layers),
                cost.parameters,
                cost.macs / 1e6,
                cost.timing.median_ms,
            ]
            for cost in found.costs.values()
        ],
        id="network-costs",
        caption="Networks and their cost",
        note=f"Input {size[0]} × {size[1]}; a Fire module counts as one layer. Times: medians of "
        f"{found.options.repeats} interleaved rounds, forward pass alone, on this machine.",
    )
    for name, cost in found.costs.items():
        if name != FINAL_MODEL:
            document.figure(
                draw_architecture(cost.layers, cost.title, size=size),
                id=f"architecture-{name}",
                alt=f"Slabs for the layers of {cost.title} from the image to the classes.",
            )
    return {}


def _facts(found: StudyResults) -> dict[str, str | int]:
    spec = found.data.input
    sizes = Counter(found.sizes).most_common(1)[0][0]
    several = f" and {len(set(found.sizes)) - 1} more sizes" if len(set(found.sizes)) > 1 else ""
    return {
        "Data": found.data.name,
        "Sheets": len(found.data.items),
        "Image files": f"{sizes[1]} × {sizes[0]} pixels{several}",
        "Model input": f"{spec.width} × {spec.height} pixels, {spec.fit}, three equal normalised channels",
        "Split": found.options.groups
        or ("stratified" if found.options.stratify else "random, sheet by sheet"),
        "Set aside": len(found.data.rejections),
    }


def _part_names() -> tuple[str, ...]:
    return ("train", "validation", "test")


def _parts(found: StudyResults, kind: int) -> list[int]:
    """How many sheets of a class each part has."""
    items = found.data.items
    return [
        sum(kind in (items[i].types or (0,)) for i in getattr(found.split, part).tolist())
        for part in _part_names()
    ]


def _example(name: str, item: SheetItem) -> ExampleSheet:
    gray = read_gray(item.path)
    unknown = "" if item.evidence == "mask" else " (mask unknown)"
    return ExampleSheet(
        f"{name}: {item.path.name}{unknown}", gray, read_mask(item, (gray.shape[0], gray.shape[1]))
    )
