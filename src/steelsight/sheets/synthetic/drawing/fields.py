"""Random fields, the raw material of every texture: smooth, fractal and fine noise in float32.

Nothing here calls a linear algebra library: its sums may depend on the number of threads, and the same seed
must give the same bytes everywhere.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import ndimage

__all__ = [
    "Field",
    "Line",
    "Px",
    "fine_line",
    "fine_noise",
    "fractal_noise",
    "ramp",
    "smooth_line",
    "smooth_noise",
]

Field = Float[np.ndarray, "h w"]  # float32 on whole sheets; small windows may be computed in float64
Px = float | int  # a length in pixels, or a plain number
Line = Float[np.ndarray, "n"]


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale: tuple[Px, Px]) -> Field:
    """Cubic B-spline noise of about unit variance.

    shape   (height, width)
    scale   lattice cell (down, across) in pixels: features are about twice that size
    """
    rows, row_weights = _spline(rng, shape[0], scale[0])
    columns, column_weights = _spline(rng, shape[1], scale[1])
    lattice = rng.standard_normal((int(rows.max()) + 4, int(columns.max()) + 4), dtype=np.float32)
    wide = sum(
        lattice[:, columns + k] * column_weights[k] for k in range(4)
    )  # few rows yet: the cheap direction first
    tall = sum(wide[rows + k] * row_weights[k][:, None] for k in range(4))
    return np.asarray(
        tall * np.float32(2.09), np.float32
    )  # 2.09 = 1 / the spline's mean root sum of squares, squared


def smooth_line(rng: np.random.Generator, size: int, scale: Px) -> Line:
    """The same in one dimension."""
    starts, weights = _spline(rng, size, scale)
    lattice = rng.standard_normal(int(starts.max()) + 4, dtype=np.float32)
    return np.asarray(sum(lattice[starts + k] * weights[k] for k in range(4)) * np.float32(1.445), np.float32)


def _spline(rng: np.random.Generator, size: int, scale: Px) -> tuple[np.ndarray, np.ndarray]:
    """First lattice point and the four B-spline weights of every pixel, at a random phase."""
    place = np.arange(size) / max(scale, 1.0) + rng.random()
    start = place.astype(np.intp)
    t = (place - start).astype(np.float32)
    s = 1 - t
    weights = np.stack([s**3, 4 - 6 * t**2 + 3 * t**3, 4 - 6 * s**2 + 3 * s**3, t**3]) / np.float32(6)
    return start, weights


def fractal_noise(
    rng: np.random.Generator,
    shape: tuple[int, int],
    scale: tuple[Px, Px],
    *,
    octaves: int = 4,
    fall: Px = 0.5,
) -> Field:
    """Smooth noise with ever finer detail, about unit variance; `fall` = amplitude ratio of one octave."""
    total = np.zeros(shape, np.float32)
    power = 0.0
    for octave in range(octaves):
        size = (scale[0] / 2**octave, scale[1] / 2**octave)
        if max(size) < 1.0:
            if octave:
                break
            size = (1.0, 1.0)  # the first octave is always drawn
        total += np.float32(fall**octave) * smooth_noise(rng, shape, size)
        power += fall ** (2 * octave)
    return total / np.float32(power**0.5)


def fine_noise(rng: np.random.Generator, shape: tuple[int, int], sigma: tuple[Px, Px]) -> Field:
    """White noise through a Gaussian of sigma (down, across) pixels, back at unit variance."""
    field = rng.standard_normal(shape, dtype=np.float32)
    for axis, width in enumerate(sigma):
        if width > 0.2:
            field = ndimage.correlate1d(field, _kernel(width), axis=axis, mode="reflect")
    return field


def fine_line(rng: np.random.Generator, size: int, sigma: Px) -> Line:
    """The same in one dimension."""
    line = rng.standard_normal(size, dtype=np.float32)
    return ndimage.correlate1d(line, _kernel(sigma), mode="reflect") if sigma > 0.2 else line


def _kernel(sigma: Px) -> np.ndarray:
    reach = int(np.ceil(2.6 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.asarray(kernel / np.sqrt((kernel**2).sum()), np.float32)


def ramp(field: np.ndarray, width: Px) -> np.ndarray:
    """0 where the field is below -width/2, 1 above +width/2, straight between: every shape's soft edge."""
    return np.clip(field / np.float32(width) + np.float32(0.5), 0, 1)
