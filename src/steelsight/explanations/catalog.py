"""Every explanation method by its command-line name; a new method needs one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from steelsight.errors import BadRecipe
from steelsight.explanations.deeplift.api import deep_lift, deep_shap
from steelsight.explanations.gradcam import grad_cam
from steelsight.explanations.gradient import gradient
from steelsight.explanations.guided import guided_backprop, guided_grad_cam
from steelsight.explanations.integrated import integrated_gradients
from steelsight.explanations.lime.api import lime

__all__ = ["METHODS", "Method", "find_method"]


@dataclass(frozen=True)
class Method:
    """One explanation method: (model, images, target, **settings) → (n, h, w) signed maps."""

    title: str
    explain: Callable[..., Tensor]
    layer: bool = False  # takes `layer`
    baselines: bool = False  # takes `baselines`
    sampled: bool = False  # takes `generator`


METHODS: dict[str, Method] = {
    "gradcam": Method("Grad-CAM", grad_cam, layer=True),
    "guided_gradcam": Method("Guided Grad-CAM", guided_grad_cam, layer=True),
    "guided_backprop": Method("Guided Backpropagation", guided_backprop),
    "integrated_gradients": Method("Integrated Gradients", integrated_gradients, baselines=True),
    "deeplift": Method("DeepLift", deep_lift, baselines=True),
    "deepshap": Method("DeepSHAP", deep_shap, baselines=True),
    "lime": Method("LIME", lime, baselines=True, sampled=True),
    "gradient": Method("Gradient", gradient),
}


def find_method(name: str) -> Method:
    """The method of that name; raises BadRecipe, listing those that exist."""
    if name not in METHODS:
        raise BadRecipe(f"method: expected one of {', '.join(METHODS)}, got {name!r}")
    return METHODS[name]
