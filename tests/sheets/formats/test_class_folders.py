"""Class folders: names, masks beside images, and everything that does not belong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steelsight.errors import BadData
from steelsight.sheets.formats.class_folders import read_folder
from steelsight.sheets.formats.class_names import is_defect_free
from steelsight.sheets.options import DataOptions

Make = Callable[..., Any]


@pytest.mark.parametrize(
    "name",
    [
        "none",
        "free",
        "OK",
        "good",
        "normal",
        "clean",
        "no_defect",
        "No Defects",
        "MT_Free",
        "defect-free",
        "DefectFree",
        "MtFree",
    ],
)
def test_names_that_say_defect_free(name: str) -> None:
    assert is_defect_free(name)


@pytest.mark.parametrize(
    "name", ["crack", "not_ok", "no_good", "N.OK", "freeform", "goodish", "broken", "MT_Fray", "nok"]
)
def test_names_that_do_not(name: str) -> None:
    assert not is_defect_free(name)


def test_classes_masks_and_evidence(tiles: Path) -> None:
    sheets = read_folder(tiles)
    assert sheets.type_names == ("none", "MT_Blowhole", "MT_Crack")
    found = {item.id: (item.types, item.evidence, len(item.masks)) for item in sheets.items}
    assert found == {
        "MT_Blowhole/exp1_num_7.jpg": ((1,), "class", 0),
        "MT_Crack/exp1_num_2000.jpg": ((2,), "mask", 1),
        "MT_Crack/exp1_num_900.jpg": ((2,), "mask", 1),
        "MT_Free/exp1_num_100.jpg": ((), "mask", 1),
        "MT_Free/exp2_num_150.jpg": ((), "mask", 0),
    }
    assert not sheets.rejections


def test_folders_inside_a_class_folder(tmp_path: Path, put: Make, texture: Make, stripe: Make) -> None:
    put(tmp_path / "Free" / "Imgs" / "a.jpg", texture())
    put(tmp_path / "Crack" / "Imgs" / "b.jpg", texture())
    put(tmp_path / "Crack" / "Imgs" / "b.png", stripe())
    sheets = read_folder(tmp_path)
    assert [(item.id, item.types) for item in sheets.items] == [
        ("Crack/Imgs/b.jpg", (1,)),
        ("Free/Imgs/a.jpg", ()),
    ]


def test_png_images_with_named_masks(tmp_path: Path, put: Make, texture: Make, stripe: Make) -> None:
    for name, picture in (("a", texture()), ("a_mask", stripe()), ("b", texture())):
        put(tmp_path / "crack" / f"{name}.png", picture)
    items = read_folder(tmp_path).items
    assert [(item.id, item.evidence) for item in items] == [("crack/a.png", "mask"), ("crack/b.png", "class")]


def test_the_caller_may_name_the_defect_free_folders(tmp_path: Path, put: Make, texture: Make) -> None:
    for name in ("A-Ware", "Ausschuss"):
        put(tmp_path / name / "a.jpg", texture())
    assert read_folder(tmp_path).type_names == ("none", "A-Ware", "Ausschuss")
    assert read_folder(tmp_path, DataOptions(defect_free=("A-Ware",))).type_names == ("none", "Ausschuss")
    with pytest.raises(BadData, match=r"no class B-Ware; the classes are A-Ware, Ausschuss"):
        read_folder(tmp_path, DataOptions(defect_free=("B-Ware",)))


def test_an_empty_class_folder(tiles: Path) -> None:
    (tiles / "MT_Break").mkdir()
    sheets = read_folder(tiles)
    assert "MT_Break" not in sheets.type_names
    assert [(r.id, r.reason) for r in sheets.rejections] == [
        ("MT_Break/", "class folder without images; fill it or remove it")
    ]


def test_loose_images_and_other_files(tiles: Path, put: Make, texture: Make) -> None:
    put(tiles / "loose.jpg", texture())
    (tiles / "MT_Free" / "notes.txt").write_text("n")
    (tiles / "MT_Free" / "more.TXT").write_text("n")
    (tiles / "MT_Free" / "Thumbs.db").write_text("n")
    (tiles / "MT_Free" / ".DS_Store").write_text("n")
    reasons = {rejection.id: rejection.reason for rejection in read_folder(tiles).rejections}
    assert set(reasons) == {"./", "MT_Free/"}
    assert reasons["./"].startswith("1 image(s) outside the class folders; move them")
    assert reasons["MT_Free/"].startswith("2 file(s) ending in .txt: not an image format")


def test_nothing_to_read(tmp_path: Path, put: Make, texture: Make) -> None:
    put(tmp_path / "a.jpg", texture())
    with pytest.raises(
        BadData, match=r"one folder of images per class; found 1 image\(s\) outside any folder"
    ):
        read_folder(tmp_path)


def test_a_loop_of_links_is_named_once(tiles: Path) -> None:
    (tiles / "MT_Free" / "again").symlink_to(tiles, target_is_directory=True)
    (tiles / "round").symlink_to(tiles, target_is_directory=True)
    sheets = read_folder(tiles)
    assert len(sheets.items) == 5
    assert [(r.id, r.reason) for r in sheets.rejections] == [
        (name, "a symbolic link that leads back to a folder above it; remove it")
        for name in ("MT_Free/again/", "round/")
    ]


def test_a_link_to_another_folder_is_followed(tiles: Path, tmp_path: Path, put: Make, texture: Make) -> None:
    put(tmp_path / "elsewhere" / "x.jpg", texture())
    (tiles / "MT_Fray").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    sheets = read_folder(tiles)
    assert "MT_Fray/x.jpg" in {item.id for item in sheets.items}
    assert np.all([not r.reason.startswith("a symbolic") for r in sheets.rejections])
