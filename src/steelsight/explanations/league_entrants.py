"""Who plays in the league: the catalog's methods, combinations of them, references that know no model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from steelsight.explanations import fusions
from steelsight.explanations.baselines import BaselineName, make_baselines
from steelsight.explanations.deeplift import deep_lift, deep_shap
from steelsight.explanations.gradcam import grad_cam
from steelsight.explanations.gradient import gradient
from steelsight.explanations.guided import guided_backprop, guided_grad_cam
from steelsight.explanations.integrated import integrated_gradients
from steelsight.explanations.league_tally import Explain
from steelsight.explanations.lime import lime
from steelsight.models.classifier import SheetClassifier
from steelsight.models.inputs import to_input
from steelsight.types import GrayBatch

__all__ = ["ENTRANTS", "Entrant"]

Prepare = Callable[[GrayBatch, int], Explain]
REFERENCES = 10  # clean sheets that DeepSHAP compares with, as many as the study's library takes by default


@dataclass(frozen=True)
class Entrant:
    """One candidate."""

    title: str
    prepare: Prepare  # (clean sheets, seed) → the method as the league calls it
    published: str = ""  # its row in the study's tables
    reference: bool = False  # knows no class or no model: shown for comparison, never recommended
    many_sizes: bool = False  # shows the model other image sizes
    asked_only: bool = False  # a variant that plays only when it is named

    def refuses(self, model: nn.Module) -> str:
        """Why this model cannot be explained so; "" = it can."""
        if self.many_sizes and isinstance(model, SheetClassifier) and model.needs_its_size:
            return f"model {model.name} takes images of one size only"
        return ""


def _plain(explain: Explain) -> Prepare:
    return lambda _clean, _seed: explain


def _shap(clean: GrayBatch, _seed: int) -> Explain:
    """Against clean sheets where there are any, else against black."""
    references = to_input(torch.from_numpy(clean[:REFERENCES])) if len(clean) else None
    return lambda model, images, target: deep_shap(model, images, target, baselines=references)


def _against(method: Callable[..., Tensor], kind: BaselineName) -> Prepare:
    """A method that counts from a baseline, with another one than black; `clean` is the mean clean sheet."""

    def prepare(clean: GrayBatch, _seed: int) -> Explain:
        sheets = to_input(torch.from_numpy(clean)).mean(0, keepdim=True) if len(clean) else None

        def explain(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
            return method(model, images, target, baselines=make_baselines(kind, images, clean=sheets))

        return explain

    return prepare


def _lime(_clean: GrayBatch, seed: int) -> Explain:
    """With the same samples for the same sheets."""

    def explain(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        return lime(model, images, target, generator=torch.Generator().manual_seed(seed))

    return explain


def _agree(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    return fusions.agree([grad_cam(model, images, target), guided_backprop(model, images, target).abs()])


def _contrast(_model: nn.Module, images: Tensor, _target: Tensor) -> Tensor:
    return fusions.contrast(images)


def _chance(_clean: GrayBatch, seed: int) -> Explain:
    """Smooth noise: what a map that knows nothing scores."""

    def explain(_model: nn.Module, images: Tensor, _target: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return fusions.blur(torch.randn((len(images), *images.shape[2:]), generator=generator), 8.0)

    return explain


def _variants() -> dict[str, Entrant]:
    methods: dict[str, tuple[str, Any]] = {
        "deeplift": ("DeepLift", deep_lift),
        "integrated_gradients": ("Integrated Gradients", integrated_gradients),
    }
    kinds: tuple[BaselineName, ...] = ("mean", "blurred", "clean")
    return {
        f"{key}:{kind}": Entrant(f"{title} from {kind}", _against(method, kind), asked_only=True)
        for key, (title, method) in methods.items()
        for kind in kinds
    }


ENTRANTS: dict[str, Entrant] = {
    "deeplift": Entrant("DeepLift", _plain(deep_lift), "DeepLift"),
    "deepshap": Entrant("DeepSHAP", _shap, "DeepShap"),
    "gradcam": Entrant("Grad-CAM", _plain(grad_cam), "GradCAM"),
    "guided_gradcam": Entrant("Guided Grad-CAM", _plain(guided_grad_cam), "GuidedGradCAM"),
    "guided_backprop": Entrant("Guided Backpropagation", _plain(guided_backprop), "GuidedBackpropagation"),
    "integrated_gradients": Entrant(
        "Integrated Gradients", _plain(integrated_gradients), "IntegratedGradients"
    ),
    "lime": Entrant("LIME", _lime, "LIME"),
    "gradient": Entrant("Gradient", _plain(gradient)),
    "gradcam_guided": Entrant("Grad-CAM and guided agree", _plain(_agree)),
    "gradcam_layers": Entrant("LayerCAM of three stages", _plain(fusions.grad_cam_layers)),
    "gradcam_scales": Entrant("Grad-CAM, three sizes", _plain(fusions.grad_cam_scales), many_sizes=True),
    "gradcam_views": Entrant("Grad-CAM, sizes and flips", _plain(fusions.grad_cam_views), many_sizes=True),
    "gradcam_contrast": Entrant("Grad-CAM x contrast", _plain(fusions.grad_cam_contrast)),
    "gradcam_views_contrast": Entrant(
        "Grad-CAM, sizes and flips, x contrast", _plain(fusions.grad_cam_views_contrast), many_sizes=True
    ),
    "contrast": Entrant("Contrast of the sheet alone", _plain(_contrast), reference=True),
    "chance": Entrant("Smooth noise", _chance, reference=True),
    **_variants(),
}
