"""Guided backpropagation, and its product with Grad-CAM."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from steelsight.explanations.chunks import MEMORY_MB
from steelsight.explanations.fast.ways import fast_guided
from steelsight.explanations.gradcam import grad_cam
from steelsight.explanations.gradient import summed_gradients
from steelsight.explanations.rules import GuidedRule
from steelsight.explanations.targets import Target

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
    coarse = grad_cam(model, images, target, layer=layer).clamp(min=0)
    return guided_backprop(model, images, target, memory_mb=memory_mb) * coarse
