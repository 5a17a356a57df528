"""Sound steel: uneven light, grain, rolling streaks, ripples, washed and mottled areas.

Luminance is float32 in gray levels of the camera; textures multiply it: dark steel shows less of everything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steelsight.sheets.synthetic.drawing.fields import (
    Field,
    fine_line,
    fine_noise,
    fractal_noise,
    ramp,
    smooth_line,
    smooth_noise,
)
from steelsight.sheets.synthetic.streams import Streams

__all__ = ["Lighting", "draw_light", "draw_surface"]


@dataclass(frozen=True)
class Lighting:
    """The light on a sheet."""

    field: Field
    exposure: float  # the level it was drawn around, in gray levels


def draw_light(streams: Streams, shape: tuple[int, int]) -> Lighting:
    """From dark to saturated: a level, bands across the strip, a slope along it, and often one glow."""
    rng = streams.of("light")
    height, width = shape
    level = float(np.clip(rng.normal(106, 23), 48, 168))
    spread = float(np.clip(np.exp(rng.normal(-1.58, 0.42)), 0.04, 0.5))  # std of log light over the sheet
    across = sum(
        weight * smooth_line(rng, width, scale * width / 1600)
        for weight, scale in ((0.6, 420), (0.45, 130), (0.16, 40))
    )
    down = rng.normal(1.0, 0.7) * np.linspace(
        -1, 1, height, dtype=np.float32
    )  # the lower edge is usually brighter
    log_light = np.float32(0.6) * smooth_noise(rng, shape, (0.8 * height, 0.22 * width))
    log_light += np.asarray(across, np.float32)[None, :] * np.float32(0.8) + down.astype(np.float32)[:, None]
    if rng.random() < 0.45:
        log_light += np.float32(rng.uniform(0.8, 2.6)) * _glow(rng, shape)
    log_light -= log_light.mean()
    log_light *= np.float32(spread / max(float(log_light.std()), 1e-3))
    bright = np.float32(0.6) * np.tanh(log_light / np.float32(0.6))  # lamps have a highest brightness
    return Lighting(np.float32(level) * np.exp(np.where(log_light > 0, bright, log_light)), level)


def _glow(rng: np.random.Generator, shape: tuple[int, int]) -> Field:
    """The lamp's own reflection: a wide bright patch, most often at the lower edge."""
    height, width = shape
    y = (np.arange(height, dtype=np.float32) / height - rng.normal(0.95, 0.3)) / rng.uniform(0.3, 0.8)
    x = (np.arange(width, dtype=np.float32) / width - rng.uniform(0.15, 0.85)) / rng.uniform(0.06, 0.3)
    return np.asarray(
        np.exp(-(y**2)).astype(np.float32)[:, None] * np.exp(-(x**2)).astype(np.float32)[None, :]
    )


def draw_surface(streams: Streams, light: Lighting, unit: float) -> Field:
    """The sheet before anything stands on it.

    unit    sheet height / 256: patterns scale with it, grain does not
    returns (h, w) float32, gray levels
    """
    texture = _grain(streams.of("grain"), light.field.shape)
    texture += _patterns(streams.of("pattern"), light.field.shape, unit)
    np.maximum(texture, -0.75, out=texture)
    return np.asarray(light.field * (1 + texture))


def _grain(rng: np.random.Generator, shape: tuple[int, int]) -> Field:
    """Grain a little longer across than down, with row and streak noise; strengths vary by sheet."""
    strength = float(np.clip(np.exp(rng.normal(-2.66, 0.3)), 0.03, 0.13))
    grain = fine_noise(rng, shape, (rng.uniform(0.25, 0.6), rng.uniform(0.45, 0.85)))
    skew = np.float32(rng.uniform(0.0, 0.22))
    grain += skew * (grain * grain - 1)  # bright glints stand out more than dark grains
    envelope = np.exp(np.float32(rng.uniform(0.05, 0.3)) * smooth_noise(rng, shape, (70, 110)))
    rows = fine_noise(rng, shape, (rng.uniform(0.5, 1.1), rng.uniform(3, 9)))
    streaks = fine_noise(rng, shape, (rng.uniform(7, 28), rng.uniform(0.35, 1.3)))
    row_share, streak_share = 0.7 * rng.random() ** 2, 0.5 * rng.random() ** 2  # mostly weak
    mixed = grain + np.float32(row_share) * rows + np.float32(streak_share) * streaks
    cloud = fractal_noise(rng, shape, (24, 24), octaves=4, fall=0.8)
    mixed += np.float32(0.5 * rng.random() ** 1.5) * cloud
    return mixed * envelope * np.float32(strength / (1 + row_share**2 + streak_share**2) ** 0.5)


def _patterns(rng: np.random.Generator, shape: tuple[int, int], unit: float) -> Field:
    """The slower marks of rolling and pickling; each sheet has some of them."""
    total = np.zeros(shape, np.float32)
    total += _columns(rng, shape, unit)
    for chance, pattern in (
        (0.35, _ripples),
        (0.32, _flames),
        (0.12, _flames),
        (0.18, _mottle),
        (0.35, _wash_edge),
        (0.12, _wash_edge),
        (0.35, _bands),
        (0.28, _glitter),
    ):
        own = np.random.Generator(np.random.SFC64(rng.integers(2**63)))
        if rng.random() < chance:
            total += pattern(own, shape, unit)
    return total


def _columns(rng: np.random.Generator, shape: tuple[int, int], unit: float) -> Field:
    """Vertical rolling streaks the full height of the sheet, slowly fading in and out along it."""
    width = shape[1]
    fine = fine_line(rng, width, rng.uniform(0.6, 1.6)) * np.exp(0.5 * smooth_line(rng, width, 90 * unit))
    wide = fine_line(rng, width, rng.uniform(3, 9) * unit)
    line = (
        np.float32(np.exp(rng.normal(-4.9, 0.6))) * fine + np.float32(np.exp(rng.normal(-4.5, 0.55))) * wide
    )
    fade = 1 + np.float32(0.5) * smooth_noise(rng, shape, (90 * unit, 30 * unit))
    return np.asarray(line, np.float32)[None, :] * fade


def _ripples(rng: np.random.Generator, shape: tuple[int, int], unit: float) -> Field:
    """Horizontal wavy lines, sawtooth-like: a slow bright flank and a short dark one."""
    height, width = shape
    period = rng.uniform(5, 15) * unit
    y = np.arange(height, dtype=np.float32)[:, None]
    x = np.arange(width, dtype=np.float32)[None, :]
    phase = (y + np.float32(rng.normal(0, 0.035)) * x) / np.float32(period)
    phase = phase + np.float32(rng.uniform(0.5, 1.1)) * smooth_noise(rng, shape, (40 * unit, 150 * unit))
    phase += np.float32(0.12) * smooth_noise(rng, shape, (10 * unit, 30 * unit))
    wave = np.sin(2 * np.pi * phase + np.float32(0.7) * np.sin(2 * np.pi * phase))
    where = ramp(smooth_noise(rng, shape, (110 * unit, 220 * unit)) + rng.normal(0.1, 0.7), 2.0)
    where *= 0.6 + 0.4 * ramp(smooth_noise(rng, shape, (14 * unit, 45 * unit)), 2.5)
    return np.asarray(np.float32(rng.uniform(0.025, 0.1)) * wave * where, np.float32)


def _flames(rng: np.random.Generator, shape: tuple[int, int], unit: float) -> Field:
    """Washed areas: upright tongues with crisp, ragged outlines, darker or lighter than the rest."""
    down, across = rng.uniform(14, 60) * unit, rng.uniform(2.5, 8) * unit
    tongues = fractal_noise(rng, shape, (down, across), octaves=3, fall=0.55)
    place = smooth_line(rng, shape[1], rng.uniform(40, 170) * unit)[None, :] + np.float32(0.6) * smooth_noise(
        rng, shape, (120 * unit, 120 * unit)
    )
    inside = ramp(tongues + place - rng.uniform(0.5, 1.6), rng.uniform(0.15, 0.5))
    depth = rng.uniform(0.05, 0.2) * (-1 if rng.random() < 0.6 else 1)
    return np.asarray(np.float32(depth) * inside, np.float32)


def _mottle(rng: np.random.Generator, shape: tuple[int, int], unit: float) -> Field:
    """Blotches of scale, mostly in one part of the sheet."""
    size = rng.uniform(8, 30) * unit
    blotches = fractal_noise(rng, shape, (size, size * rng.uniform(0.8, 1.6)), octaves=4, fall=0.65)
    place = smooth_noise(rng, shape, (100 * unit, 160 * unit))
    blotches += np.float32(0.35) * fine_noise(rng, shape, (1.5, 1.0))  # frayed, as dried scale is
    inside = ramp(blotches + place - rng.uniform(0.3, 1.8), rng.uniform(0.5, 2.0))
    return np.asarray(np.float32(-rng.uniform(0.05, 0.26)) * inside, np.float32)


def _wash_edge(rng: np.random.Generator, shape: tuple[int, int], unit: float) -> Field:
    """The drying edge of a liquid: one long smooth curve with a tone on either side."""
    field = smooth_noise(rng, shape, (rng.uniform(90, 260) * unit, rng.uniform(120, 400) * unit))
    edge = field - rng.normal(0, 0.8)
    tone = ramp(edge, rng.uniform(0.02, 0.12)) * np.exp(-0.6 * np.maximum(edge, 0))
    return np.asarray(np.float32(rng.uniform(0.04, 0.15) * rng.choice([-1, 1])) * tone, np.float32)


def _bands(rng: np.random.Generator, shape: tuple[int, int], unit: float) -> Field:
    """A few upright bands with soft or hard edges, plain or rough, bright or dark."""
    x = np.arange(shape[1], dtype=np.float32)[None, :]
    total = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(1, 5))):
        centre, half = rng.uniform(0, shape[1]), rng.uniform(4, 45) * unit
        lean = smooth_line(rng, shape[0], 120 * unit)[:, None] * np.float32(rng.uniform(0, 5) * unit)
        band = ramp(half - np.abs(x - np.float32(centre) - lean), rng.uniform(2, 30) * unit)
        total += np.float32(np.clip(rng.normal(0, 0.11), -0.22, 0.3)) * band
    if rng.random() < 0.5:
        total *= 1 + np.float32(rng.uniform(0.1, 0.5)) * fine_noise(rng, shape, (rng.uniform(1, 12), 0.8))
    return total


def _glitter(rng: np.random.Generator, shape: tuple[int, int], unit: float) -> Field:
    """Fields of short bright dashes: scale crushed by the rolls."""
    dashes = fine_noise(rng, shape, (rng.uniform(0.5, 0.9), rng.uniform(0.9, 2.2)))
    place = smooth_line(rng, shape[1], rng.uniform(40, 150) * unit)[None, :] + np.float32(0.5) * smooth_noise(
        rng, shape, (60 * unit, 80 * unit)
    )
    bright = np.maximum(dashes + np.float32(0.7) * place - np.float32(rng.uniform(1.9, 2.9)), 0)
    return np.asarray(np.float32(np.exp(rng.normal(-1.4, 0.5))) * np.minimum(bright, 1.6), np.float32)
