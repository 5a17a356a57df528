"""The numbers of a folder, and the sheets chosen to stand for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steelsight.sheets.describe import (
    DuplicatePair,
    describe_sheets,
    example_sheets,
    find_copies,
    find_duplicates,
)
from steelsight.types import MaskSource, Rejection, SheetItem, SheetSet

Make = Callable[..., Any]


@pytest.fixture
def sheets() -> SheetSet:
    def item(name: str, *types: int, masks: bool = False, group: str = "") -> SheetItem:
        sources = tuple(MaskSource(t, runs="1 2") for t in types) if masks else ()
        return SheetItem(name, Path(name), types, "mask" if masks or not types else "class", sources, group)

    items = (
        item("a"),
        item("b", 1, group="g"),
        item("c", 1, masks=True, group="g"),
        item("d", 1, 2, masks=True),
        item("e", 1, masks=True, group="g"),
        item("f", 2),
        item("g", 2),
    )
    return SheetSet(Path("x"), "severstal", ("none", "type 1", "type 2"), items, (Rejection("z", "why"),))


def test_counts(sheets: SheetSet) -> None:
    description = describe_sheets(sheets, [(4, 9)] * 5 + [(3, 3)] * 2, ())
    assert description.multi_type == 1
    assert description.groups == 5
    assert [(c.name, c.sheets, c.alone, c.with_masks, c.groups) for c in description.classes] == [
        ("none", 1, 1, 0, 1),
        ("type 1", 4, 3, 3, 2),
        ("type 2", 3, 2, 1, 3),
    ]
    assert description.sizes == ((4, 9, 5), (3, 3, 2))
    assert description.as_dict()["set_aside"] == [{"id": "z", "reason": "why"}]


def test_examples_have_masks_and_differ(sheets: SheetSet) -> None:
    chosen = {name: [item.id for item in items] for name, items in example_sheets(sheets).items()}
    # d: masks and another group than c, better than e; f, g: not shown yet, better than d again
    assert chosen == {"none": ["a"], "type 1": ["c", "d"], "type 2": ["f", "g"]}
    assert example_sheets(replace(sheets, items=()))["type 1"] == []


def test_twins_know_whether_a_split_may_part_them(texture: Make) -> None:
    images = np.stack([texture(32, 48, seed) for seed in (1, 2, 1, 2)])
    items = [
        SheetItem(n, Path(n), (), "mask", group=g) for n, g in zip("abcd", ["g", "", "g", ""], strict=True)
    ]
    twins = find_duplicates(items, images)
    assert {(pair.left, pair.right, pair.parted) for pair in twins} == {("a", "c", False), ("b", "d", True)}
    assert all(pair.correlation == pytest.approx(1) for pair in twins)


def test_near_duplicates_of_different_classes_are_contradictions(sheets: SheetSet) -> None:
    pairs = [
        DuplicatePair("a", "b", 1.0, parted=True),
        DuplicatePair("b", "c", 0.9, parted=False),  # one class: no contradiction
        DuplicatePair("d", "f", 0.61, parted=True),
    ]
    description = describe_sheets(replace(sheets, clean_name="good"), [(4, 9)] * 7, pairs)
    assert [str(each) for each in description.contradictions] == [
        "a is good, b is type 1 (the same pixels)",
        "d is type 1+type 2, f is type 2 (near-duplicates, 0.61)",
    ]
    assert [each["right"] for each in description.as_dict()["contradictions"]] == ["b", "f"]


def test_exact_copies_are_found_in_any_pictures(sheets: SheetSet) -> None:
    images = np.zeros((7, 4, 9), dtype=np.uint8)
    images[:, 0, 0] = [1, 2, 3, 1, 4, 2, 1]
    pairs = [(pair.left, pair.right) for pair in find_copies(sheets.items, images)]
    assert pairs == [("a", "d"), ("b", "f"), ("a", "g")]
