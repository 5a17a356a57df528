"""The pixel cache: same bytes as decoding, nothing decoded twice, every change noticed, damage survived."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steelsight.errors import BadData
from steelsight.sheets import examine
from steelsight.sheets.cache import PixelCache
from steelsight.sheets.catalog import check_images, default_cache_dir, load_pixels, open_data
from steelsight.sheets.images import file_index
from steelsight.sheets.images.pixel_file import PixelWriter, open_pixels
from steelsight.sheets.images.pixels import read_sheet
from steelsight.types import InputSpec

Make = Callable[..., Any]
SPEC = InputSpec(height=8, width=12)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each image decoded; and file clocks fine enough for a test."""
    calls: list[int] = []

    def counting(content: bytes, spec: InputSpec) -> Any:
        calls.append(len(content))
        return read_sheet(content, spec)

    monkeypatch.setattr(examine, "read_sheet", counting)
    monkeypatch.setattr(file_index, "_GRAIN_NS", 0)
    return calls


def load(root: Path, cache: Path, **options: Any) -> PixelCache:
    return load_pixels(open_data(root), SPEC, cache_dir=cache, **options)


def test_rows_are_the_decoded_sheets_in_order(tiles: Path, tmp_path: Path) -> None:
    cache = load(tiles, tmp_path / "cache")
    assert cache.images.shape == (5, 8, 12)
    assert isinstance(cache.images, np.memmap)
    for item, image in zip(cache.sheets.items, cache.images, strict=True):
        np.testing.assert_array_equal(image, read_sheet(item.path, SPEC))


def test_a_second_open_decodes_nothing(tiles: Path, tmp_path: Path, decoded: list[int]) -> None:
    first = load(tiles, tmp_path / "cache")
    assert len(decoded) == 5
    second = load(tiles, tmp_path / "cache")
    assert len(decoded) == 5
    assert second.sheets == first.sheets
    assert second.data_hash == first.data_hash
    np.testing.assert_array_equal(second.images, first.images)


def test_another_spec_is_another_entry(tiles: Path, tmp_path: Path, decoded: list[int]) -> None:
    load(tiles, tmp_path / "cache")
    boxed = load_pixels(open_data(tiles), InputSpec(8, 12, "letterbox"), cache_dir=tmp_path / "cache")
    assert len(decoded) == 10
    assert boxed.images[0, 0, 0] == 0
    load(tiles, tmp_path / "cache")
    assert len(decoded) == 10


def test_a_changed_image_is_noticed_though_size_and_time_are_restored(
    tiles: Path, tmp_path: Path, decoded: list[int], put: Make, texture: Make
) -> None:
    first = load(tiles, tmp_path / "cache")
    path = tiles / "MT_Crack" / "exp1_num_900.jpg"
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[-40] ^= 0xFF
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    second = load(tiles, tmp_path / "cache")
    assert len(decoded) == 6
    assert second.data_hash != first.data_hash


def test_an_image_just_written_is_read_again(
    tiles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the clock's grain a second write leaves no trace in the time stamps."""
    monkeypatch.setattr(file_index, "_GRAIN_NS", 3600 * 10**9)
    load(tiles, tmp_path / "cache")
    read: list[str] = []
    real = examine.read_bytes
    monkeypatch.setattr(examine, "read_bytes", lambda path: read.append(path.name) or real(path))
    load(tiles, tmp_path / "cache")
    assert len(read) == 8  # five images, three masks


def test_touching_a_file_decodes_nothing(tiles: Path, tmp_path: Path, decoded: list[int]) -> None:
    load(tiles, tmp_path / "cache")
    (tiles / "MT_Crack" / "exp1_num_900.jpg").touch()
    load(tiles, tmp_path / "cache")
    assert len(decoded) == 5


def test_new_and_removed_images(
    tiles: Path, tmp_path: Path, decoded: list[int], put: Make, texture: Make
) -> None:
    load(tiles, tmp_path / "cache")
    put(tiles / "MT_Free" / "new.jpg", texture(seed=77))
    (tiles / "MT_Blowhole" / "exp1_num_7.jpg").unlink()
    put(tiles / "MT_Blowhole" / "other.jpg", texture(seed=78))
    cache = load(tiles, tmp_path / "cache")
    assert len(decoded) == 7
    for item, image in zip(cache.sheets.items, cache.images, strict=True):
        np.testing.assert_array_equal(image, read_sheet(item.path, SPEC))


def test_the_data_hash_is_of_the_data_alone(tiles: Path, tmp_path: Path, put: Make) -> None:
    first = load(tiles, tmp_path / "cache")
    moved = tiles.rename(tmp_path / "moved")
    assert load(moved, tmp_path / "cache").data_hash == first.data_hash
    assert (
        load_pixels(open_data(moved), InputSpec(4, 6), cache_dir=tmp_path / "cache").data_hash
        == first.data_hash
    )
    mask = np.zeros((24, 30), dtype=np.uint8)
    mask[0, 0] = 255
    put(moved / "MT_Crack" / "exp1_num_900.png", mask)
    assert load(moved, tmp_path / "cache").data_hash != first.data_hash


def test_a_changed_mask_is_noticed(tiles: Path, tmp_path: Path, decoded: list[int], put: Make) -> None:
    load(tiles, tmp_path / "cache")
    put(tiles / "MT_Crack" / "exp1_num_900.png", np.zeros((9, 9), dtype=np.uint8))
    cache = load(tiles, tmp_path / "cache")
    assert [rejection.id for rejection in cache.sheets.rejections] == ["MT_Crack/exp1_num_900.jpg"]
    assert "9x9 pixels, its image has 30x24" in cache.sheets.rejections[0].reason


def test_bad_images_are_set_aside_each_time(tiles: Path, tmp_path: Path, decoded: list[int]) -> None:
    (tiles / "MT_Free" / "empty.jpg").touch()
    (tiles / "MT_Free" / "text.jpg").write_text("hello")
    (tiles / "MT_Free" / "loop.jpg").symlink_to(tiles / "MT_Free" / "loop.jpg")
    whole = (tiles / "MT_Crack" / "exp1_num_900.jpg").read_bytes()
    (tiles / "MT_Free" / "torn.jpg").write_bytes(whole[:300])
    for _ in range(2):
        cache = load(tiles, tmp_path / "cache")
        reasons = {rejection.id: rejection.reason for rejection in cache.sheets.rejections}
        assert reasons["MT_Free/empty.jpg"] == "the file is empty (0 bytes); copy it again"
        assert reasons["MT_Free/text.jpg"].startswith("expected a JPEG")
        assert reasons["MT_Free/torn.jpg"].startswith("damaged image")
        assert reasons["MT_Free/loop.jpg"].startswith("a symbolic link that leads back to itself")
        assert len(cache.sheets.items) == cache.images.shape[0] == 5
    assert check_images(open_data(tiles)) == cache.sheets


def test_nothing_usable(tmp_path: Path) -> None:
    (tmp_path / "data" / "ok").mkdir(parents=True)
    (tmp_path / "data" / "ok" / "a.jpg").touch()
    with pytest.raises(
        BadData, match=r"no usable sheet, 1 set aside; the first: ok/a.jpg: the file is empty"
    ):
        load(tmp_path / "data", tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.pixels"))


@pytest.mark.parametrize("damage", ["cut", "flip", "header", "empty", "gone"])
def test_a_damaged_pixel_file_is_made_again(
    damage: str, tiles: Path, tmp_path: Path, decoded: list[int]
) -> None:
    first = np.array(load(tiles, tmp_path / "cache").images)
    (path,) = (tmp_path / "cache").glob("*.pixels")
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[4100] ^= 1
    elif damage == "header":
        content[:20] = b"{]" * 10
    path.write_bytes({"cut": content[:-100], "empty": b""}.get(damage, content))
    if damage == "gone":
        path.unlink()
    np.testing.assert_array_equal(load(tiles, tmp_path / "cache").images, first)
    assert len(decoded) == 10
    assert open_pixels(path) is not None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": 1, "recent": [], "files": {"a": [1]}}', b"\xff"]
)
def test_a_damaged_index_is_made_again(
    content: bytes, tiles: Path, tmp_path: Path, decoded: list[int]
) -> None:
    first = load(tiles, tmp_path / "cache")
    (index,) = (tmp_path / "cache").glob("*.json")
    index.write_bytes(content)
    assert load(tiles, tmp_path / "cache").data_hash == first.data_hash
    assert json.loads(index.read_bytes())["files"]


def _index_of(cache: Path) -> tuple[Path, dict[str, Any]]:
    (path,) = cache.glob("*.json")
    return path, json.loads(path.read_bytes())


def _with_checksum(stored: dict[str, Any]) -> str:
    stored["checksum"] = file_index._checksum(stored["recent"], stored["files"])
    return json.dumps(stored)


@pytest.mark.parametrize("valid", [True, False])
@pytest.mark.parametrize("name", ["../victim", "../victim.pixels", "/victim", "..", "", "victim", 3, None])
def test_an_index_removes_nothing_outside_the_cache(
    name: Any, valid: bool, tiles: Path, tmp_path: Path, put: Make, texture: Make
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    load(tiles, tmp_path / "cache")
    path, stored = _index_of(tmp_path / "cache")
    stored["recent"] += [name] * 5
    path.write_text(_with_checksum(stored) if valid else json.dumps(stored))
    put(tiles / "MT_Free" / "new.jpg", texture(seed=77))
    load(tiles, tmp_path / "cache")
    assert victim.read_bytes() == b"precious"
    assert all(file_index._PIXEL_FILE.fullmatch(kept) for kept in _index_of(tmp_path / "cache")[1]["recent"])


def test_an_altered_index_is_made_again(tiles: Path, tmp_path: Path, decoded: list[int]) -> None:
    load(tiles, tmp_path / "cache")
    path, stored = _index_of(tmp_path / "cache")
    key = next(iter(stored["files"]))
    stored["files"][key][-1] += 1  # the area of a mask
    path.write_text(json.dumps(stored))
    load(tiles, tmp_path / "cache")
    assert _index_of(tmp_path / "cache")[1]["files"][key][-1] == stored["files"][key][-1] - 1


def test_a_pixel_file_of_other_sheets_is_made_again(
    tiles: Path, tmp_path: Path, decoded: list[int], put: Make, texture: Make
) -> None:
    first = load(tiles, tmp_path / "cache")
    before = {path.name for path in (tmp_path / "cache").glob("*.pixels")}
    put(tiles / "MT_Free" / "new.jpg", texture(seed=77))
    load(tiles, tmp_path / "cache")
    (old,) = before
    (new,) = {path.name for path in (tmp_path / "cache").glob("*.pixels")} - before
    (tmp_path / "cache" / new).write_bytes((tmp_path / "cache" / old).read_bytes())
    again = load(tiles, tmp_path / "cache")
    assert len(again.images) == len(first.images) + 1


@pytest.mark.parametrize("kind", ["*.json", "*.pixels"])
def test_a_pipe_in_the_cache_is_not_waited_for(kind: str, tiles: Path, tmp_path: Path) -> None:
    first = load(tiles, tmp_path / "cache")
    (path,) = (tmp_path / "cache").glob(kind)
    path.unlink()
    os.mkfifo(path)
    np.testing.assert_array_equal(load(tiles, tmp_path / "cache").images, first.images)


def test_old_files_are_removed_but_the_last_three(
    tiles: Path, tmp_path: Path, put: Make, texture: Make
) -> None:
    for seed in range(5):
        put(tiles / "MT_Free" / "new.jpg", texture(seed=seed))
        load(tiles, tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("*.pixels"))) == 3
    assert not list((tmp_path / "cache").glob(".new-*"))


ELSEWHERE = """
import sys
from pathlib import Path
from steelsight.sheets.catalog import load_pixels, open_data
from steelsight.types import InputSpec
found = load_pixels(open_data(Path(sys.argv[1])), InputSpec(8, 12), cache_dir=Path(sys.argv[2]))
print(found.data_hash, int(found.images.sum()))
"""


def test_processes_may_build_at_once(tiles: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", ELSEWHERE, str(tiles), str(tmp_path / "cache")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    results = {process.communicate()[0].strip() for process in running}
    found = load(tiles, tmp_path / "cache")
    assert results == {f"{found.data_hash} {int(found.images.sum())}"}
    assert len(list((tmp_path / "cache").iterdir())) == 2


class _FullDisk:
    """Stands for a file on a disk without space."""

    def __init__(self, file: Any, room: int) -> None:
        self._file, self._room = file, room

    def write(self, content: bytes) -> int:
        self._room -= len(content)
        if self._room < 0:
            raise OSError(28, "No space left on device")
        return int(self._file.write(content))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.mark.parametrize("room", [0, 5000, 10**6])
def test_a_full_disk_leaves_nothing_behind(
    room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fdopen
    monkeypatch.setattr(
        os, "fdopen", lambda handle, *args, **options: _FullDisk(real(handle, *args, **options), room)
    )

    def write() -> None:
        with PixelWriter(tmp_path, (8, 12)) as writer:
            for _ in range(20):
                writer.add(np.zeros((8, 12), dtype=np.uint8), "00" * 16)
            writer.finish("a.pixels")

    if room == 10**6:
        write()
        assert open_pixels(tmp_path / "a.pixels") is not None
        return
    with pytest.raises(
        BadData, match=r"cannot write the cache \(No space left on device\); free space or set STEELSIGHT"
    ):
        write()
    assert not list(tmp_path.iterdir())


def test_a_cache_folder_that_cannot_be(tiles: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadData, match=r"cannot make the cache folder \(.+\); set STEELSIGHT_CACHE"):
        load(tiles, tmp_path / "file" / "cache")


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STEELSIGHT_CACHE", str(tmp_path))
    assert default_cache_dir() == tmp_path
    monkeypatch.delenv("STEELSIGHT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr("sys.platform", "linux")
    assert default_cache_dir() == tmp_path / "xdg" / "steelsight"


def test_progress_is_reported(tiles: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    load(tiles, tmp_path / "cache", report=lambda done, total: steps.append((done, total)))
    assert steps == [(done, 5) for done in range(1, 6)]


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX alone")
def test_a_name_that_is_no_text_is_a_sheet_like_others(tiles: Path, tmp_path: Path) -> None:
    before = load(tiles, tmp_path / "cache").data_hash
    (tiles / "MT_Free" / "exp2_num_150.jpg").rename(tiles / "MT_Free" / os.fsdecode(b"gr\xfcn.jpg"))
    renamed = load(tiles, tmp_path / "cache")
    assert len(renamed.sheets.items) == 5
    assert renamed.data_hash != before
    assert load(tiles, tmp_path / "cache").data_hash == renamed.data_hash
