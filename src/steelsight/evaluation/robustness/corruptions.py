"""Corruptions by a line camera: noise, blur, exposure, compression, dead columns, vibration.

They change gray levels, so any engine can be tested; the study's noise, in normalised units, is in `noise`.
The strength of each corruption is one number; at 0 the sheets stay as they are.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from steelsight.errors import BadInput
from steelsight.evaluation.robustness.noise import STUDY_SIGMAS
from steelsight.types import GrayBatch

__all__ = ["CORRUPTIONS", "Corruption", "corrupt"]

NORMALISED_TO_GRAY = 255 * 0.226  # mean of ImageNet's deviations: gray levels in one normalised unit

VIBRATION_PERIOD_PX = 6.0


@dataclass(frozen=True)
class Corruption:
    """One kind of corruption."""

    title: str
    unit: str
    levels: tuple[float, ...]  # of a sweep; 0 first
    apply: Callable[[GrayBatch, float, np.random.Generator], GrayBatch]


def corrupt(images: GrayBatch, kind: str, level: float, rng: np.random.Generator) -> GrayBatch:
    """Sheets after one corruption.

    images  (n, h, w) uint8
    kind    a key of CORRUPTIONS
    level   in the corruption's own unit; 0 = unchanged
    raises  BadInput for another kind, or a level below 0
    """
    if kind not in CORRUPTIONS:
        raise BadInput(f"corruption: expected one of {', '.join(CORRUPTIONS)}, got {kind!r}")
    if not (np.isfinite(level) and level >= 0):
        raise BadInput(f"corruption {kind}: expected a level of at least 0, got {level}")
    return images.copy() if level == 0 else CORRUPTIONS[kind].apply(images, level, rng)


def _round(values: np.ndarray) -> GrayBatch:
    levels: GrayBatch = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels


def _camera_noise(images: GrayBatch, level: float, rng: np.random.Generator) -> GrayBatch:
    """Independent noise of the sensor, sigma in normalised units as the study counts it."""
    noise = rng.standard_normal(images.shape, dtype=np.float32)
    return _round(images + np.float32(level * NORMALISED_TO_GRAY) * noise)


def _blur(images: GrayBatch, level: float, _rng: np.random.Generator) -> GrayBatch:
    return _round(gaussian_filter(images.astype(np.float32), (0, level, level), mode="nearest"))


def _brighter(images: GrayBatch, level: float, _rng: np.random.Generator) -> GrayBatch:
    return _round(images.astype(np.float32) * 2.0**level)


def _darker(images: GrayBatch, level: float, _rng: np.random.Generator) -> GrayBatch:
    return _round(images.astype(np.float32) * 2.0**-level)


def _jpeg(images: GrayBatch, level: float, _rng: np.random.Generator) -> GrayBatch:
    quality = int(np.clip(round(100 - level), 1, 100))
    coded = np.empty_like(images)
    for index, image in enumerate(images):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, format="JPEG", quality=quality)
        coded[index] = np.asarray(Image.open(buffer))
    return coded


def _dead_columns(images: GrayBatch, level: float, rng: np.random.Generator) -> GrayBatch:
    """Dead pixels of a line camera: whole columns, black or white, the same on every sheet."""
    width = images.shape[2]
    count = min(width, max(1, round(level * width)))
    corrupted = images.copy()
    corrupted[:, :, rng.choice(width, count, replace=False)] = rng.choice([0, 255], count)
    return corrupted


def _vibration(images: GrayBatch, level: float, rng: np.random.Generator) -> GrayBatch:
    """Brightness waves across the rolling direction, of another phase on every sheet."""
    phase = rng.random((len(images), 1, 1)) * 2 * np.pi
    rows = np.arange(images.shape[1])[None, :, None]
    return _round(images + level * np.sin(2 * np.pi * rows / VIBRATION_PERIOD_PX + phase))


CORRUPTIONS: dict[str, Corruption] = {
    "camera_noise": Corruption("Camera noise", "σ, normalised units", STUDY_SIGMAS, _camera_noise),
    "blur": Corruption("Blur", "σ, pixels", (0.0, 0.5, 1.0, 1.5, 2.0, 3.0), _blur),
    "brighter": Corruption("Overexposure", "stops", (0.0, 0.25, 0.5, 1.0, 1.5), _brighter),
    "darker": Corruption("Underexposure", "stops", (0.0, 0.25, 0.5, 1.0, 1.5, 2.0), _darker),
    "jpeg": Corruption("JPEG", "100 - quality", (0.0, 25.0, 50.0, 70.0, 80.0, 90.0), _jpeg),
    "dead_columns": Corruption(
        "Dead columns", "share of the columns", (0.0, 0.0025, 0.005, 0.01, 0.02), _dead_columns
    ),
    "vibration": Corruption("Vibration", "gray levels", (0.0, 4.0, 8.0, 16.0, 32.0), _vibration),
}
