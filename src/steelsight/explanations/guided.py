"""Guided backpropagation, and its product with Grad-CAM."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from steelsight.explanations.backward_rules import GuidedRule
from steelsight.explanations.chunks import MEMORY_MB, rows_within
from steelsight.explanations.fast.gradients import fast_guided
from steelsight.explanations.fast.net import fast_net
from steelsight.explanations.gradcam import class_maps, coarse_grad_cam, upsample
from steelsight.explanations.gradient import class_axis, summed_gradients
from steelsight.explanations.targets import Target, check_images, resolve_targets
from steelsight.models.capture import at_rest

__all__ = ["guided_backprop", "guided_grad_cam"]


def guided_backprop(
    model: nn.Module, images: Tensor, target: Target, *, memory_mb: float = MEMORY_MB
) -> Float[Tensor, "n h w"]:
    """The gradient with ReLUs that let through positive gradients only, summed over channels.

    images  (n, c, h, w) float32, in the model's own units
    target  class index, one for all or (n,)
    raises  BadInput for images or targets that cannot be explained
    source  Springenberg et al. 2015
    """
    return summed_gradients(
        model, images, target, "guided backpropagation", fast_guided, GuidedRule, memory_mb
    )


def guided_grad_cam(
    model: nn.Module,
    images: Tensor,
    target: Target,
    *,
    layer: str = "features",
    memory_mb: float = MEMORY_MB,
) -> Float[Tensor, "n h w"]:
    """Guided backpropagation where Grad-CAM is positive, weighted by it.

    images  (n, c, h, w) float32, in the model's own units
    layer   of Grad-CAM
    raises  UnknownLayer, listing the names that exist; BadInput as guided_backprop
    source  Selvaraju et al. 2017, section 3.2: the map after its ReLU, bilinear to the image's size
    """
    if layer == "features":
        shared = _shared_pass(model, images, target, memory_mb)
        if shared is not None:
            return shared
    coarse = coarse_grad_cam(model, images, target, layer=layer).clamp(min=0)
    spread = upsample(coarse, (images.shape[2], images.shape[3]))
    return guided_backprop(model, images, target, memory_mb=memory_mb) * spread


def _shared_pass(
    model: nn.Module, images: Tensor, target: Target, memory_mb: float
) -> Float[Tensor, "n h w"] | None:
    """Both factors from one forward pass, where the model is the catalog's; None otherwise."""
    check_images(images, "guided Grad-CAM")
    net = fast_net(model, images) if len(images) else None
    if net is None:
        return None
    size = (images.shape[2], images.shape[3])
    parts = []
    with torch.inference_mode(False), at_rest(net.head):
        classes = resolve_targets(target, class_axis(net, model, images), "guided Grad-CAM")
        rows = rows_within(model, images[0], memory_mb)
        for at in range(0, len(images), rows):
            stored = net.forward(images[at : at + rows], signs=True)
            chosen = classes[at : at + rows]
            with torch.no_grad():
                maps = class_maps(net.head, stored.features).maps
                coarse = upsample(maps[torch.arange(len(chosen)), chosen].clamp(min=0), size)
            parts.append(fast_guided(net, stored, chosen, size) * coarse)
    return torch.cat(parts)
