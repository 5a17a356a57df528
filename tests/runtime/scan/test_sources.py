"""What is scanned: every kind of source, in one order, each file once, and what is refused."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steelsight.errors import BadSource
from steelsight.runtime.engine.reading import ImageRefused
from steelsight.runtime.scan.sources import SourceReader, list_sources


@pytest.fixture
def mill(tmp_path, monkeypatch):
    """line/: b.jpg, a.jpg with its mask a.png, deep/c.PNG, notes; the working folder is above it."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "line/b.jpg",
        "line/a.jpg",
        "line/a.png",
        "line/deep/c.PNG",
        "line/notes.txt",
        "line/.x.jpg",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(name.encode())
    return tmp_path


def names(*sources):
    return [sheet.name for sheet in list_sources(sources).sheets]


def test_a_folder_is_listed_sorted_without_masks_and_other_files(mill):
    listing = list_sources(["line"])
    assert [sheet.name for sheet in listing.sheets] == ["line/a.jpg", "line/b.jpg", "line/deep/c.PNG"]
    assert [sheet.index for sheet in listing.sheets] == [0, 1, 2]
    assert all(Path(sheet.path).is_absolute() for sheet in listing.sheets)
    assert "1 file(s) ending in .txt" in listing.passed_over[0].reason


def test_sources_keep_their_order_and_a_file_is_listed_once(mill):
    assert names("line/b.jpg", "line") == ["line/b.jpg", "line/a.jpg", "line/deep/c.PNG"]
    assert names(mill / "line/a.png") == [(mill / "line/a.png").as_posix()]  # named by itself: no mask


def test_patterns_list_matching_images_and_folders(mill):
    assert names("line/*.*g") == ["line/a.jpg", "line/b.jpg"]
    assert names("line/**/*.PNG") == ["line/deep/c.PNG"]
    assert names("l*") == names("line")
    Path("line/[x].jpg").write_bytes(b"")
    assert names("line/[x].jpg") == ["line/[x].jpg"]  # what exists is no pattern


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere", "found none; check the path"),
        ("line/*.bmp", "it matches nothing"),
        ("line/notes.txt", "got a file with .txt that is not an archive"),
        ("a\0b", "expected an image"),
        ("a" * 5000, "a name no file can have"),
        ("/dev/null", "got a device or a pipe"),
        ("empty", "expected at least one image to scan, found none"),
        ("gone.jpg", "its target is gone"),
    ],
)
def test_unusable_sources_are_refused(mill, source, words):
    Path("empty").mkdir()
    Path("gone.jpg").symlink_to("nowhere")
    with pytest.raises(BadSource, match=words):
        list_sources([source])


def test_no_source_is_refused():
    with pytest.raises(BadSource, match="no source"):
        list_sources([])


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX alone")
def test_a_file_name_that_is_not_text_is_scanned(mill):
    odd = Path(os.fsdecode(b"line/odd\xff.jpg"))
    odd.write_bytes(b"odd")
    sheet = next(each for each in list_sources(["line"]).sheets if "odd" in each.name)
    assert sheet.name == r"line/odd\xff.jpg"
    assert SourceReader().read(sheet) == b"odd"


def test_a_removed_file_is_refused_with_its_reason(mill):
    sheet = list_sources(["line"]).sheets[0]
    Path("line/a.jpg").unlink()
    with pytest.raises(ImageRefused, match="does not exist") as caught:
        SourceReader().read(sheet)
    assert caught.value.reason == "missing"


def _write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.mark.parametrize("packed", [False, True])
def test_photographs_of_two_cameras_are_all_judged(tmp_path, packed):
    rng = np.random.default_rng(0)
    for i in range(20):
        for suffix in (".jpg", ".png"):
            _write(tmp_path / "line" / f"f{i}{suffix}", rng.integers(60, 200, (16, 24)).astype(np.uint8))
    source = tmp_path / "line"
    if packed:
        source = shutil.make_archive(str(tmp_path / "line"), "zip", tmp_path / "line")
    listing = list_sources([source])
    assert len(listing.sheets) == 40
    assert not [each for each in listing.passed_over if "mask" in each.reason]


@pytest.mark.parametrize("packed", [False, True])
def test_masks_are_passed_over_by_their_values_and_counted(tmp_path, packed):
    rng = np.random.default_rng(0)
    mask = np.zeros((16, 24), dtype=np.uint8)
    mask[4:9, 5:12] = 255
    for i in range(5):
        _write(tmp_path / "line" / f"f{i}.png", rng.integers(60, 200, (16, 24)).astype(np.uint8))
        _write(tmp_path / "line" / f"f{i}.jpg", mask)
    source = tmp_path / "line"
    if packed:
        source = shutil.make_archive(str(tmp_path / "line"), "zip", tmp_path / "line")
    listing = list_sources([source])
    named = sorted(Path(sheet.name.rpartition(":")[2]).name for sheet in listing.sheets)
    assert named == [f"f{i}.png" for i in range(5)]
    (told,) = [each.reason for each in listing.passed_over if "mask" in each.reason]
    assert told.startswith("5 mask(s) of images, such as f")
