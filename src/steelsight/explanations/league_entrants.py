"""Who plays in the league: the catalog's methods, combinations of them, references that know no model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from steelsight.explanations import fusions
from steelsight.explanations.gradcam import grad_cam
from steelsight.explanations.league_tally import Explain
from steelsight.models.classifier import SheetClassifier
from steelsight.models.heads import DirectHead
from steelsight.types import GrayBatch

__all__ = ["ENTRANTS", "Entrant"]


@dataclass(frozen=True)
class Entrant:
    """One candidate."""

    title: str
    prepare: Callable[[GrayBatch, int], Explain]  # (clean sheets, seed) → the method as the league calls it
    published: str = ""  # its row in the study's tables
    reference: bool = False  # knows no class or no model: shown for comparison, never recommended
    many_sizes: bool = False  # shows the model other image sizes
    direct_head: bool = False  # reads the direct head's class map

    def refuses(self, model: nn.Module) -> str:
        """Why this model cannot be explained so; "" = it can."""
        if self.many_sizes and isinstance(model, SheetClassifier) and model.needs_its_size:
            return f"model {model.name} takes images of one size only"
        if self.direct_head and not (
            isinstance(model, SheetClassifier) and isinstance(model.head, DirectHead)
        ):
            return "only models with the direct head have a class map"
        return ""


def _plain(explain: Explain) -> Callable[[GrayBatch, int], Explain]:
    return lambda _clean, _seed: explain


def _chance(_clean: GrayBatch, seed: int) -> Explain:
    """Smooth noise: what a map that knows nothing scores."""

    def explain(_model: nn.Module, images: Tensor, _target: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn((len(images), *images.shape[2:]), generator=generator)
        return fusions.blur(noise, 8.0)

    return explain


def _contrast(_model: nn.Module, images: Tensor, _target: Tensor) -> Tensor:
    return fusions.contrast(images)


def _views(method: Explain) -> Explain:
    return lambda model, images, target: fusions.over_views(method, model, images, target)


ENTRANTS: dict[str, Entrant] = {
    "gradcam": Entrant("Grad-CAM", _plain(grad_cam), "GradCAM"),
    "gradcam_layers": Entrant("LayerCAM of three stages", _plain(fusions.grad_cam_layers)),
    "gradcam_scales": Entrant("Grad-CAM at three sizes", _plain(fusions.grad_cam_scales), many_sizes=True),
    "gradcam_views": Entrant(
        "Grad-CAM at three sizes and four flips", _plain(_views(fusions.grad_cam_scales)), many_sizes=True
    ),
    "gradcam_contrast": Entrant("Grad-CAM times the sheet's contrast", _plain(fusions.grad_cam_contrast)),
    "contrast": Entrant("The sheet's contrast alone", _plain(_contrast), reference=True),
    "chance": Entrant("Smooth noise", _chance, reference=True),
}
