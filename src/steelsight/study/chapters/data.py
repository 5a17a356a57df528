"""Chapters of the data and the networks."""

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
FIRE = (64, 16, 64)  # channels of SqueezeNet v1.1's first Fire module: input, squeeze, each expand layer

Omitted = dict[str, str]  # ids of items that these data do not allow, with the reason


def write_data(document: Document, study: StudyResults) -> Omitted:
    """Sheets per class, their split, and two examples of each class."""
    description = describe_sheets(study.sheets, study.sizes, ())
    document.chapter("Data", id="data", status="done")
    document.facts(_facts(study))
    if study.options.stratify:
        document.notice(
            "The study's random split would leave a class out of training or test; the split is therefore "
            "stratified by class.",
            title="Stratified split.",
        )
    if study.options.groups is None:
        document.notice(
            "Sheets were split one by one, as in the study. Where one piece of steel was photographed "
            "several times, such a split puts the same piece in training and test, and every figure below "
            "is optimistic; --groups keeps its photographs together.",
            title="Split by sheet.",
        )
    elif study.leaks:
        document.notice(
            f"{study.leaks} groups have sheets in more than one part of the split.", title="Leak."
        )
    names = [description.shown_name(entry.name) for entry in description.classes]
    counts = [entry.sheets for entry in description.classes]
    shown = draw_distribution(names, counts, clean=description.clean, sheets=description.sheets)
    words = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
    document.figure(
        shown,
        id="data-distribution",
        alt=f"Bars of sheets per class: {words}.",
        caption="Distribution of the classes. A sheet of several types is counted for each of them.",
    )
    document.table(
        [Column("class"), "sheets", "only this type", "with mask", *_part_names()],
        [
            [
                description.shown_name(entry.name),
                entry.sheets,
                entry.alone,
                entry.with_masks,
                *_parts(study, kind),
            ]
            for kind, entry in enumerate(description.classes)
        ],
        caption="Classes and parts",
        note=f"{description.multi_type} sheets have several types; the binary models use them."
        if description.multi_type
        else "No sheet has several types.",
    )
    examples = [
        _example(description.shown_name(name), item)
        for name, items in example_sheets(study.sheets).items()
        for item in items
    ]
    document.figure(
        draw_examples(examples, study.sheets.type_names),
        id="data-examples",
        alt="Two sheets of each class with the outlines of their masks.",
        caption="Two sheets of each class; masks, where known, are outlined.",
    )
    return {}


def write_architectures(document: Document, study: StudyResults) -> Omitted:
    """Layers, parameters and time of each network."""
    document.chapter("Architectures", id="architectures", status="done")
    spec = study.data.input
    size = (spec.height, spec.width)
    first_fire = next(layer for layer in study.costs[FINAL_MODEL].layers if layer.kind == "Fire")
    document.figure(
        draw_architecture(study.costs[FINAL_MODEL].layers, study.costs[FINAL_MODEL].title, size=size),
        id="architecture",
        alt="Slabs for the layers of reduced SqueezeNet from the image to the classes, with their sizes.",
        caption="The study's final model: SqueezeNet v1.1 without its last three Fire modules.",
    )
    document.figure(
        draw_fire_module(*FIRE, (first_fire.output_shape[1], first_fire.output_shape[2])),
        id="fire-module",
        alt="Squeeze by 1x1 filters, then expansion by 1x1 and 3x3 filters side by side, stacked.",
        caption="The first Fire module.",
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
            for cost in study.costs.values()
        ],
        id="network-costs",
        caption="Size and time of the networks",
        note=f"Input {size[0]} × {size[1]}; a Fire module counts as one layer. Times: medians of "
        f"{study.options.repeats} interleaved rounds, forward pass alone, on this machine.",
    )
    for name, cost in study.costs.items():
        if name != FINAL_MODEL:
            document.figure(
                draw_architecture(cost.layers, cost.title, size=size),
                id=f"architecture-{name}",
                alt=f"Slabs for the layers of {cost.title} from the image to the classes.",
            )
    return {}


def _facts(study: StudyResults) -> dict[str, str | int]:
    spec = study.data.input
    sizes = Counter(study.sizes).most_common(1)[0][0]
    several = f" and {len(set(study.sizes)) - 1} more sizes" if len(set(study.sizes)) > 1 else ""
    return {
        "Data": study.data.name,
        "Sheets": len(study.data.items),
        "Image files": f"{sizes[1]} × {sizes[0]} pixels{several}",
        "Model input": f"{spec.width} × {spec.height} pixels, {spec.fit}, three equal normalised channels",
        "Split": study.options.groups
        or ("stratified" if study.options.stratify else "random, sheet by sheet"),
        "Read as": study.data.reading,
        "Set aside": len(study.data.rejections),
    }


def _part_names() -> tuple[str, ...]:
    return ("train", "validation", "test")


def _parts(study: StudyResults, kind: int) -> list[int]:
    """Number of sheets of a class in each part of the split."""
    items = study.data.items
    return [
        sum(kind in (items[i].types or (0,)) for i in getattr(study.split, part).tolist())
        for part in _part_names()
    ]


def _example(name: str, item: SheetItem) -> ExampleSheet:
    gray = read_gray(item.path)
    unknown = "" if item.evidence == "mask" else " (mask unknown)"
    return ExampleSheet(
        f"{name}: {item.path.name}{unknown}", gray, read_mask(item, (gray.shape[0], gray.shape[1]))
    )
