"""Contours of maps against a slow twin, pixel for pixel."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from steelsight.reports.overlay import BLUE, CONTOUR_SHARE, DASH_PX, FAINT, LINE_PX, RED, contours_png


def read(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(content)))


def slow_contours(signed: np.ndarray) -> np.ndarray:
    """Every pixel by itself: a line where a step of at most LINE_PX across and down leads outside."""
    height, width = signed.shape
    pixels = np.zeros((height, width, 4), np.uint8)
    steps = [
        (dy, dx)
        for dy in range(-LINE_PX, LINE_PX + 1)
        for dx in range(-LINE_PX, LINE_PX + 1)
        if 0 < abs(dy) + abs(dx) <= LINE_PX
    ]
    for sign, colour in ((1, RED), (-1, BLUE)):
        level = CONTOUR_SHARE * max(0, (sign * signed).max())
        if level < CONTOUR_SHARE * FAINT * np.abs(signed).max():
            continue
        for y in range(height):
            for x in range(width):
                if level == 0 or sign * signed[y, x] < level:
                    continue
                near = [(y + dy, x + dx) for dy, dx in steps]
                edge = any(
                    0 <= j < height and 0 <= i < width and sign * signed[j, i] < level for j, i in near
                )
                if edge and (sign > 0 or (y + x) // DASH_PX % 2 == 0):
                    pixels[y, x] = [*(round(part * 255) for part in colour), 255]
    return pixels


@pytest.mark.parametrize("seed", range(3))
def test_contours_are_those_of_a_slow_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(3, 5)).astype(np.float32)
    smooth = np.kron(coarse, np.ones((9, 9), np.float32))
    smooth += np.linspace(0, 0.3, smooth.shape[1], dtype=np.float32)
    assert (read(contours_png(smooth)) == slow_contours(smooth)).all()


def test_a_side_has_its_own_scale_and_none_where_it_is_faint() -> None:
    """A place that speaks for the class is shown beside stronger evidence against it everywhere else."""
    signed = np.full((40, 60), -3.0, np.float32)
    signed[10:20, 20:30] = 1.0
    pixels = read(contours_png(signed))
    red = (pixels[..., 0] > pixels[..., 2]) & (pixels[..., 3] > 0)
    ys, xs = red.nonzero()
    assert (ys.min(), ys.max(), xs.min(), xs.max()) == (10, 19, 20, 29)
    assert not pixels[0].any()  # the frame is no edge
    signed[10:20, 20:30] = 3.0 * FAINT / 2
    faint = read(contours_png(signed))
    assert not ((faint[..., 0] > faint[..., 2]) & (faint[..., 3] > 0)).any()
    assert faint.any()


def test_a_map_of_zeros_has_no_contour_and_one_sign_has_one_colour() -> None:
    flat = np.zeros((12, 20), np.float32)
    assert not read(contours_png(flat)).any()
    flat[4:9, 5:15] = 2
    pixels = read(contours_png(flat))
    assert (pixels[4, 5] == [*(round(part * 255) for part in RED), 255]).all()
    assert not pixels[6, 10].any()  # inside of the line
    assert not pixels[:4].any()
    opposed = read(contours_png(-flat))
    drawn = opposed[..., 3] > 0
    assert 0 < drawn.sum() < (pixels[..., 3] > 0).sum()  # dashed
    assert (opposed[drawn][:, 2] > opposed[drawn][:, 0]).all()
