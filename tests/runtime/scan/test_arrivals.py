"""Files that arrive in a watched folder: settled once they stay as they are, masks left out."""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from steelsight.runtime.scan.arrivals import SettledFiles


def names(found, *, settled):
    return {Path(os.fsdecode(path)).name for path, (_, is_settled) in found.items() if is_settled == settled}


def write(path, level=90):
    gray = np.random.default_rng(level).integers(level, level + 80, (8, 8), dtype=np.uint8)
    Image.fromarray(gray).save(path)


def test_a_file_settles_at_the_second_poll(tmp_path):
    files = SettledFiles([tmp_path])
    write(tmp_path / "a.png")
    assert names(files.poll(), settled=False) == {"a.png"}
    write(tmp_path / "b.png")
    found = files.poll()
    assert (names(found, settled=True), names(found, settled=False)) == ({"a.png"}, {"b.png"})
    (tmp_path / "a.png").unlink()
    assert names(files.poll(), settled=True) == {"b.png"}


def test_new_files_are_found_without_a_look_at_the_others(tmp_path):
    (tmp_path / "b").mkdir()
    files = SettledFiles([tmp_path])
    write(tmp_path / "a.png")
    write(tmp_path / "b" / "d.png")
    files.poll()
    files.poll()
    assert files.poll_new(()) == {}
    write(tmp_path / "c.png")
    write(tmp_path / "b" / "e.PNG")
    (tmp_path / "c.json").write_text("{}")
    (tmp_path / ".hidden.png").write_bytes(b"x")
    first = files.poll_new(())
    assert names(first, settled=False) == {"c.png", "e.PNG"}
    assert files.poll_new(()) == {}
    assert names(files.poll_new(first), settled=True) == {"c.png", "e.PNG"}
    assert names(files.poll(), settled=True) == {"a.png", "c.png", "d.png", "e.PNG"}


def test_a_new_folder_needs_a_look_at_all(tmp_path):
    files = SettledFiles([tmp_path])
    write(tmp_path / "a.png")
    files.poll()
    files.poll_new(())
    (tmp_path / "b.png").mkdir()
    write(tmp_path / "b.png" / "c.png")
    assert files.poll_new(()) is None
    assert names(files.poll(), settled=False) == {"c.png"}
    assert files.poll_new(()) == {}


def test_a_name_that_may_be_a_mask_needs_a_look_at_all(tmp_path):
    files = SettledFiles([tmp_path])
    write(tmp_path / "a.jpg")
    files.poll()
    write(tmp_path / "a.png")
    assert files.poll_new(()) is None


def test_a_pending_file_that_changes_settles_again(tmp_path):
    files = SettledFiles([tmp_path])
    write(tmp_path / "a.png")
    (path,) = files.poll()
    with (tmp_path / "a.png").open("ab") as file:
        file.write(b"more")
    assert names(files.poll_new([path]), settled=False) == {"a.png"}
    assert names(files.poll_new([path]), settled=True) == {"a.png"}
    files.forget(path)
    assert names(files.poll_new([path]), settled=False) == {"a.png"}
    (tmp_path / "a.png").unlink()
    assert files.poll_new([path]) == {}


def test_a_file_that_is_being_written_is_looked_at_at_every_poll(tmp_path):
    files = SettledFiles([tmp_path])
    for length in range(1, 5):
        (tmp_path / "a.png").write_bytes(b"x" * length)
        assert names(files.poll(), settled=False) == {"a.png"}


def test_a_mask_that_comes_after_its_image_is_no_sheet(tmp_path):
    files = SettledFiles([tmp_path])
    write(tmp_path / "a.jpg")
    files.poll()
    Image.fromarray(np.eye(8, dtype=np.uint8) * 255).save(tmp_path / "a.png")
    files.poll()
    assert names(files.poll(), settled=True) == {"a.jpg"}
    (tmp_path / "a.png").unlink()
    write(tmp_path / "c.jpg")
    files.poll()
    assert names(files.poll(), settled=True) == {"a.jpg", "c.jpg"}
