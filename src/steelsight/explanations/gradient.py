"""The plain gradient, and the walk over a batch that every backward method shares."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from jaxtyping import Float
from torch import Tensor, nn

from steelsight.explanations.chunks import MEMORY_MB, rows_within
from steelsight.explanations.fast.gradients import fast_gradient
from steelsight.explanations.fast.net import FastNet, StoredPass, fast_net
from steelsight.explanations.targets import Target, check_images, check_logits, resolve_targets
from steelsight.models.capture import at_rest
from steelsight.models.classifier import SheetClassifier

__all__ = ["class_axis", "gradient", "input_gradients", "slope", "summed_gradients"]

Rule = Callable[[], AbstractContextManager[object]]


def gradient(
    model: nn.Module, images: Tensor, target: Target, *, memory_mb: float = MEMORY_MB
) -> Float[Tensor, "n h w"]:
    """How a class's logit changes with each pixel, summed over channels, signed.

    images  (n, c, h, w) float32, in the model's own units
    target  class index, one for all or (n,)
    returns float32, logit per input unit
    raises  BadInput for images or targets that cannot be explained
    source  Simonyan et al. 2014, section 3
    """
    return summed_gradients(model, images, target, "gradient", fast_gradient, nullcontext, memory_mb)


def summed_gradients(
    model: nn.Module,
    images: Tensor,
    target: Target,
    method: str,
    fast: Callable[[FastNet, StoredPass, Tensor, tuple[int, int]], Tensor],
    rule: Rule,
    memory_mb: float,
) -> Float[Tensor, "n h w"]:
    """Input gradients under a rule, summed over channels: the quick way where there is one, else autograd."""
    check_images(images, method)
    net = fast_net(model, images) if len(images) else None
    if net is None:
        return input_gradients(model, images, target, method, rule=rule, memory_mb=memory_mb).sum(1)
    size = (images.shape[2], images.shape[3])
    with torch.inference_mode(False), at_rest(net.head):  # the rest of the model is not run
        rows = rows_within(model, images[0], memory_mb)
        classes = resolve_targets(target, class_axis(net, model, images), method)
        return torch.cat(
            [
                fast(net, net.forward(images[at : at + rows], signs=True), classes[at : at + rows], size)
                for at in range(0, len(images), rows)
            ]
        )


def class_axis(net: FastNet, model: nn.Module, images: Tensor) -> Float[Tensor, "n c"]:
    """Zeros with a row an image and a column a class, for checking targets before any work."""
    if isinstance(model, SheetClassifier):
        model.check(images)
    return torch.zeros(1, net.classes).expand(len(images), -1)


def input_gradients(
    model: nn.Module,
    images: Tensor,
    target: Target,
    method: str,
    *,
    rule: Rule = nullcontext,
    memory_mb: float = MEMORY_MB,
) -> Float[Tensor, "n c h w"]:
    """Gradients of the targets' logits under a backward rule, chunk by chunk, outside any autograd mode.

    rule    makes the context in which the model runs; see rules
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
    """∂chosen/∂leaf; zero where the model ignores its input."""
    if not chosen.requires_grad:
        return torch.zeros_like(leaf)
    return torch.autograd.grad(chosen, leaf, materialize_grads=True, allow_unused=True)[0]
