"""Guided backpropagation and guided Grad-CAM, its product with Grad-CAM."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from steelsight.explanations.backward_rules import GuidedRule
from steelsight.explanations.chunks import MEMORY_MB
from steelsight.explanations.gradcam import coarse_grad_cam, upsample
from steelsight.explanations.gradient import input_gradients
from steelsight.explanations.targets import Target

__all__ = ["guided_backprop", "guided_grad_cam"]


def guided_backprop(
    model: nn.Module, images: Tensor, target: Target, *, memory_mb: float = MEMORY_MB
) -> Float[Tensor, "n h w"]:
    """The gradient with ReLUs that pass positive gradients only, summed over channels.

    images  (n, c, h, w) float32, in the model's own units
    target  class index, one for all or (n,)
    raises  BadInput for images or targets that cannot be explained
    source  Springenberg et al. 2015
    """
    method = "guided backpropagation"
    return input_gradients(model, images, target, method, rule=GuidedRule, memory_mb=memory_mb).sum(1)


def guided_grad_cam(
    model: nn.Module,
    images: Tensor,
    target: Target,
    *,
    layer: str = "features",
    memory_mb: float = MEMORY_MB,
) -> Float[Tensor, "n h w"]:
    """Guided backpropagation times the positive part of Grad-CAM.

    images  (n, c, h, w) float32, in the model's own units
    layer   of Grad-CAM
    raises  UnknownLayer, listing the names that exist; BadInput as guided_backprop
    source  Selvaraju et al. 2017, section 3.2: the map after its ReLU, bilinear to the image's size
    """
    coarse = coarse_grad_cam(model, images, target, layer=layer).clamp(min=0)
    spread = upsample(coarse, (images.shape[2], images.shape[3]))
    return guided_backprop(model, images, target, memory_mb=memory_mb) * spread
