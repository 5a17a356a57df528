"""The gradient, and the loop over a batch that all backward methods share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from jaxtyping import Float
from torch import Tensor, nn

from steelsight.explanations.chunks import MEMORY_MB, rows_within
from steelsight.explanations.targets import Target, check_images, check_logits, resolve_targets
from steelsight.models.capture import at_rest

__all__ = ["gradient", "input_gradients", "slope"]

Rule = Callable[[], AbstractContextManager[object]]


def gradient(
    model: nn.Module, images: Tensor, target: Target, *, memory_mb: float = MEMORY_MB
) -> Float[Tensor, "n h w"]:
    """Gradient of a class's logit with respect to each pixel, summed over channels, signed.

    images  (n, c, h, w) float32, in the model's own units
    target  class index, one for all or (n,)
    returns float32, logit per input unit
    raises  BadInput for images or targets that cannot be explained
    source  Simonyan et al. 2014, section 3
    """
    return input_gradients(model, images, target, "gradient", memory_mb=memory_mb).sum(1)


def input_gradients(
    model: nn.Module,
    images: Tensor,
    target: Target,
    method: str,
    *,
    rule: Rule = nullcontext,
    memory_mb: float = MEMORY_MB,
) -> Float[Tensor, "n c h w"]:
    """Gradients of the targets' logits under a backward rule, chunk by chunk, whatever the autograd mode.

    method  name for messages
    rule    makes the context in which the model runs; see backward_rules
    """
    check_images(images, method)
    if not len(images):
        return torch.zeros_like(images)
    with torch.inference_mode(False), torch.enable_grad(), at_rest(model):
        rows = rows_within(model, images[0], memory_mb)
        classes: Tensor | None = None
        parts = []
        for start in range(0, len(images), rows):
            leaf = images[start : start + rows].detach().clone().requires_grad_()
            with rule():
                logits = model(leaf)
            check_logits(logits, len(leaf), method)
            if classes is None:
                classes = resolve_targets(target, logits[:1].detach().expand(len(images), -1), method)
            chosen = logits.gather(1, classes[start : start + rows, None]).sum()
            parts.append(slope(chosen, leaf))
    return torch.cat(parts)


def slope(chosen: Tensor, leaf: Tensor) -> Tensor:
    """∂chosen/∂leaf; zero where the logits do not depend on the input."""
    if not chosen.requires_grad:
        return torch.zeros_like(leaf)
    return torch.autograd.grad(chosen, leaf, materialize_grads=True, allow_unused=True)[0]
