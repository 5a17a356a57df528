"""Changes of whole-picture properties, such as exposure, within the range of the given sheets.

"More" is the value of the sheet at the 95th percentile, "less" that at the 5th. The defect is changed with
the rest, as a camera would change it; the control is the unchanged sheet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float32
from scipy import ndimage

from steelsight.counterfactuals.nuisances.properties import Property
from steelsight.counterfactuals.pasting.paste_check import Change
from steelsight.types import GrayImage, Mask

__all__ = ["picture_changes"]

EXTREMES = (5, 95)  # percentiles

Level = Float32[np.ndarray, "h w"]
Paint = Callable[
    [Level, Mask, float, np.random.Generator], Level
]  # brings a picture to a value of the property


def picture_changes(properties: Sequence[Property]) -> dict[str, Change]:
    """Make a change for each of these properties that has an entry in PAINTS.

    returns  changes by property key
    """
    return {item.key: _change(item.values, PAINTS[item.key]) for item in properties if item.key in PAINTS}


def _change(values: Float[np.ndarray, " n"], paint: Paint) -> Change:
    low, high = (float(value) for value in np.percentile(values, EXTREMES))

    def change(
        gray: GrayImage, defect: Mask, more: bool, rng: np.random.Generator
    ) -> tuple[GrayImage, GrayImage]:
        painted = paint(gray.astype(np.float32), defect, high if more else low, rng)
        return np.clip(np.rint(painted), 0, 255).astype(np.uint8), gray

    return change


def _expose(level: Level, defect: Mask, goal: float, _rng: np.random.Generator) -> Level:
    lit: Level = level * np.float32(goal / max(float(np.median(level[~defect])), 1.0))
    return lit


def _stretch(level: Level, defect: Mask, goal: float, _rng: np.random.Generator) -> Level:
    low, middle, high = np.percentile(level[~defect], [25, 50, 75])
    return np.float32(middle) + (level - np.float32(middle)) * np.float32(goal / max(high - low, 1.0))


def _tilt(level: Level, _defect: Mask, goal: float, rng: np.random.Generator) -> Level:
    """Tilt the light until the outer thirds differ by `goal`, relative to their mean."""
    away = np.linspace(-0.75, 0.75, level.shape[1], dtype=np.float32) * np.float32(goal)
    tilted: Level = level * (1 + (away if rng.random() < 0.5 else -away))[None]
    return tilted


def _frame(level: Level, _defect: Mask, goal: float, rng: np.random.Generator) -> Level:
    framed = level.copy()
    step = np.float32(goal if rng.random() < 0.5 else -goal)
    for rows in (slice(0, 2), slice(-2, None)):
        framed[rows] += step
    return framed


def _roughen(level: Level, defect: Mask, goal: float, rng: np.random.Generator) -> Level:
    """Scale the grain, a quarter of the Laplacian's median; white noise of 1 level: 0.6745 * sqrt(20) / 4."""
    current = float(np.median(np.abs(ndimage.laplace(level))[~defect])) / 4
    if goal <= current:
        soft = ndimage.gaussian_filter(level, 0.6)
        softer: Level = soft + np.float32(goal / max(current, 1e-3)) * (level - soft)
        return softer
    sigma = np.sqrt(goal**2 - current**2) / (0.6745 * np.sqrt(20) / 4)
    noise = rng.standard_normal(level.shape, dtype=np.float32)
    rougher: Level = level + np.float32(sigma) * noise
    return rougher


def _stripe(level: Level, _defect: Mask, goal: float, rng: np.random.Generator) -> Level:
    """Add faint lines: vertical for a goal above 0, horizontal below."""
    across, down = (float(np.abs(np.diff(level, axis=axis)).mean()) for axis in (1, 0))
    wanted = np.exp(abs(goal)) * (down if goal > 0 else across)
    current = across if goal > 0 else down
    sigma = np.sqrt(max(wanted**2 - current**2, 0.0)) / 1.13  # 1.13: mean step of white noise of 1 level
    shape = (1, level.shape[1]) if goal > 0 else (level.shape[0], 1)
    lined: Level = level + np.float32(sigma) * rng.standard_normal(shape, dtype=np.float32)
    return lined


def _dot(level: Level, defect: Mask, goal: float, rng: np.random.Generator) -> Level:
    dotted = level.copy()
    places = np.flatnonzero(~defect)
    for place in rng.choice(places, size=max(1, round(goal * places.size / 1000))).tolist():
        row, column = divmod(place, level.shape[1])
        view = dotted[row : row + int(rng.integers(1, 4)), column : column + int(rng.integers(1, 4))]
        view *= np.float32(rng.uniform(0.3, 0.6))
    return np.where(defect, level, dotted)


def _lattice(level: Level, _defect: Mask, _goal: float, rng: np.random.Generator) -> Level:
    """Add a diamond plate pattern: bright bars in two oblique directions."""
    height, width = level.shape
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]
    period = np.float32(height * rng.uniform(0.3, 0.5))
    bars = np.zeros_like(level)
    for slant in (-1, 1):
        turn = (x + slant * y) / period + np.float32(rng.random())
        bars = np.maximum(bars, np.clip(1.5 - np.abs(turn - np.round(turn)) / 0.06, 0, 1))
    return level * (1 + np.float32(0.5) * bars - np.float32(0.3) * np.roll(bars, 2, axis=1))


PAINTS: Mapping[str, Paint] = {
    "exposure": _expose,
    "contrast": _stretch,
    "uneven_light": _tilt,
    "border": _frame,
    "grain": _roughen,
    "stripes": _stripe,
    "dots": _dot,
    "checker": _lattice,
}
