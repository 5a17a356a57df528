"""The share that each pixel of an image's side has in each pixel of the model's input.

Weights of one side are a matrix of output by input pixels, mostly zeros. It is never made at once for a long
side, and what is kept for the next image of that size is bounded in bytes.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Final

import numpy as np
from jaxtyping import Float32

__all__ = ["MAX_KEPT", "Axis"]

MAX_KEPT: Final = 2**24  # bytes of weights kept for the next images: the sheets of one camera share one size
_BLOCK: Final = 2**18  # weights made at a time

Weights = Float32[np.ndarray, "out in"]


@dataclass(frozen=True)
class Axis:
    """One side of an image: [start, stop) of its `length` pixels becomes `out` pixels.

    smooth  interpolate where the side is enlarged, instead of averaging over area
    """

    start: float
    stop: float
    length: int
    out: int
    smooth: bool

    @property
    def values(self) -> int:
        """Number of all weights."""
        return self.length * self.out

    @property
    def step(self) -> float:
        """Pixels of the image in one of the output."""
        return (self.stop - self.start) / self.out

    @property
    def block(self) -> int:
        """Pixels of the image whose weights in the outputs they reach are about _BLOCK in number."""
        return max(1, min(self.length, math.isqrt(int(_BLOCK * max(self.step, 1))), _BLOCK))

    def weights(self) -> Weights:
        """All weights; row i holds the share that each pixel has in output i. They are kept."""
        return _kept(self)

    def part(self, first: int, last: int) -> tuple[int, Weights]:
        """The weights of pixels [first, last) in the outputs they reach, and the first of these outputs."""
        reach = 1 if self.smooth and self.step < 1 else 0  # an interpolated output uses its neighbours
        begin = math.floor((first - reach - self.start) / self.step) - 1
        end = math.ceil((last + reach - self.start) / self.step) + 1
        begin, end = min(max(begin, 0), self.out - 1), min(max(end, 1), self.out)
        if end <= begin:  # pixels that no output sees
            return 0, np.zeros((1, last - first), dtype=np.float32)
        return begin, self._shares(begin, end, first, last)

    def _shares(self, begin: int, end: int, first: int, last: int) -> Weights:
        """Weights of the pixels [first, last) in the outputs [begin, end)."""
        pixels, step = np.arange(first, last), self.step
        if self.smooth and step < 1:
            centres = self.start + (np.arange(begin, end) + 0.5) * step - 0.5
            distance = np.abs(np.clip(centres, 0, self.length - 1)[:, None] - pixels[None, :])
            nearness: Weights = np.clip(1 - distance, 0, None).astype(np.float32)
            return nearness
        edges = self.start + np.arange(begin, end + 1) * step
        covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
        shares: Weights = (np.clip(covered, 0, None) / step).astype(np.float32)
        return shares

    def make(self) -> Weights:
        """All weights, a few outputs at a time: the intermediate values have twice their size."""
        made = np.empty((self.out, self.length), dtype=np.float32)
        rows = max(1, _BLOCK // self.length)
        for begin in range(0, self.out, rows):
            end = min(begin + rows, self.out)
            made[begin:end] = self._shares(begin, end, 0, self.length)
        return made


_weights: OrderedDict[Axis, Weights] = OrderedDict()  # the last used last
_lock: Final = Lock()  # images are decoded in threads


def _kept(axis: Axis) -> Weights:
    with _lock:
        if axis in _weights:
            _weights.move_to_end(axis)
            return _weights[axis]
    made = axis.make()
    with _lock:
        _weights[axis] = made
        while sum(each.nbytes for each in _weights.values()) > MAX_KEPT:
            _weights.popitem(last=False)
    return made
