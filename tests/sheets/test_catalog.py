"""Any DATA folder: the layout is recognised, grouping rules apply, and a wrong folder is named."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import steelsight.sheets
from steelsight.errors import BadData, BadRecipe
from steelsight.sheets.catalog import load_pixels, mask_fractions, open_data
from steelsight.types import InputSpec

Make = Callable[..., Any]


def test_both_layouts_are_recognised(kaggle: Make, tiles: Path) -> None:
    assert open_data(kaggle("ImageId,ClassId,EncodedPixels\n")).layout == "severstal"
    assert open_data(tiles).layout == "folder"


def test_a_run_past_the_end_of_its_image(kaggle: Make, tmp_path: Path) -> None:
    root = kaggle("ImageId,ClassId,EncodedPixels\na.jpg,3,90 10\nb.jpg,3,5 0\nc.jpg,2,1 2\n")
    cache = load_pixels(open_data(root), InputSpec(8, 12), cache_dir=tmp_path / "cache")
    assert [item.id for item in cache.sheets.items] == ["c.jpg"]
    assert [rejection.reason for rejection in cache.sheets.rejections] == [
        "train.csv row 2 (a.jpg): run 90+10 ends past 8x12 = 96 pixels; check EncodedPixels",
        "train.csv row 3 (b.jpg): run 5+0 has no pixels; check EncodedPixels",
    ]


def test_groups(tiles: Path, kaggle: Make) -> None:
    by_frames = {item.id: item.group for item in open_data(tiles, groups="frames:50").items}
    assert by_frames["MT_Free/exp1_num_100.jpg"] == by_frames["MT_Free/exp2_num_150.jpg"] == "none/100"
    assert by_frames["MT_Crack/exp1_num_2000.jpg"] == "MT_Crack/2000"
    assert open_data(tiles, groups="frames:49").items[-1].group == "none/150"
    root = kaggle("ImageId,ClassId,EncodedPixels\n", groups="ImageId,coil\na.jpg,7\nb.jpg,7\n")
    assert [item.group for item in open_data(root, groups="column:coil").items] == ["7", "7", ""]


def test_duplicates_as_groups(tiles: Path, put: Make, texture: Make) -> None:
    put(tiles / "MT_Free" / "again.jpg", texture(40, 33, 5), quality=85)
    groups = {item.id: item.group for item in open_data(tiles, groups="duplicates").items}
    assert groups["MT_Free/again.jpg"] == groups["MT_Blowhole/exp1_num_7.jpg"] != ""
    joined = {item.id: item.group for item in open_data(tiles, groups="frames+duplicates").items}
    assert joined["MT_Free/again.jpg"] == joined["MT_Blowhole/exp1_num_7.jpg"]
    assert joined["MT_Free/exp1_num_100.jpg"] == joined["MT_Free/exp2_num_150.jpg"]


@pytest.mark.parametrize("rule", ["tiles", "column:", "frames:many", "frames+coil", ""])
def test_an_unknown_rule(rule: str, tiles: Path) -> None:
    with pytest.raises(BadRecipe, match=r"expected column:NAME, frames, frames:GAP or duplicates"):
        open_data(tiles, groups=rule)


def test_a_wrong_folder(tmp_path: Path, tiles: Path, kaggle: Make) -> None:
    with pytest.raises(BadData, match=r"far: expected a DATA folder, found none at /.*: .* has no gone; "):
        open_data(tmp_path / "gone" / "far")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(BadData, match=r"link: expected a DATA folder, but .* is a link whose target nowhere"):
        open_data(tmp_path / "link")
    (tmp_path / "link").unlink()
    (tmp_path / "file").touch()
    with pytest.raises(BadData, match=r"file: expected a DATA folder, found a file"):
        open_data(tmp_path / "file")
    kaggle("ImageId,ClassId,EncodedPixels\n")
    with pytest.raises(BadData, match=r"a folder of DATA folders; name one of them, such as .*kaggle"):
        open_data(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadData, match=r"found 0 image\(s\) outside any folder and none inside one"):
        open_data(tmp_path / "empty")


def test_a_relative_folder_that_is_missing_is_told_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadData) as told:
        open_data(Path("typo"))
    place = f"{tmp_path / 'typo'}: {tmp_path} has no typo; check the path"
    assert str(told.value) == f"typo: expected a DATA folder, found none at {place}"


def test_the_plants_rooms_need_no_torch() -> None:
    """Read from the source, so that another test's imports do not matter."""
    for path in Path(steelsight.sheets.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            assert not {module.split(".")[0] for module in modules} & {"torch", "torchvision", "sklearn"}, (
                path
            )


@pytest.mark.realdata
def test_real_tiles(data_root: Path) -> None:
    cache = load_pixels(open_data(data_root / "magnetic_tile"), InputSpec())
    assert cache.images.shape == (935, 64, 400)
    assert not cache.sheets.rejections
    counts = Counter(
        (cache.sheets.type_names[(item.types or (0,))[0]], item.evidence) for item in cache.sheets.items
    )
    assert counts == {
        ("none", "mask"): 680,
        ("MT_Blowhole", "mask"): 71,
        ("MT_Break", "mask"): 53,
        ("MT_Crack", "mask"): 36,
        ("MT_Fray", "mask"): 23,
        ("MT_Uneven", "mask"): 68,
        ("MT_Uneven", "class"): 4,  # their masks are empty
    }


@pytest.mark.realdata
def test_real_masks_cover_some_of_each_sheet(data_root: Path) -> None:
    sheets = load_pixels(open_data(data_root / "severstal"), InputSpec()).sheets
    for item in sheets.items:
        if item.masks:
            assert 0 < mask_fractions(item, InputSpec()).mean() < 0.5
