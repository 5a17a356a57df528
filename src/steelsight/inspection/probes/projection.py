"""A random projection of long vectors to few numbers that preserve lengths and differences.

No matrix is stored: only a sign for each coordinate and a shift for each stretch of coordinates are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from steelsight.errors import BadInput

__all__ = ["CountSketch", "draw_sketch"]


@dataclass(frozen=True)
class CountSketch:
    """A count sketch: every coordinate of x is added, with a random sign, to one of the k numbers of y.

    Coordinate i, of stretch m = i // k, goes to number (i + shift_m) mod k. Two coordinates of one stretch
    never meet, two of different stretches meet with chance 1/k, which is all the bound below needs: for
    every x, E |y|² = |x|² over the draw, and the deviation of |y|² is at most sqrt(2/k) |x|²: 6 % at k = 512.
    It is linear, so the same holds of the difference of two vectors: near ones stay near and far ones far.

    source  Charikar, Chen and Farach-Colton 2002; the bound as in Weinberger et al. 2009, "Feature Hashing"
    """

    numbers: int  # k
    signs: Float[Tensor, " d"]  # +1 and -1
    shifts: tuple[int, ...]  # one a stretch of k coordinates

    def project(self, rows: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Project vectors, reading each once, in order."""
        k = self.numbers
        projected = torch.zeros(len(rows), k, dtype=rows.dtype, device=rows.device)
        signs = self.signs.to(rows)
        for stretch, shift in enumerate(self.shifts):
            start = k * stretch
            turn, end = min(start + k - shift, rows.shape[1]), min(start + k, rows.shape[1])
            for first, last, to in ((start, turn, shift), (turn, end, 0)):
                if last > first:
                    into = projected[:, to : to + last - first]
                    into.addcmul_(rows[:, first:last], signs[first:last])
        return projected

    def matrix(self) -> Float[Tensor, "k d"]:
        """The projection written out, for small sizes: y = S x."""
        size = len(self.signs)
        written = torch.zeros(self.numbers, size)
        places = torch.arange(size)
        written[self._targets(places), places] = self.signs
        return written

    def _targets(self, places: Int[Tensor, " d"]) -> Int[Tensor, " d"]:
        shifts = torch.tensor(self.shifts)[places // self.numbers]
        return (places + shifts) % self.numbers


def draw_sketch(size: int, numbers: int, *, seed: int) -> CountSketch:
    """A projection of vectors of `size` coordinates to `numbers`; the same for the same arguments.

    raises  BadInput for sizes below 1
    """
    if size < 1 or numbers < 1:
        raise BadInput(
            f"random projection: expected at least 1 coordinate and 1 number, got {size} and {numbers}"
        )
    generator = torch.Generator().manual_seed(seed)
    signs = 2.0 * torch.randint(0, 2, (size,), generator=generator, dtype=torch.uint8) - 1
    stretches = -(-size // numbers)
    shifts = torch.randint(0, numbers, (stretches,), generator=generator)
    return CountSketch(numbers, signs, tuple(shifts.tolist()))
