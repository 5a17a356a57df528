"""Fit a head by gradient steps on stored feature maps: for poolings with a bend in them, and for masks.

It is the head's own arithmetic on standardised maps, so whatever the head can do can be fitted. Maps are kept
in bf16. Standardising a channel is a rising straight line, and so commutes with averages and maxima.
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
SAMPLE = 512  # maps that tell mean and spread


@dataclass(frozen=True)
class StoredMaps:
    """Feature maps of all copies of the training sheets, and what is known of each."""

    maps: Tensor  # (n, k, gh, gw) bfloat16
    targets: Tensor  # (n,) int64 or (n, c) float32
    weights: Tensor  # (n,) how often a map is drawn
    shares: Tensor | None  # (n, h, w) uint8
    known: Tensor | None  # (n,) bool

    @classmethod
    def gather(
        cls, parts: Iterable[tuple[Tensor, Batch]], targets: Targets, weights: Float[np.ndarray, " n"]
    ) -> StoredMaps:
        """Keep what an iterator of feature maps yields."""
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
        )

    def standard(self) -> tuple[Float[Tensor, " k"], Float[Tensor, " k"]]:
        """Mean and spread of each channel over places; the spread of a constant is infinite."""
        sample = self.maps[:: max(1, len(self.maps) // SAMPLE)].float()
        spread = sample.std((0, 2, 3))
        return sample.mean((0, 2, 3)), torch.where(spread < FLAT, torch.inf, spread)


def descend(
    head: DirectHead | AverageMaxHead, stored: StoredMaps, recipe: Recipe, *, generator: torch.Generator
) -> float:
    """Minimise the recipe's loss + penalty/2 |w|^2, from zero weights; returns the last tenth's mean loss.

    generator  draws the batches, each map as often as it weighs
    """
    mean, spread = stored.standard()
    student = deepcopy(head).eval()  # no dropout: the penalty regularises
    outputs, width = student.conv.weight.shape[:2]
    student.set_linear(torch.zeros(outputs, width), torch.zeros(outputs))
    optimiser = torch.optim.Adam(student.parameters(), lr=RATE)
    steps, losses = recipe.probe.steps, []
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        rows = torch.multinomial(stored.weights, BATCH, replacement=True, generator=generator)
        loss = _loss(student, stored, rows, mean, spread, recipe)
        penalty = recipe.probe.penalty / 2 * student.conv.weight.square().sum()
        optimiser.zero_grad()
        (loss + penalty).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    _fold(head, student, mean, spread)
    return float(np.mean(losses[-max(1, steps // 10) :]))


def _loss(
    student: DirectHead | AverageMaxHead,
    stored: StoredMaps,
    rows: Tensor,
    mean: Tensor,
    spread: Tensor,
    recipe: Recipe,
) -> Tensor:
    maps = stored.maps[rows.to(stored.maps.device)].float()
    logits, class_map = student.judge((maps - mean[:, None, None]) / spread[:, None, None])
    targets = stored.targets[rows].to(maps.device)
    loss = sheet_loss(logits, targets, label_smoothing=recipe.loss.label_smoothing)
    if stored.shares is None or stored.known is None:
        return loss
    shares, known = stored.shares[rows].to(maps.device), stored.known[rows].to(maps.device)
    return loss + recipe.loss.masks * place_loss(class_map, targets, shares, known, recipe.loss)


@torch.no_grad()
def _fold(
    head: DirectHead | AverageMaxHead, student: DirectHead | AverageMaxHead, mean: Tensor, spread: Tensor
) -> None:
    """Weights on features as they are that do what the student's do on standardised ones."""
    repeats = student.conv.in_channels // mean.numel()  # 2 for average and maximum
    weight = student.conv.weight.flatten(1) / spread.repeat(repeats)
    bias = torch.zeros(len(weight)) if student.conv.bias is None else student.conv.bias
    head.set_linear(weight, bias - weight @ mean.repeat(repeats))
