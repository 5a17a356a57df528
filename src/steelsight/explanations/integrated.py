"""Integrated gradients, with the completeness error of each map.

The integral along the straight line from baseline to image is taken at Gauss-Legendre nodes. A network of
ReLUs is piecewise linear along the line, so no fixed number of nodes is exact: the difference between a map's
sum and logit(image) - logit(baseline), the completeness error, is reported. Where a bound is given, nodes
are doubled until the error is below it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.explanations.baselines import match_baselines
from steelsight.explanations.chunks import MEMORY_MB, rows_within
from steelsight.explanations.gradient import slope
from steelsight.explanations.targets import Target, check_images, check_logits, resolve_targets
from steelsight.models.capture import at_rest

__all__ = ["IntegratedReport", "integrated_gradients", "integrated_gradients_report"]

STEPS = 50  # the common choice, and the study's library's default
MOST_STEPS = 1600


class IntegratedReport(NamedTuple):
    """Maps of n images and their completeness errors."""

    maps: Float[Tensor, "n h w"]
    error: Float[Tensor, " n"]  # |sum of the map - (logit(image) - logit(baseline))|, in logits
    relative_error: Float[Tensor, " n"]  # the same over |logit(image) - logit(baseline)|
    steps: Int[Tensor, " n"]  # nodes used


def integrated_gradients(
    model: nn.Module,
    images: Tensor,
    target: Target,
    *,
    baselines: Tensor | None = None,
    steps: int = STEPS,
    error_bound: float | None = None,
    memory_mb: float = MEMORY_MB,
) -> Float[Tensor, "n h w"]:
    """Mean gradient between baseline and image, times their difference; summed over channels, signed.

    images       (n, c, h, w) float32, in the model's own units
    target       class index, one for all or (n,)
    baselines    (1 or n, c, h, w); None = a black sheet
    steps        Gauss-Legendre nodes
    error_bound  largest relative completeness error; nodes double until it is met, up to 1600
    raises       BadInput for what cannot be explained
    source       Sundararajan et al. 2017
    """
    return integrated_gradients_report(
        model,
        images,
        target,
        baselines=baselines,
        steps=steps,
        error_bound=error_bound,
        memory_mb=memory_mb,
    ).maps


def integrated_gradients_report(
    model: nn.Module,
    images: Tensor,
    target: Target,
    *,
    baselines: Tensor | None = None,
    steps: int = STEPS,
    error_bound: float | None = None,
    memory_mb: float = MEMORY_MB,
) -> IntegratedReport:
    """As integrated_gradients, with the completeness error of each map and the nodes it took."""
    check_images(images, "integrated gradients")
    starts = match_baselines(baselines, images, "integrated gradients")
    if steps < 1:
        raise BadInput(f"integrated gradients steps: expected at least 1, got {steps}")
    if error_bound is not None and not error_bound > 0:
        raise BadInput(f"integrated gradients error_bound: expected above 0, got {error_bound}")
    count = len(images)
    maps = torch.zeros(count, *images.shape[2:])
    used = torch.zeros(count, dtype=torch.int64)
    if not count:
        return IntegratedReport(maps, torch.zeros(0), torch.zeros(0), used)
    with torch.inference_mode(False), at_rest(model):
        logits, before = _end_logits(model, images, starts, memory_mb)
        classes = resolve_targets(target, logits, "integrated gradients")
        wanted = (logits - before).gather(1, classes[:, None])[:, 0].double()
        left = torch.arange(count)
        nodes = steps
        while len(left):
            for index in left.tolist():
                maps[index] = _integrate(
                    model, images[index], starts[index], classes[index], nodes, memory_mb
                )
                used[index] = nodes
            error = (maps.double().sum((1, 2)) - wanted).abs()
            relative = error / wanted.abs().clamp(min=1e-12)
            nodes *= 2
            if error_bound is None or nodes > MOST_STEPS:
                break
            left = (relative > error_bound).nonzero()[:, 0]
    return IntegratedReport(maps, error.float(), relative.float(), used)


def _end_logits(model: nn.Module, images: Tensor, starts: Tensor, memory_mb: float) -> tuple[Tensor, Tensor]:
    """Logits of the images and of the baselines; a shared baseline runs once."""
    alone = starts[:1] if starts.stride(0) == 0 else starts
    with torch.no_grad():
        rows = rows_within(model, images[0], memory_mb)
        logits, before = (
            torch.cat([model(batch[at : at + rows]) for at in range(0, len(batch), rows)])
            for batch in (images, alone)
        )
    check_logits(logits, len(images), "integrated gradients")
    return logits, before


def _integrate(
    model: nn.Module,
    image: Tensor,
    start: Tensor,
    target_class: Tensor,
    nodes: int,
    memory_mb: float,
) -> Float[Tensor, "h w"]:
    """One image's map at that many nodes."""
    places, weights = _nodes(nodes)
    difference = image - start
    rows = rows_within(model, image, memory_mb, most=10)  # larger batches leave the processor's cache
    total = torch.zeros(image.shape, dtype=torch.float64)
    with torch.enable_grad():
        for at in range(0, nodes, rows):
            leaf = (start + places[at : at + rows, None, None, None] * difference).detach().requires_grad_()
            logits = model(leaf)[:, target_class]
            total += slope((logits * weights[at : at + rows]).sum(), leaf).double().sum(0)
    return (total * difference).sum(0).float()


def _nodes(count: int) -> tuple[Float[Tensor, " k"], Float[Tensor, " k"]]:
    """Gauss-Legendre nodes and weights on 0..1."""
    places, weights = np.polynomial.legendre.leggauss(count)
    return torch.from_numpy((places + 1) / 2).float(), torch.from_numpy(weights / 2).float()
