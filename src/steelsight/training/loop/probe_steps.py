"""Fits a head by gradient descent on stored feature maps: for nonlinear poolings, and for masks.

The head itself runs on standardised maps, so that every kind of head can be fitted. Maps are stored in
bfloat16. Standardising a channel is an increasing affine map, and so commutes with averages and maxima.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from steelsight.models.heads import AverageMaxHead, DirectHead
from steelsight.training.dataset import Targets
from steelsight.training.loop.batches import Batch
from steelsight.training.loop.losses import place_loss, sheet_loss
from steelsight.training.recipe import Recipe

__all__ = ["StoredMaps", "descend"]

BATCH = 80
RATE = 0.01  # Adam's, on standardised features; falls to 0 by half a cosine
FLAT = 1e-2  # a channel that varies less is a constant
SAMPLE = 512  # maps from which mean and standard deviation are estimated


@dataclass(frozen=True)
class StoredMaps:
    """Feature maps of all copies of the training sheets, with their targets, weights and masks."""

    maps: Tensor  # (n, k, gh, gw) bfloat16
    targets: Tensor  # (n,) int64 or (n, c) float32
    weights: Tensor  # (n,) sampling weight
    shares: Tensor | None  # (n, h, w) uint8
    known: Tensor | None  # (n,) bool
    clean: int | None = 0  # class of the defect-free sheets; None = there is no such class

    @classmethod
    def gather(
        cls,
        parts: Iterable[tuple[Tensor, Batch]],
        targets: Targets,
        weights: Float[np.ndarray, " n"],
        clean: int | None = 0,
    ) -> StoredMaps:
        """Collect feature maps and the masks of their batches."""
        maps, shares, known = [], [], []
        for features, batch in parts:
            maps.append(features.to(torch.bfloat16))
            if batch.shares is not None and batch.known is not None:
                shares.append(batch.shares)
                known.append(batch.known)
        return cls(
            maps=torch.cat(maps),
            targets=torch.from_numpy(targets),
            weights=torch.from_numpy(weights),
            shares=torch.cat(shares) if shares else None,
            known=torch.cat(known) if known else None,
            clean=clean,
        )

    def standard(self) -> tuple[Float[Tensor, " k"], Float[Tensor, " k"]]:
        """Mean and standard deviation of each channel; that of a constant channel is infinite."""
        sample = self.maps[:: max(1, len(self.maps) // SAMPLE)].float()
        spread = sample.std((0, 2, 3))
        return sample.mean((0, 2, 3)), torch.where(spread < FLAT, torch.inf, spread)


def descend(
    head: DirectHead | AverageMaxHead, stored: StoredMaps, recipe: Recipe, *, generator: torch.Generator
) -> float:
    """Minimise the recipe's loss + penalty/2 |w|^2 from zero weights and set the head in place.

    generator  draws the batches, in proportion to the maps' weights
    returns    mean loss over the last tenth of the steps
    """
    mean, spread = stored.standard()
    fitted = deepcopy(head).eval()  # no dropout: the penalty regularises
    outputs, width = fitted.conv.weight.shape[:2]
    fitted.set_linear(torch.zeros(outputs, width), torch.zeros(outputs))
    optimiser = torch.optim.Adam(fitted.parameters(), lr=RATE)
    steps, losses = recipe.probe.steps, []
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        rows = torch.multinomial(stored.weights, BATCH, replacement=True, generator=generator)
        loss = _loss(fitted, stored, rows, mean, spread, recipe)
        penalty = recipe.probe.penalty / 2 * fitted.conv.weight.square().sum()
        optimiser.zero_grad()
        (loss + penalty).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    _fold(head, fitted, mean, spread)
    return float(np.mean(losses[-max(1, steps // 10) :]))


def _loss(
    fitted: DirectHead | AverageMaxHead,
    stored: StoredMaps,
    rows: Tensor,
    mean: Tensor,
    spread: Tensor,
    recipe: Recipe,
) -> Tensor:
    maps = stored.maps[rows.to(stored.maps.device)].float()
    logits, class_map = fitted.logits_and_map((maps - mean[:, None, None]) / spread[:, None, None])
    targets = stored.targets[rows].to(maps.device)
    loss = sheet_loss(logits, targets, label_smoothing=recipe.loss.label_smoothing)
    if stored.shares is None or stored.known is None:
        return loss
    shares, known = stored.shares[rows].to(maps.device), stored.known[rows].to(maps.device)
    return loss + recipe.loss.masks * place_loss(class_map, targets, shares, known, recipe.loss, stored.clean)


@torch.no_grad()
def _fold(
    head: DirectHead | AverageMaxHead, fitted: DirectHead | AverageMaxHead, mean: Tensor, spread: Tensor
) -> None:
    """Set the head to the fitted weights, with the standardisation folded in."""
    repeats = fitted.conv.in_channels // mean.numel()  # 2 for average and maximum
    weight = fitted.conv.weight.flatten(1) / spread.repeat(repeats)
    bias = torch.zeros(len(weight)) if fitted.conv.bias is None else fitted.conv.bias
    head.set_linear(weight, bias - weight @ mean.repeat(repeats))
