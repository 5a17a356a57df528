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


def write_lists(root: Path, lists: dict[str, list[str]]) -> None:
    for name, lines in lists.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize(
    "spell",
    [
        lambda id_: id_,
        lambda id_: Path(id_).stem,
        lambda id_: f"./{Path(id_).name}",
        lambda id_: "D:\\data\\" + id_.replace("/", "\\"),
        lambda id_: f"{Path(id_).stem} 1",
    ],
)
@pytest.mark.parametrize("place", ["", "ImageSets/Main/", "splits/"])
def test_lists_of_images_give_the_split(tiles: Path, place: str, spell: Callable[[str], str]) -> None:
    names = [item.id for item in open_data(tiles).items]
    lists = {"train.txt": names[:2], "val.txt": names[2:3], "test.txt": names[3:4], "trainval.txt": names[:3]}
    write_lists(tiles, {place + name: [*map(spell, ids), ""] for name, ids in lists.items()})
    sheets = open_data(tiles)
    assert [item.part for item in sheets.items] == [
        *("train", "train", "validation", "test"),
        *[""] * (len(names) - 4),
    ]
    assert sheets.rejections == ()


def test_a_sheet_in_two_lists_and_a_line_without_image_are_told(tiles: Path) -> None:
    names = [item.id for item in open_data(tiles).items]
    write_lists(tiles, {"train.txt": [*names[:3], "# made by hand"], "test.txt": [names[2], "gone.jpg"]})
    sheets = open_data(tiles)
    assert [item.id for item in sheets.items] == [*names[:2], *names[3:]]
    assert {(bad.id, bad.reason) for bad in sheets.rejections} == {
        ("gone.jpg", "test.txt line 2 (gone.jpg): the name is no image here"),
        (names[2], "train.txt line 3: part train, test.txt line 1: test; keep one"),
    }


@pytest.mark.parametrize(
    "content", [b"", b"notes on the test of the camera\nsecond line\n", b"\xff\xfe\x00", b"1\n" * 3]
)
def test_a_text_that_lists_no_images_is_no_split(tiles: Path, content: bytes) -> None:
    before = open_data(tiles)
    (tiles / "test.txt").write_bytes(content)
    assert open_data(tiles).items == before.items


def test_folders_and_split_csv_win_over_lists(tiles: Path) -> None:
    names = [item.id for item in open_data(tiles).items]
    (tiles / "split.csv").write_text("\n".join(["ImageId,part", *(f"{name},train" for name in names)]))
    write_lists(tiles, {"test.txt": names})
    assert {item.part for item in open_data(tiles).items} == {"train"}
