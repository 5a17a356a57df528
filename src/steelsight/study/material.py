"""From a DATA folder to what the models need: the study's sheets, binary labels, one split for all models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from steelsight.errors import BadData
from steelsight.sheets.catalog import load_pixels, open_data
from steelsight.sheets.labels import label_sheets
from steelsight.sheets.splits import Split, find_leaks
from steelsight.study.options import StudyOptions, recipe_for
from steelsight.training.lesson import SheetData, refuse_rejected
from steelsight.training.run import make_split
from steelsight.types import SheetSet

__all__ = ["Material", "keep_sheets", "open_material"]


@dataclass(frozen=True)
class Material:
    """What all models of the study share."""

    options: StudyOptions  # as asked for, or with `stratify` where a random split would leave out a class
    sheets: SheetSet
    data: SheetData
    sizes: tuple[tuple[int, int], ...]
    split: Split
    leaks: int


def open_material(data: Path, options: StudyOptions) -> Material:
    """Open, label and split a DATA folder.

    A random split that leaves a class out of training or test is stratified instead.
    raises  BadData when more items than allowed are bad, or a class is too rare even then
    """
    recipe = recipe_for(options.models[0], options)
    cache = load_pixels(open_data(data, groups=options.groups), recipe.input_spec())
    refuse_rejected(cache.sheets, options.allow_bad)
    labelled = label_sheets(cache.sheets.items, "binary", cache.sheets.type_names, keep_multi_type=True)
    everything = SheetData(
        name=data.resolve().name,
        items=cache.sheets.items,
        images=cache.images,
        labelled=labelled,
        task="binary",
        input=cache.spec,
        data_hash=cache.data_hash,
        rejections=cache.sheets.rejections,
    )
    kept = _draw(everything, options)
    chosen = everything if kept is None else keep_sheets(everything, kept)
    sheets = replace(cache.sheets, items=chosen.items)
    sizes = cache.sizes if kept is None else tuple(cache.sizes[i] for i in kept)
    options, split = _split(chosen, options)
    return Material(options, sheets, chosen, sizes, split, len(find_leaks(split, chosen.groups)))


def _split(data: SheetData, options: StudyOptions) -> tuple[StudyOptions, Split]:
    split = make_split(data, recipe_for(options.models[0], options).split, seed=options.seed)
    missing = _missing_classes(data, split)
    if missing and options.groups is None and not options.stratify:
        return _split(data, replace(options, stratify=True))
    if missing:
        raise BadData(f"{data.name}: {missing}; bring more sheets of that class, or try another --seed")
    return options, split


def _draw(data: SheetData, options: StudyOptions) -> list[int] | None:
    """Positions of at most so many sheets, in their order; None = all."""
    if options.sheets is None or options.sheets >= len(data.items):
        return None
    rng = np.random.default_rng([options.seed, 2])
    drawn: list[int] = np.sort(rng.permutation(len(data.items))[: options.sheets]).tolist()
    return drawn


def keep_sheets(data: SheetData, kept: list[int]) -> SheetData:
    """The same data with these positions alone."""
    labelled = replace(
        data.labelled,
        labels=data.labelled.labels[kept],
        alternatives=tuple(data.labelled.alternatives[i] for i in kept),
    )
    return replace(
        data,
        items=tuple(data.items[i] for i in kept),
        images=np.asarray(data.images[kept]),
        labelled=labelled,
        data_hash=f"{data.data_hash}, {len(kept)} sheets drawn",
    )


def _missing_classes(data: SheetData, split: Split) -> str:
    """Which class a part lacks that cannot do without it; "" for none."""
    labels = np.asarray(data.labelled.labels)
    for part in ("train", "test"):
        counts = np.bincount(labels[getattr(split, part)], minlength=2).tolist()
        for name, count in zip(data.labelled.class_names, counts, strict=True):
            if count == 0:
                return f"expected sheets of {name!r} in the {part} part, got none"
    return ""
