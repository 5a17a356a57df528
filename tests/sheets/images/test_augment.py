"""Augmentation: what it may change, what it must not, and that masks follow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from steelsight.errors import BadRecipe
from steelsight.sheets.images.augment import AugmentSpec, augment, exposure_tables

EVERYTHING = AugmentSpec(hflip=0.5, vflip=0.5, gain=0.3, gamma=0.3, offset=20, shift=3, zoom=0.2)


@pytest.fixture
def images(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (6, 12, 20), dtype=np.uint8)


def test_nothing_asked_nothing_changed(images: np.ndarray, rng: np.random.Generator) -> None:
    changed, masks = augment(images, AugmentSpec(), rng)
    assert np.array_equal(changed, images)
    assert masks is None


def test_the_input_is_left_as_it_is(images: np.ndarray, rng: np.random.Generator) -> None:
    before = images.copy()
    changed, _ = augment(images, EVERYTHING, rng)
    assert np.array_equal(images, before)
    assert not np.array_equal(changed, before)


def test_same_seed_same_bytes(images: np.ndarray) -> None:
    first, second = (augment(images, EVERYTHING, np.random.default_rng(3))[0] for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize(("name", "axis"), [("hflip", 2), ("vflip", 1)])
def test_flips(images: np.ndarray, rng: np.random.Generator, name: str, axis: int) -> None:
    changed, _ = augment(images, AugmentSpec.model_validate({name: 1.0}), rng)
    assert np.array_equal(changed, np.flip(images, axis))


def test_a_flip_of_chance_a_half_flips_some(rng: np.random.Generator) -> None:
    images = np.tile(np.arange(20, dtype=np.uint8), (400, 4, 1))
    changed, _ = augment(images, AugmentSpec(hflip=0.5), rng)
    assert 150 < (changed[:, 0, 0] == 19).sum() < 250  # five standard deviations of a fair coin


def test_transpose(rng: np.random.Generator) -> None:
    images = rng.integers(0, 256, (3, 8, 8), dtype=np.uint8)
    changed, _ = augment(images, AugmentSpec(transpose=1), rng)
    assert np.array_equal(changed, images.transpose(0, 2, 1))


def test_transpose_needs_a_square(images: np.ndarray, rng: np.random.Generator) -> None:
    with pytest.raises(BadRecipe, match=r"expected a square input, got 12x20"):
        augment(images, AugmentSpec(transpose=0.5), rng)


def test_masks_follow_their_images(rng: np.random.Generator) -> None:
    images = np.zeros((40, 16, 24), dtype=np.uint8)
    images[:, 3:7, 5:9] = 200
    spec = AugmentSpec(hflip=0.5, vflip=0.5, shift=3, zoom=0.2)
    changed, masks = augment(images, spec, rng, masks=images)
    assert masks is not None
    assert np.array_equal(changed, masks)
    assert len({image.tobytes() for image in changed}) > 20


def test_exposure_leaves_masks_alone(images: np.ndarray, rng: np.random.Generator) -> None:
    changed, masks = augment(images, AugmentSpec(gain=0.5, offset=30), rng, masks=images)
    assert np.array_equal(masks, images)
    assert not np.array_equal(changed, images)


def test_exposure_is_its_formula() -> None:
    spec = AugmentSpec(gain=0.4, gamma=0.5, offset=25)
    tables = exposure_tables(spec, 5, np.random.default_rng(1))
    rng = np.random.default_rng(1)
    gain, gamma = (np.exp(rng.uniform(-span, span, 5)) for span in (0.4, 0.5))
    offset = rng.uniform(-25, 25, 5)
    for n in range(5):
        for level in (0, 1, 77, 254, 255):
            expected = 255 * (level / 255) ** gamma[n] * gain[n] + offset[n]
            assert tables[n, level] == round(min(max(expected, 0), 255))


@given(shift=st.integers(1, 30), seed=st.integers(0, 99))
def test_a_shift_copies_pixels_and_repeats_the_border(shift: int, seed: int) -> None:
    images = np.random.default_rng(seed).integers(0, 256, (1, 10, 14), dtype=np.uint8)
    changed, _ = augment(images, AugmentSpec(shift=shift), np.random.default_rng(seed))
    options = [
        np.pad(images[0], 30, mode="edge")[30 - dy : 40 - dy, 30 - dx : 44 - dx]
        for dy in range(-shift, shift + 1)
        for dx in range(-shift, shift + 1)
    ]
    assert any(np.array_equal(changed[0], option) for option in options)


def test_zoom_is_bilinear(images: np.ndarray) -> None:
    changed, _ = augment(images, AugmentSpec(zoom=0.3), np.random.default_rng(5))
    rng = np.random.default_rng(5)
    rng.random((3, 6))  # the flips' draws
    lines = []
    for length in (12, 20):
        scale, shift = rng.uniform(0.7, 1.3, (6, 1)), rng.integers(0, 1, (6, 1))
        middle = (length - 1) / 2
        lines.append(np.clip((np.arange(length) - middle) / scale + middle - shift, 0, length - 1))
    for n in range(6):
        grid = np.meshgrid(lines[0][n], lines[1][n], indexing="ij")
        expected = map_coordinates(images[n].astype(float), grid, order=1, mode="nearest")
        assert np.abs(changed[n] - expected).max() <= 0.51  # rounding to bytes


def test_camera_noise_is_in_gray_levels_and_differs_by_sheet() -> None:
    images = np.full((200, 32, 64), 120, np.uint8)
    changed, _ = augment(images, AugmentSpec(camera_noise=10), np.random.default_rng(0))
    spreads = changed.std(axis=(1, 2))
    assert abs(float(changed.mean()) - 120) < 0.2
    assert spreads.min() < 1.5  # sigma is uniform over 0..10
    assert 9 < spreads.max() < 10.8
    assert abs(float(spreads.mean()) - 5) < 0.8


def test_blur_is_an_average_of_three_pixels() -> None:
    images = np.random.default_rng(1).integers(0, 256, (1, 8, 9), dtype=np.uint8)
    rng = np.random.default_rng(2)
    changed, _ = augment(images, AugmentSpec(blur=0.3), rng)
    weight = np.random.default_rng(2).uniform(0, 0.3)
    kernel = np.array([weight, 1 - 2 * weight, weight])
    padded = np.pad(images[0].astype(float), 1, mode="edge")
    slow = [
        [kernel @ padded[row : row + 3, column : column + 3] @ kernel for column in range(9)]
        for row in range(8)
    ]
    assert np.abs(changed[0] - np.array(slow)).max() <= 0.51  # rounding


def test_a_spec_without_noise_is_written_as_before() -> None:
    assert "camera_noise" not in AugmentSpec().model_dump()
    assert AugmentSpec(camera_noise=3).model_dump()["camera_noise"] == 3
