"""Near-duplicates are found by their grain; different steel, however alike, is not."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from steelsight.errors import SharedBackground
from steelsight.runs.data.describe import describe_folder
from steelsight.sheets.catalog import load_pixels, open_data
from steelsight.sheets.grouping.duplicates import distinguishing_pairs, duplicate_groups, similar_pairs
from steelsight.types import InputSpec

Make = Callable[..., Any]


def saved_again(image: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def test_copies_are_found_and_other_steel_is_not(texture: Make) -> None:
    images = [texture(64, 100, seed) for seed in range(8)]
    images += [saved_again(images[2], 75), np.clip(images[5] * 1.3 + 10, 0, 255).astype(np.uint8), images[2]]
    groups = duplicate_groups(np.stack(images))
    assert groups[2] == groups[8] == groups[10] != ""
    assert groups[5] == groups[9] != ""
    assert [groups[i] for i in (0, 1, 3, 4, 6, 7)] == [""] * 6


def test_streaks_light_and_ends_in_common_make_no_duplicates(rng: np.random.Generator) -> None:
    scene = 100 + 40 * np.sin(np.arange(200) / 3)[None, :] * np.ones((64, 1))
    scene[:, 150:] = 0
    images = np.stack([scene + rng.normal(0, 5, scene.shape) for _ in range(6)])
    assert duplicate_groups(np.clip(images, 0, 255).astype(np.uint8)) == [""] * 6


def test_pairs_agree_with_brute_force(rng: np.random.Generator) -> None:
    base = rng.normal(0, 1, (30, 40, 64))
    images = np.concatenate([base, base + rng.normal(0, 1, base.shape) * rng.uniform(0, 2, (30, 1, 1))])
    images = np.clip(128 + 5 * images, 0, 255).astype(np.uint8)
    grain = np.clip(np.diff(images.astype(int), axis=1), -16, 16).reshape(60, -1).astype(float)
    correlation = grain @ grain.T / np.outer(*[np.linalg.norm(grain, axis=1)] * 2)
    expected = {tuple(pair) for pair in np.argwhere(np.triu(correlation >= 0.45, k=1)).tolist()}
    assert {(left, right) for left, right, _ in similar_pairs(images)} == expected


def test_flat_and_tiny_images() -> None:
    flat = np.zeros((3, 8, 8), dtype=np.uint8)
    flat[2] = 255
    assert duplicate_groups(flat) == ["duplicate/0", "duplicate/0", ""]
    assert duplicate_groups(np.zeros((2, 1, 1), dtype=np.uint8)) == ["duplicate/0", "duplicate/0"]
    assert duplicate_groups(np.zeros((0, 8, 8), dtype=np.uint8)) == []


@pytest.mark.realdata
def test_real_strip_has_none(data_root: Path) -> None:
    cache = load_pixels(open_data(data_root / "severstal"), InputSpec())
    assert duplicate_groups(cache.images) == [""] * 48


def _fixture(texture: Make, count: int, share: float) -> np.ndarray:
    """Different sheets that lie in one fixture, which covers a share of each picture."""
    common = texture(64, 100, 999)
    images = [texture(64, 100, seed) for seed in range(count)]
    for image in images:
        image[:, : int(100 * share)] = common[:, : int(100 * share)]
    return np.stack(images)


@pytest.mark.parametrize("count", [12, 40])
def test_a_common_fixture_is_refused(texture: Make, count: int) -> None:
    with pytest.raises(
        SharedBackground, match=r"share a fixture or background; near-duplicates cannot be told"
    ):
        duplicate_groups(_fixture(texture, count, 0.8))


def test_a_fixture_of_the_smaller_part_groups_that_part(texture: Make) -> None:
    others = np.stack([texture(64, 100, 500 + seed) for seed in range(14)])
    groups = duplicate_groups(np.concatenate([_fixture(texture, 13, 0.8), others]))
    assert len(set(groups[:13])) == 1
    assert groups[13:] == [""] * 14


def test_many_exact_copies_are_no_background(texture: Make) -> None:
    """Copies byte for byte are certain, however many there are."""
    images = np.stack([texture(64, 100, 0)] * 60 + [texture(64, 100, 1)] * 5)
    assert set(duplicate_groups(images)) == {"duplicate/0", "duplicate/60"}


def test_many_pairs_are_a_background_though_no_chain_joins_most(
    texture: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steelsight.sheets.grouping.duplicates.MOST_PAIRS", 2)
    others = np.stack([texture(64, 100, 500 + seed) for seed in range(14)])
    with pytest.raises(SharedBackground, match="more than 2 pairs for each of 27 sheets"):
        distinguishing_pairs(np.concatenate([_fixture(texture, 13, 0.8), others]))


def test_grouping_by_duplicates_is_refused_and_the_description_says_why(
    texture: Make, tmp_path: Path
) -> None:
    for position, image in enumerate(_fixture(texture, 12, 0.8)):
        path = tmp_path / "data" / ("good" if position % 2 else "scratch") / f"{position}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    with pytest.raises(SharedBackground, match="fixture or background"):
        open_data(tmp_path / "data", groups="duplicates")
    report = describe_folder(tmp_path / "data", out=tmp_path / "out")
    assert report.numbers["near_duplicates"] == []
    assert "cannot be told apart" in report.numbers["near_duplicates_unknown"]
    assert "cannot be told apart" in (tmp_path / "out" / "data.html").read_text()
