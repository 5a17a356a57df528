"""The study's data: sheets of a DATA folder, their labels, and one split for all models.

Binary and multi-class models share the split, so that they can be compared on the same test sheets. Sheets of
several types are excluded from the multi-class data, as in the study.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from steelsight.errors import BadData
from steelsight.sheets.catalog import load_pixels, open_data
from steelsight.sheets.grouping.splits import Split, find_leaks
from steelsight.sheets.labels import label_sheets
from steelsight.sheets.options import DataOptions
from steelsight.sheets.refusals import refuse_rejected
from steelsight.streams import stream
from steelsight.study.options import StudyOptions
from steelsight.study.recipes import recipe_for
from steelsight.training.dataset import SheetData, label_sheet_set
from steelsight.training.records import pixel_hashes
from steelsight.training.run import split_keys
from steelsight.types import InputSpec, SheetItem, SheetSet

__all__ = ["TEST_PREFIX", "StudyData", "keep_sheets", "multiclass_data", "open_study_data"]

TEST_PREFIX = "test/"  # of the names and groups of sheets from --test

Weights = Float[np.ndarray, " t"]


@dataclass(frozen=True)
class StudyData:
    """What all binary or all multi-class models of the study share."""

    options: StudyOptions  # as requested, or with `stratify` where a random split would leave out a class
    sheets: SheetSet
    data: SheetData
    sizes: tuple[tuple[int, int], ...]
    split: Split
    leaks: int
    weights: Weights | None = None  # one per test sheet, to the class shares of DATA; None = all count alike


def open_study_data(data: Path, options: StudyOptions) -> StudyData:
    """Open, label and split a DATA folder for the binary models.

    A random split that leaves a class out of training or test is replaced by one stratified by type.
    raises  BadData when more items than allowed are bad, a class is too rare even then, or `options.test`
            has other defect types or contains sheets of DATA
    """
    own = _open(data, options)
    kept = _draw(own, options)
    if kept is not None:
        own = own.keep(kept)
    count = len(own.sheets.items)
    other = None if options.test is None else _open(options.test, options)
    whole = own if other is None else _join(own, other, options)
    binary = _label(whole, data, options)
    options, split = _split(binary, options, count)
    weights = None if other is None else _weights(whole.sheets.items, split.test, count)
    return StudyData(
        options, whole.sheets, binary, whole.sizes, split, len(find_leaks(split, binary.groups)), weights
    )


def multiclass_data(study_data: StudyData) -> StudyData | str:
    """The same sheets and split labelled by type, or why these data have no multi-class task."""
    names = study_data.sheets.type_names
    if len(names) < 3:
        return "the data have one defect type, and a multi-class model needs at least two"
    data = study_data.data
    labelled = label_sheets(
        data.items, "multiclass", names, keep_multi_type=False, clean_name=study_data.sheets.clean_name
    )
    data = replace(data, labelled=labelled, task="multiclass")
    single = labelled.labels >= 0
    whole, test = study_data.split, study_data.split.test
    split = Split(*(part[single[part]] for part in (whole.train, whole.validation, test)))
    missing = _missing_classes(data, split)
    weights = None if study_data.weights is None else study_data.weights[single[test]]
    return missing or replace(study_data, data=data, split=split, weights=weights)


@dataclass(frozen=True)
class _Opened:
    sheets: SheetSet
    images: np.ndarray
    sizes: tuple[tuple[int, int], ...]
    data_hash: str
    spec: InputSpec

    def keep(self, rows: list[int]) -> _Opened:
        """The data restricted to these rows."""
        return _Opened(
            replace(self.sheets, items=tuple(self.sheets.items[i] for i in rows)),
            np.asarray(self.images[rows]),
            tuple(self.sizes[i] for i in rows),
            f"{self.data_hash}, {len(rows)} sheets drawn",
            self.spec,
        )


def _open(data: Path, options: StudyOptions) -> _Opened:
    recipe = recipe_for(options.models[0], options)
    cache = load_pixels(
        open_data(data, groups=options.groups, options=options), recipe.input_spec().at_bits(options.bits)
    )
    refuse_rejected(cache.sheets, options.allow_bad)
    return _Opened(cache.sheets, cache.images, cache.sizes, cache.data_hash, cache.spec)


def _join(own: _Opened, other: _Opened, options: StudyOptions) -> _Opened:
    """The sheets of both folders: DATA first, then --test with a prefix before their names."""
    if own.sheets.type_names != other.sheets.type_names:
        raise BadData(
            f"{options.test}: expected the defect types of DATA, {', '.join(own.sheets.type_names[1:])}, "
            f"got {', '.join(other.sheets.type_names[1:])}"
        )
    shared = set(pixel_hashes(own.images)) & set(pixel_hashes(other.images))
    if shared:
        raise BadData(
            f"{options.test}: {len(shared)} of its sheets are in DATA as well, pixel for pixel; "
            "test sheets must not be used for training, so remove them from one of the folders"
        )
    moved = tuple(
        replace(item, id=TEST_PREFIX + item.id, group=item.group and TEST_PREFIX + item.group)
        for item in other.sheets.items
    )
    return _Opened(
        replace(own.sheets, items=own.sheets.items + moved),
        np.concatenate([np.asarray(own.images), np.asarray(other.images)]),
        own.sizes + other.sizes,
        f"{own.data_hash}; test {other.data_hash}",
        own.spec,
    )


def _label(whole: _Opened, data: Path, options: DataOptions) -> SheetData:
    labelled = label_sheet_set(whole.sheets, "binary", keep_multi_type=True)
    return SheetData(
        name=data.resolve().name,
        items=whole.sheets.items,
        images=whole.images,
        labelled=labelled,
        task="binary",
        input=whole.spec,
        data_hash=whole.data_hash,
        rejections=whole.sheets.rejections,
        type_names=(whole.sheets.clean_name, *whole.sheets.type_names[1:]),
        group_rule=options.groups,
        layout=whole.sheets.layout,
        read_as=options.alone(),
    )


def _split(data: SheetData, options: StudyOptions, count: int) -> tuple[StudyOptions, Split]:
    """Split the first `count` sheets, which are DATA's; all others, from --test, are test sheets."""
    recipe = recipe_for(options.models[0], options).split
    keys = _type_keys(data.items) if options.stratify else data.keys
    split = split_keys(keys[:count], data.groups[:count], recipe, seed=options.seed)
    if options.test is not None:
        split = replace(split, test=np.arange(count, len(data.items)))
    missing = _missing_classes(data, split)
    if missing and options.groups is None and not options.stratify:
        return _split(data, replace(options, stratify=True), count)
    if missing:
        raise BadData(f"{data.name}: {missing}; add sheets of that class, or try another --seed")
    return options, split


def _type_keys(items: tuple[SheetItem, ...]) -> Int[np.ndarray, " n"]:
    """One index per combination of types."""
    order = {types: number for number, types in enumerate(sorted({item.types for item in items}))}
    return np.array([order[item.types] for item in items], dtype=np.int64)


def _weights(items: tuple[SheetItem, ...], test: Int[np.ndarray, " t"], count: int) -> Weights:
    """Weights that give each combination of types its share among the first `count` sheets; mean 1."""
    kinds = _type_keys(items)
    own_shares = np.bincount(kinds[:count], minlength=kinds.max() + 1) / count
    test_counts = np.bincount(kinds[test], minlength=kinds.max() + 1)
    weights: Weights = (own_shares / np.maximum(test_counts, 1))[kinds[test]]
    if not weights.sum():
        raise BadData(
            "--test: expected sheets of classes that occur in DATA, got none; choose another --test folder"
        )
    scaled: Weights = weights / weights.mean()
    return scaled


def _draw(own: _Opened, options: StudyOptions) -> list[int] | None:
    """Positions of a random subset of `options.sheets` sheets, ascending; None = all."""
    count = len(own.sheets.items)
    if options.sheets is None or options.sheets >= count:
        return None
    rng = stream(options.seed, "study-sheets")
    drawn: list[int] = np.sort(rng.permutation(count)[: options.sheets]).tolist()
    return drawn


def keep_sheets(data: SheetData, kept: list[int]) -> SheetData:
    """The data restricted to these positions."""
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
    """Name a class without sheets in the training or test part; "" when there is none."""
    labels = np.asarray(data.labelled.labels)
    names = data.labelled.class_names
    for part in ("train", "test"):
        counts = np.bincount(labels[getattr(split, part)], minlength=len(names)).tolist()
        for name, count in zip(names, counts, strict=True):
            if count == 0:
                return f"expected sheets of {name!r} in the {part} part, got none"
    return ""
