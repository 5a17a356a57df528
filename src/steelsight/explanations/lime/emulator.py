"""A quick double of a network: what each place of its class map says when superpixels are hidden.

One answer of the network teaches as many places as the map has, and a place looks at few superpixels. So a
ridge regression a place, on the superpixels near it and on products of touching ones, learns from a hundred
answers what a regression of the logit alone would need thousands for. The double is then asked as often as
one likes. Where a network shows no class map, the logit is the one place, and every superpixel is near it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["Emulator", "fit_emulator", "touching"]

Segments = Int[np.ndarray, "h w"]

# Found on four trained and untrained networks of 64x400 and 144x144; a factor of 10 in TRUST changes little.
REACH = 1.2  # deviation of a place's window, cells of the class map
TRUST = 30.0  # prior variance of all a place's terms together, over the variance of what they leave
NEAREST = 96  # terms a place may have, by prior variance; a 16 px window meets about 40


class Emulator(NamedTuple):
    """Value of each place as a function of which superpixels show."""

    pairs: Int[Tensor, "2 q"]
    centre: float  # share of superpixels shown on average
    weight: Float[Tensor, "f p"]  # of 1, the superpixels, the pairs

    def predict(self, masks: Float[Tensor, "s m"]) -> Float[Tensor, "m p"]:
        """Values for sets of shown superpixels, one a column."""
        weight = self.weight.to(masks.dtype)
        return _terms(masks, self.pairs, self.centre).T @ weight

    def averaged(self) -> Emulator:
        """Of the mean over the places."""
        return self._replace(weight=self.weight.mean(1, keepdim=True))


def fit_emulator(
    masks: Float[Tensor, "s m"],
    values: Float[Tensor, "m p"],
    cut: Segments,
    grid: tuple[int, int],
    centre: float,
    memory_mb: float,
) -> tuple[Emulator, Float[Tensor, "m p"]]:
    """Ridge regressions, and what each says of a set when fitted without it (in closed form).

    masks   1 shown, 0 hidden, float64
    values  of the grid's places, row by row
    cut     superpixel of every pixel
    """
    pairs = torch.from_numpy(touching(cut))
    prior = _prior(cut, grid, pairs)  # (p, f)
    nearest = prior.shape[1] if len(prior) == 1 else min(NEAREST, prior.shape[1])
    variance, chosen = prior.topk(nearest, dim=1)  # (p, k)
    scale = variance.sqrt()
    terms = _terms(masks, pairs, centre)  # (f, m)
    level = values.mean(0)
    inner = (terms @ terms.T)[chosen[:, :, None], chosen[:, None, :]]  # (p, k, k)
    inner = inner * scale[:, :, None] * scale[:, None, :] + torch.eye(nearest, dtype=scale.dtype)
    root = torch.linalg.cholesky(inner)
    outer = (terms @ (values - level)).T.gather(1, chosen) * scale  # (p, k)
    found = torch.cholesky_solve(outer[:, :, None], root)[:, :, 0] * scale
    weight = torch.zeros_like(prior).scatter(1, chosen, found).T.contiguous()  # (f, p)
    told = terms.T @ weight
    pull = _leverage(terms, chosen, scale, root, memory_mb)  # (m, p)
    left_out = values - (values - level - told) / (1 - pull).clamp(min=1e-3)
    weight[0] += level
    return Emulator(pairs, centre, weight), left_out


def touching(cut: Segments) -> Int[np.ndarray, "2 q"]:
    """Superpixels that share an edge, each pair once."""
    sides = np.concatenate(
        [
            np.stack([cut[:, :-1].ravel(), cut[:, 1:].ravel()]),
            np.stack([cut[:-1].ravel(), cut[1:].ravel()]),
        ],
        axis=1,
    )
    low, high = sides.min(0), sides.max(0)
    codes = np.unique((low * (cut.max() + 1) + high)[low != high])
    return np.stack([codes // (cut.max() + 1), codes % (cut.max() + 1)])


def _terms(masks: Float[Tensor, "s m"], pairs: Tensor, centre: float) -> Float[Tensor, "f m"]:
    """1, the superpixels, and the products of pairs, about their mean."""
    about = masks - centre
    return torch.cat([torch.ones_like(about[:1]), about, about[pairs[0]] * about[pairs[1]]])


def _prior(cut: Segments, grid: tuple[int, int], pairs: Tensor) -> Float[Tensor, "p f"]:
    """Prior variance of each place's terms: how much of its window a superpixel, or both of a pair, fill."""
    pieces = int(cut.max()) + 1
    near = _windows(cut, grid, pieces)  # (p, s)
    both = torch.minimum(near[:, pairs[0]], near[:, pairs[1]])
    level = torch.full((len(near), 1), 100 / TRUST, dtype=near.dtype)  # hardly held back
    return TRUST * torch.cat([level, near, both], 1)


def _windows(cut: Segments, grid: tuple[int, int], pieces: int) -> Float[Tensor, "p s"]:
    """Share of each place's Gaussian window that each superpixel fills."""
    if grid == (1, 1):
        return torch.full((1, pieces), 1 / pieces, dtype=torch.float64)
    cells = [size / count for size, count in zip(cut.shape, grid, strict=True)]
    deviation = REACH * float(np.sqrt(cells[0] * cells[1]))
    down, across = (
        np.exp(-0.5 * ((np.arange(size)[None] - (np.arange(count)[:, None] + 0.5) * cell) / deviation) ** 2)
        for size, count, cell in zip(cut.shape, grid, cells, strict=True)
    )
    rows = np.zeros((grid[0], pieces, cut.shape[1]))  # each superpixel's pixels, weighed down the sheet
    for row, weights in enumerate(down):
        np.add.at(rows[row], (cut, np.arange(cut.shape[1])[None]), weights[:, None])
    near = np.einsum("gsx,jx->gjs", rows, across).reshape(-1, pieces)
    return torch.from_numpy(near / near.sum(1, keepdims=True))


def _leverage(
    terms: Tensor, chosen: Tensor, scale: Tensor, root: Tensor, memory_mb: float
) -> Float[Tensor, "m p"]:
    """How much each answer decides its own fit."""
    rows = max(1, int(memory_mb * 2**20 / (4 * 8 * chosen.numel())))
    parts = []
    for at in range(0, terms.shape[1], rows):
        own = terms[:, at : at + rows][chosen] * scale[:, :, None]  # (p, k, rows)
        parts.append(torch.linalg.solve_triangular(root, own, upper=False).square().sum(1).T)
    return torch.cat(parts)
