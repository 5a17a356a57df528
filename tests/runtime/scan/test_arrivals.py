"""Files that arrive in a watched folder: settled once they stay as they are, masks left out."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steelsight.runtime.scan.arrivals import SettledFiles


def names(found, *, settled):
    return {Path(os.fsdecode(path)).name for path, (_, is_settled) in found.items() if is_settled == settled}


def write(path, level=90):
    gray = np.random.default_rng(level).integers(level, level + 80, (8, 8), dtype=np.uint8)
    Image.fromarray(gray).save(path)


def test_a_file_settles_at_the_second_poll(tmp_path):
    files = SettledFiles([tmp_path], recheck_s=60.0)
    write(tmp_path / "a.png")
    assert names(files.poll(), settled=False) == {"a.png"}
    write(tmp_path / "b.png")
    found = files.poll()
    assert (names(found, settled=True), names(found, settled=False)) == ({"a.png"}, {"b.png"})
    (tmp_path / "a.png").unlink()
    assert names(files.poll(), settled=True) == {"b.png"}


@pytest.mark.parametrize("recheck_s", [0.0, 60.0])
def test_a_settled_file_that_is_written_again_is_looked_at_when_it_is_due(tmp_path, recheck_s):
    files = SettledFiles([tmp_path], recheck_s=recheck_s)
    write(tmp_path / "a.png")
    files.poll()
    files.poll()
    with (tmp_path / "a.png").open("ab") as file:
        file.write(b"more")
    assert names(files.poll(), settled=recheck_s > 0) == {"a.png"}
    files.recheck_s = 0.0
    assert "a.png" in {*names(files.poll(), settled=False), *names(files.poll(), settled=True)}


def test_a_file_that_is_being_written_is_looked_at_at_every_poll(tmp_path):
    files = SettledFiles([tmp_path], recheck_s=60.0)
    for length in range(1, 5):
        (tmp_path / "a.png").write_bytes(b"x" * length)
        assert names(files.poll(), settled=False) == {"a.png"}


def test_a_mask_that_comes_after_its_image_is_no_sheet(tmp_path):
    files = SettledFiles([tmp_path], recheck_s=60.0)
    write(tmp_path / "a.jpg")
    files.poll()
    Image.fromarray(np.eye(8, dtype=np.uint8) * 255).save(tmp_path / "a.png")
    files.poll()
    assert names(files.poll(), settled=True) == {"a.jpg"}
    (tmp_path / "a.png").unlink()
    write(tmp_path / "c.jpg")
    files.poll()
    assert names(files.poll(), settled=True) == {"a.jpg", "c.jpg"}
