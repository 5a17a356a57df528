"""A cheap emulator of a network: each place of its class map as a function of which superpixels are shown.

One forward pass gives as many values as the class map has places, and a place depends on few superpixels. So
a ridge regression for each place, on the superpixels near it and on products of adjacent ones, needs about a
hundred forward passes where a regression of the logit alone would need thousands. The emulator is then
evaluated on any number of samples. Where a network has no class map, the logit is the one place, and every
superpixel is near it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["Emulator", "adjacent_segments", "fit_emulator"]

Segments = Int[np.ndarray, "h w"]

# Chosen on four networks, trained and untrained, of 64x400 and 144x144; ten times the ratio changes little.
WINDOW_CELLS = 1.2  # standard deviation of a place's Gaussian window, in cells of the class map
VARIANCE_RATIO = 30.0  # prior variance of a place's terms together, over the residual variance
MOST_TERMS = 96  # terms of one place, those of largest prior variance; a 16 px window meets about 40


class Emulator(NamedTuple):
    """Value of each place as a function of which superpixels are shown."""

    pairs: Int[Tensor, "2 q"]
    centre: float  # share of superpixels shown on average
    weight: Float[Tensor, "f p"]  # rows: intercept, superpixels, pairs

    def predict(self, masks: Float[Tensor, "s m"]) -> Float[Tensor, "m p"]:
        """Values of every place for m samples; masks holds one sample a column, 1 shown, 0 masked."""
        weight = self.weight.to(masks.dtype)
        return _terms(masks, self.pairs, self.centre).T @ weight

    def averaged(self) -> Emulator:
        """The emulator of the mean over the places."""
        return self._replace(weight=self.weight.mean(1, keepdim=True))


def fit_emulator(
    masks: Float[Tensor, "s m"],
    values: Float[Tensor, "m p"],
    segments: Segments,
    grid: tuple[int, int],
    centre: float,
    memory_mb: float,
) -> tuple[Emulator, Float[Tensor, "m p"]]:
    """Fit one ridge regression for each place; also return its leave-one-out predictions.

    masks      1 shown, 0 masked, float64; one sample a column
    values     of the grid's places, row by row
    segments   superpixel of every pixel
    centre     share of superpixels shown on average
    memory_mb  cap on additional memory
    returns    the emulator, and the prediction of each sample by a fit without it (in closed form)
    """
    pairs = torch.from_numpy(adjacent_segments(segments))
    prior = _prior(segments, grid, pairs)  # (p, f)
    terms_used = prior.shape[1] if len(prior) == 1 else min(MOST_TERMS, prior.shape[1])
    variance, chosen = prior.topk(terms_used, dim=1)  # (p, k)
    scale = variance.sqrt()
    terms = _terms(masks, pairs, centre)  # (f, m)
    mean = values.mean(0)
    inner = (terms @ terms.T)[chosen[:, :, None], chosen[:, None, :]]  # (p, k, k)
    inner = inner * scale[:, :, None] * scale[:, None, :] + torch.eye(terms_used, dtype=scale.dtype)
    root = torch.linalg.cholesky(inner)
    outer = (terms @ (values - mean)).T.gather(1, chosen) * scale  # (p, k)
    solution = torch.cholesky_solve(outer[:, :, None], root)[:, :, 0] * scale
    weight = torch.zeros_like(prior).scatter(1, chosen, solution).T.contiguous()  # (f, p)
    emulated = terms.T @ weight
    leverage = _leverage(terms, chosen, scale, root, memory_mb)  # (m, p)
    left_out = values - (values - mean - emulated) / (1 - leverage).clamp(min=1e-3)
    weight[0] += mean
    return Emulator(pairs, centre, weight), left_out


def adjacent_segments(segments: Segments) -> Int[np.ndarray, "2 q"]:
    """Pairs of superpixels that share an edge, each pair once, the smaller number first."""
    sides = np.concatenate(
        [
            np.stack([segments[:, :-1].ravel(), segments[:, 1:].ravel()]),
            np.stack([segments[:-1].ravel(), segments[1:].ravel()]),
        ],
        axis=1,
    )
    low, high = sides.min(0), sides.max(0)
    codes = np.unique((low * (segments.max() + 1) + high)[low != high])
    return np.stack([codes // (segments.max() + 1), codes % (segments.max() + 1)])


def _terms(masks: Float[Tensor, "s m"], pairs: Tensor, centre: float) -> Float[Tensor, "f m"]:
    """Intercept, superpixels about their mean, and products of pairs of these."""
    centred = masks - centre
    return torch.cat([torch.ones_like(centred[:1]), centred, centred[pairs[0]] * centred[pairs[1]]])


def _prior(segments: Segments, grid: tuple[int, int], pairs: Tensor) -> Float[Tensor, "p f"]:
    """Prior variance of each place's terms: share of its window that a superpixel covers."""
    count = int(segments.max()) + 1
    shares = _windows(segments, grid, count)  # (p, s)
    both = torch.minimum(shares[:, pairs[0]], shares[:, pairs[1]])
    intercept = torch.full((len(shares), 1), 100 / VARIANCE_RATIO, dtype=shares.dtype)  # hardly penalised
    return VARIANCE_RATIO * torch.cat([intercept, shares, both], 1)


def _windows(segments: Segments, grid: tuple[int, int], segment_count: int) -> Float[Tensor, "p s"]:
    """Share of each place's Gaussian window that each superpixel covers."""
    if grid == (1, 1):
        return torch.full((1, segment_count), 1 / segment_count, dtype=torch.float64)
    cells = [size / count for size, count in zip(segments.shape, grid, strict=True)]
    deviation = WINDOW_CELLS * float(np.sqrt(cells[0] * cells[1]))
    down, across = (
        np.exp(-0.5 * ((np.arange(size)[None] - (np.arange(count)[:, None] + 0.5) * cell) / deviation) ** 2)
        for size, count, cell in zip(segments.shape, grid, cells, strict=True)
    )
    rows = np.zeros((grid[0], segment_count, segments.shape[1]))  # weights of pixels summed down each column
    for row, weights in enumerate(down):
        np.add.at(rows[row], (segments, np.arange(segments.shape[1])[None]), weights[:, None])
    shares = np.einsum("gsx,jx->gjs", rows, across).reshape(-1, segment_count)
    return torch.from_numpy(shares / shares.sum(1, keepdims=True))


def _leverage(
    terms: Tensor, chosen: Tensor, scale: Tensor, root: Tensor, memory_mb: float
) -> Float[Tensor, "m p"]:
    """Leverage of each sample: the weight of a value in its own fitted value."""
    rows = max(1, int(memory_mb * 2**20 / (4 * 8 * chosen.numel())))
    parts = []
    for at in range(0, terms.shape[1], rows):
        own = terms[:, at : at + rows][chosen] * scale[:, :, None]  # (p, k, rows)
        parts.append(torch.linalg.solve_triangular(root, own, upper=False).square().sum(1).T)
    return torch.cat(parts)
