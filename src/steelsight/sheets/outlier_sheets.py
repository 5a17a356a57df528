"""Outlier sheets: drawn pictures that are no sheets, to test the rejection of unknown input.

Each is drawn anew from a generator; none is a photograph.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from steelsight.errors import BadInput
from steelsight.types import GrayBatch, GrayImage

__all__ = ["OUTLIER_SHEETS", "draw_outlier_sheets"]

WORDS = ("file", "edit", "view", "settings", "queue", "report", "error", "printer", "shift", "total", "index")

Draw = Callable[[tuple[int, int], np.random.Generator], GrayImage]


def draw_outlier_sheets(
    kind: str, count: int, height: int, width: int, rng: np.random.Generator
) -> GrayBatch:
    """Some pictures of one kind, (count, height, width) uint8; raises BadInput for another kind."""
    if kind not in OUTLIER_SHEETS:
        raise BadInput(f"outlier sheet: expected one of {', '.join(OUTLIER_SHEETS)}, got {kind!r}")
    pictures = [OUTLIER_SHEETS[kind]((height, width), rng) for _ in range(count)]
    return np.stack(pictures) if pictures else np.zeros((0, height, width), dtype=np.uint8)


def _black(shape: tuple[int, int], rng: np.random.Generator) -> GrayImage:
    """A dark camera: a few levels of noise."""
    return _levels(np.abs(rng.normal(rng.uniform(0, 6), rng.uniform(0, 3), shape)))


def _glare(shape: tuple[int, int], rng: np.random.Generator) -> GrayImage:
    """An overexposed one."""
    return _levels(255 - np.abs(rng.normal(0, rng.uniform(0, 3), shape)))


def _text(shape: tuple[int, int], rng: np.random.Generator) -> GrayImage:
    """A window full of words."""
    dark = rng.random() < 0.5
    paper, ink = (rng.integers(0, 60), rng.integers(180, 255)) if dark else (245, rng.integers(0, 80))
    page = Image.new("L", (shape[1], shape[0]), int(paper))
    pen, font = ImageDraw.Draw(page), ImageFont.load_default()
    for top in range(2, shape[0] - 8, int(rng.integers(11, 16))):
        left = float(rng.integers(2, 30))
        while left < shape[1] - 20:
            word = str(rng.choice(WORDS))
            pen.text((left, top), word, fill=int(ink), font=font)
            left += pen.textlength(word, font=font) + rng.integers(4, 12)
    return np.asarray(page, dtype=np.uint8)


def _checkers(shape: tuple[int, int], rng: np.random.Generator) -> GrayImage:
    """A test chart of squares, or a plate with a raised pattern seen from above."""
    side = int(rng.integers(4, 17))
    y, x = np.indices(shape)
    squares = ((y // side + x // side) % 2).astype(float)
    low, high = np.sort(rng.uniform(20, 235, 2))
    soft = gaussian_filter(squares, rng.uniform(0, 1.5))
    return _levels(low + (high - low) * soft + rng.normal(0, rng.uniform(0, 5), shape))


def _weave(shape: tuple[int, int], rng: np.random.Generator) -> GrayImage:
    """Another material: cloth, threads crossing."""
    y, x = np.indices(shape).astype(float)
    period, angle = rng.uniform(3, 9), rng.uniform(0, np.pi)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    threads = np.sin(2 * np.pi * u / period) * np.sin(2 * np.pi * v / period)
    return _levels(rng.uniform(80, 180) + rng.uniform(25, 60) * threads + rng.normal(0, 6, shape))


def _static(shape: tuple[int, int], rng: np.random.Generator) -> GrayImage:
    """A broken transmission."""
    return rng.integers(0, 256, shape).astype(np.uint8)


def _levels(values: np.ndarray) -> GrayImage:
    rounded: GrayImage = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded


OUTLIER_SHEETS: dict[str, Draw] = {
    "black frame": _black,
    "overexposed frame": _glare,
    "screen of text": _text,
    "checker pattern": _checkers,
    "woven cloth": _weave,
    "static": _static,
}
