"""Groups of several folders: names of tables are the same in each, numbers of a rule are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.adaptation.conftest import HEIGHT, WIDTH

from steelsight.adaptation.certify import refuse_fitted
from steelsight.adaptation.options import AdaptOptions
from steelsight.adaptation.sheets import LabelledSheets, read_folders
from steelsight.errors import BadData
from steelsight.types import InputSpec

COUNTS = {"none": 4, "bar": 3}
SPEC = InputSpec(HEIGHT, WIDTH)
Make = Callable[..., Path]


def read(*folders: Path, groups: str | None = None) -> LabelledSheets:
    return read_folders(folders, SPEC, AdaptOptions(groups=groups), {})


def brightened(source: Path, target: Path) -> Path:
    """Another exposure of the same piece of steel."""
    with Image.open(source) as image:
        Image.fromarray(np.minimum(np.asarray(image), 250) + np.uint8(3)).save(target)
    return target


@pytest.fixture
def pairs(make_data: Make) -> tuple[Path, Path]:
    """Two folders, each with one pair of near-duplicates, at the same rows."""
    folders = make_data(COUNTS), make_data(COUNTS, "OTHER", seed=3)
    for folder in folders:
        first = sorted((folder / "none").iterdir())[0]
        brightened(first, folder / "none" / "twin.png")
    return folders


def test_a_pair_in_each_folder_does_not_join_them(pairs: tuple[Path, Path]) -> None:
    data, other = (read(folder) for folder in pairs)
    assert data.groups == other.groups  # by rows, which say nothing of another folder
    assert Counter(data.groups).most_common(2)[1][1] == 2
    refuse_fitted(other, data, pairs[1])
    both = read(*pairs)
    assert sorted(Counter(group for group in both.groups if group).values()) == [2, 2]


def test_numbers_of_frames_are_of_their_folder(make_data: Make) -> None:
    folders = make_data(COUNTS), make_data(COUNTS, "OTHER", seed=3)
    both = read(*folders, groups="frames:0")
    assert len(set(both.groups)) == len(both.ids) == 14
    data, other = (read(folder, groups="frames:0") for folder in folders)
    refuse_fitted(other, data, folders[1])


def test_folders_of_one_name_do_not_share_numbers(make_data: Make) -> None:
    folders = make_data(COUNTS, "first/DATA"), make_data(COUNTS, "second/DATA", seed=3)
    assert len(set(read(*folders, groups="frames:0").groups)) == 14


def with_coils(folder: Path, first: int) -> Path:
    """A table that gives every three sheets a coil."""
    paths = sorted(folder.rglob("*.png"))
    rows = [f"{path.relative_to(folder)},{first + row // 3}" for row, path in enumerate(paths)]
    (folder / "groups.csv").write_text("image,coil\n" + "\n".join(rows) + "\n")
    return folder


@pytest.mark.parametrize("rule", ["column:coil", "frames:0+column:coil"])
def test_coils_are_the_same_in_every_folder(rule: str, make_data: Make) -> None:
    folders = with_coils(make_data(COUNTS), 5), with_coils(make_data(COUNTS, "OTHER", seed=3), 7)
    both = read(*folders, groups=rule)
    assert Counter(both.groups) == {
        "5": 3,
        "6": 3,
        "7": 4,
        "8": 3,
        "9": 1,
    }  # one of coil 7 in DATA, three in OTHER
    data, other = (read(folder, groups=rule) for folder in folders)
    with pytest.raises(BadData, match=r"OTHER: 3 of 7 sheets were fitted on, or are of a group"):
        refuse_fitted(other, data, folders[1])


def test_a_copy_that_is_left_out_keeps_its_coil(make_data: Make) -> None:
    """The copy carries coil 9; a sample of coil 9 is of a fitted group."""
    folder, sample = make_data(COUNTS), with_coils(make_data(COUNTS, "OTHER", seed=3), 9)
    path = sorted((folder / "bar").iterdir())[0]
    (folder / "bar" / "z_copy.png").write_bytes(path.read_bytes())
    (folder / "groups.csv").write_text(f"image,coil\nbar/{path.name},1\nbar/z_copy.png,9\n")
    data = read_folders((folder,), SPEC, replace(AdaptOptions(), groups="column:coil", allow_bad=10), {})
    assert len(data.ids) == 7
    with pytest.raises(BadData, match="3 of 7 sheets were fitted on"):
        refuse_fitted(read(sample, groups="column:coil"), data, sample)
