"""A data set's own split: counted, read from a table, and its leaks named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steelsight.sheets.catalog import check_images, load_pixels, open_data
from steelsight.sheets.describe import describe_sheets, find_duplicates
from steelsight.sheets.grouping.given_split import count_parts, find_part_leaks
from steelsight.types import InputSpec, SheetItem

Make = Callable[..., Any]


def item(id_: str, part: Any, group: str = "") -> SheetItem:
    return SheetItem(id_, Path(id_), (), "mask", group=group, part=part)


def test_leaks_are_groups_and_near_duplicates_in_several_parts() -> None:
    items = [item("a", "train", "c1"), item("b", "test", "c1"), item("c", "train"), item("d", "test")]
    items += [item("e", "", "c1"), item("f", "test", "c2")]
    assert count_parts(items) == {"train": 2, "test": 3}
    assert find_part_leaks(items, [("c", "d"), ("d", "f"), ("c", "e")]) == [
        "group c1: 1 in train, 1 in test",
        "c in train and d in test are near-duplicates",
    ]
    assert find_part_leaks([item("a", ""), item("b", "")], [("a", "b")]) == []


def test_a_sheet_copied_into_both_parts_is_reported(tmp_path: Path, put: Make, texture: Make) -> None:
    root = tmp_path / "DATA"
    for part, seeds in (("train", (1, 2, 3)), ("test", (3, 4))):
        for seed in seeds:
            put(root / part / "good" / f"{seed}.png", texture(64, 96, seed))
            put(root / part / "crack" / f"{seed}.png", texture(64, 96, seed + 10 * (part == "test") + 50))
    cache = load_pixels(open_data(root), InputSpec(), cache_dir=tmp_path / "cache")
    found = describe_sheets(cache.sheets, cache.sizes, find_duplicates(cache.sheets.items, cache.images))
    assert found.leaks == ("test/good/3.png in test and train/good/3.png in train are near-duplicates",)
    assert dict(found.parts) == {"train": 6, "test": 4}


def test_a_table_gives_the_split(tiles: Path) -> None:
    names = [item.id for item in open_data(tiles).items]
    rows = [f"{name},{part}" for name, part in zip(names, ("train", "Val", "test"), strict=False)]
    (tiles / "split.csv").write_text(
        "\n".join(["ImageId,part", *rows, "gone.jpg,train", f"{names[3]},later"])
    )
    sheets = check_images(open_data(tiles))
    assert [(item.id, item.part) for item in sheets.items] == [
        *zip(names, ("train", "validation", "test"), strict=False),
        (names[4], ""),
    ]
    row = f"split.csv row 6 ({names[3]}): expected train, validation or test, found 'later'; correct it"
    assert [(bad.id, bad.reason) for bad in sheets.rejections] == [
        ("gone.jpg", "split.csv row 5 (gone.jpg): the name is no image here"),
        (names[3], row),
    ]


@pytest.mark.parametrize("table", ["", "a,b\n"])
def test_a_table_of_another_kind_gives_none(table: str, tiles: Path) -> None:
    if table:
        (tiles / "split.csv").write_text(table)
    assert not any(item.part for item in open_data(tiles).items)
