"""Coils that tests draw: random defects and the marks of a roll."""

import numpy as np

from steelsight.coils.points import StripPoints

LENGTH_M = 300.0
WIDTH_MM = 1500.0


def strip(*parts, labels=None, sides=None):
    """Points of parts (along, across, label)."""
    along, across = (np.concatenate([np.asarray(part[axis], float) for part in parts]) for axis in (0, 1))
    names = tuple(part[2] for part in parts for _ in part[0])
    return StripPoints(along, across, labels or names, sides or ("top",) * len(names))


def scattered(rng, count=100, label="scale"):
    """Random defects."""
    return rng.uniform(0, LENGTH_M, count), rng.uniform(0, WIDTH_MM, count), label


def marks(rng, period, *, missing=0.3, jitter_m=0.005, across=700.0, start=0.0, end=LENGTH_M, label="dent"):
    """The marks of a roll."""
    turns = np.arange(int(LENGTH_M / period) + 1)
    along = (rng.random() + turns) * period + rng.normal(0, jitter_m, turns.size)
    along = along[(rng.random(turns.size) >= missing) & (along >= start) & (along <= end)]
    return along, across + rng.uniform(-10, 10, along.size), label
