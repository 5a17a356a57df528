"""Images to explain: files and folders, masks beside them, masks and classes from DATA."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steelsight.errors import BadData, BadImage
from steelsight.explanations.sources import find_items, read_items
from steelsight.sheets.rle import encode_mask
from steelsight.types import InputSpec

SPEC = InputSpec(height=32, width=64)


def draw(path: Path, value: int = 120, size: tuple[int, int] = (32, 64)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size, value, dtype=np.uint8)).save(path)
    return path


def draw_mask(path: Path, columns: slice, size: tuple[int, int] = (32, 64)) -> Path:
    mask = np.zeros(size, dtype=np.uint8)
    mask[:, columns] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)
    return path


@pytest.fixture
def severstal(tmp_path: Path) -> Path:
    root = tmp_path / "strips"
    for name in ("a.jpg", "b.jpg"):
        draw(root / "train_images" / name)
    mask = np.zeros((32, 64), dtype=bool)
    mask[:, :16] = True
    (root / "train.csv").write_text(f"ImageId,ClassId,EncodedPixels\na.jpg,3,{encode_mask(mask)}\n")
    return root


def test_a_mask_of_the_same_name_is_not_an_image(tmp_path: Path) -> None:
    image = draw(tmp_path / "x[1].jpg")
    draw_mask(tmp_path / "x[1].png", slice(0, 8))
    draw(tmp_path / "y.jpg")
    items, type_names = find_items([tmp_path], None)
    assert [item.id for item in items] == ["x[1].jpg", "y.jpg"]
    assert type_names == ()
    read, set_aside = read_items(items, SPEC, type_names)
    assert set_aside == []
    assert read[0].mask is not None
    assert read[0].mask[:, :8].all()
    assert not read[0].mask[:, 8:].any()
    assert read[1].mask is None
    assert [sheet.truth for sheet in read] == [None, None]
    again, _ = find_items([image], None)
    assert again[0].masks[0].path == tmp_path / "x[1].png"


def test_each_image_comes_once_in_the_order_given(tmp_path: Path) -> None:
    for name in ("c.jpg", "a.jpg", "b.jpg"):
        draw(tmp_path / name)
    items, _ = find_items([tmp_path / "c.jpg", tmp_path, tmp_path / "a.jpg"], None)
    assert [item.id for item in items] == ["c.jpg", "a.jpg", "b.jpg"]


def test_data_gives_masks_and_true_types(severstal: Path) -> None:
    items, type_names = find_items([severstal / "train_images"], severstal)
    read, set_aside = read_items(items, SPEC, type_names)
    assert set_aside == []
    assert read[0].truth == type_names[3]
    assert read[0].mask is not None
    assert read[0].mask.mean() == 0.25
    assert (read[1].truth, read[1].mask) == ("none", None)


def test_data_matches_a_copy_by_its_file_name(severstal: Path, tmp_path: Path) -> None:
    copy, stranger = draw(tmp_path / "elsewhere" / "a.jpg"), draw(tmp_path / "elsewhere" / "z.jpg")
    items, type_names = find_items([copy, stranger], severstal)
    read, _ = read_items(items, SPEC, type_names)
    assert [sheet.truth for sheet in read] == [type_names[3], None]


def test_bad_images_and_bad_masks_are_set_aside_with_their_reason(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "empty.jpg").write_bytes(b"")
    draw(tmp_path / "odd.jpg")
    draw_mask(tmp_path / "odd.png", slice(0, 4), size=(10, 10))
    draw(tmp_path / "whole.jpg")
    items, type_names = find_items([tmp_path], None)
    read, set_aside = read_items(items, SPEC, type_names)
    assert [sheet.item.id for sheet in read] == ["odd.jpg", "whole.jpg"]
    assert [rejection.id for rejection in set_aside] == ["empty.jpg", "odd.jpg", "text.jpg"]
    assert set_aside[1].reason.startswith("explained without its mask: mask odd.png: 10x10 pixels")


def test_empty_mask_outlines_nothing(tmp_path: Path) -> None:
    draw(tmp_path / "x.jpg")
    draw_mask(tmp_path / "x.png", slice(0, 0))
    items, _ = find_items([tmp_path], None)
    assert read_items(items, SPEC, ())[0][0].mask is None


def test_missing_paths(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="expected an image or a folder of images, found nothing"):
        find_items([tmp_path / "absent.jpg"], None)
    draw(tmp_path / "x.jpg")
    with pytest.raises(BadData, match="absent"):
        find_items([tmp_path / "x.jpg"], tmp_path / "absent")
