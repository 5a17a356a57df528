"""The candidates of the league: the catalog's methods, combinations of them, references without a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from steelsight.explanations import ensembles as fusions
from steelsight.explanations.baselines import make_baselines
from steelsight.explanations.benchmark.scoring import Explain
from steelsight.explanations.catalog import METHODS, Method
from steelsight.explanations.gradcam import grad_cam
from steelsight.explanations.guided import guided_backprop
from steelsight.explanations.places import place_evidence
from steelsight.models.classifier import SheetClassifier
from steelsight.models.heads import DirectHead
from steelsight.models.inputs import to_input
from steelsight.types import GrayBatch

__all__ = ["CANDIDATES", "CandidateMethod"]

Prepare = Callable[[GrayBatch, int], Explain]
REFERENCES = 10  # clean sheets that DeepSHAP compares with, as many as the study's library takes by default

PUBLISHED = {  # the study's names
    "deeplift": "DeepLift",
    "deepshap": "DeepShap",
    "gradcam": "GradCAM",
    "guided_gradcam": "GuidedGradCAM",
    "guided_backprop": "GuidedBackpropagation",
    "integrated_gradients": "IntegratedGradients",
    "lime": "LIME",
}


@dataclass(frozen=True)
class CandidateMethod:
    """A method that the league can score."""

    title: str
    prepare: Prepare  # (clean sheets, seed) → the method as the league calls it
    published: str = ""  # its row in the study's tables
    reference: bool = False  # uses no class or no model: shown for comparison, never recommended
    many_sizes: bool = False  # passes images of other sizes to the model
    direct_head: bool = False  # reads the direct head's class map
    place_head: bool = False  # reads the place head
    only_by_name: bool = False  # a variant that is scored only when it is named

    def unsupported_reason(self, model: nn.Module) -> str:
        """Why the method does not support this model; "" = it does."""
        if self.many_sizes and isinstance(model, SheetClassifier) and model.needs_its_size:
            return f"model {model.name} takes images of one size only"
        if self.direct_head and not (
            isinstance(model, SheetClassifier) and isinstance(model.head, DirectHead)
        ):
            return "only models with the direct head have a class map"
        if self.place_head and not (isinstance(model, SheetClassifier) and model.places is not None):
            return "only models trained with places.hidden above 0 have a place head"
        return ""


def _plain(explain: Explain) -> Prepare:
    return lambda _clean, _seed: explain


def _from_catalog(key: str, method: Method) -> CandidateMethod:
    return CandidateMethod(method.title, _as_called(key, method), PUBLISHED.get(key, ""))


def _as_called(key: str, method: Method) -> Prepare:
    """A catalog method with its own defaults, a fixed seed, and for DeepSHAP clean sheets as baselines."""

    def prepare(clean: GrayBatch, seed: int) -> Explain:
        settings: dict[str, Any] = {}
        if key == "deepshap" and len(clean):
            settings["baselines"] = to_input(torch.from_numpy(clean[:REFERENCES]))

        def explain(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
            if method.sampled:
                settings["generator"] = torch.Generator().manual_seed(seed)
            return method.explain(model, images, target, **settings)

        return explain

    return prepare


def _against(method: Callable[..., Tensor], kind: str) -> Prepare:
    """A method with a baseline other than black; `clean` is the mean clean sheet."""

    def prepare(clean: GrayBatch, _seed: int) -> Explain:
        sheets = to_input(torch.from_numpy(clean)).mean(0, keepdim=True) if len(clean) else None

        def explain(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
            return method(model, images, target, baselines=make_baselines(kind, images, clean=sheets))

        return explain

    return prepare


def _agree(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    return fusions.agree([grad_cam(model, images, target), guided_backprop(model, images, target).abs()])


def _contrast(_model: nn.Module, images: Tensor, _target: Tensor) -> Tensor:
    return fusions.contrast(images)


def _chance(_clean: GrayBatch, seed: int) -> Explain:
    """Smooth noise: the score of a map without information."""

    def explain(_model: nn.Module, images: Tensor, _target: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return fusions.blur(torch.randn((len(images), *images.shape[2:]), generator=generator), 8.0)

    return explain


def _variants() -> dict[str, CandidateMethod]:
    """The methods that take a baseline, with other baselines than black."""
    kinds = ("mean", "blurred", "clean")
    return {
        f"{key}:{kind}": CandidateMethod(
            f"{METHODS[key].title} from {kind}", _against(METHODS[key].explain, kind), only_by_name=True
        )
        for key in ("deeplift", "integrated_gradients")
        for kind in kinds
    }


CANDIDATES: dict[str, CandidateMethod] = {
    **{key: _from_catalog(key, method) for key, method in METHODS.items()},
    "gradcam_guided": CandidateMethod("Grad-CAM and guided agree", _plain(_agree)),
    "gradcam_layers": CandidateMethod("LayerCAM of three stages", _plain(fusions.grad_cam_layers)),
    "gradcam_scales": CandidateMethod(
        "Grad-CAM, three sizes", _plain(fusions.grad_cam_scales), many_sizes=True
    ),
    "gradcam_views": CandidateMethod(
        "Grad-CAM, sizes and flips", _plain(fusions.grad_cam_views), many_sizes=True
    ),
    "gradcam_contrast": CandidateMethod("Grad-CAM x contrast", _plain(fusions.grad_cam_contrast)),
    "gradcam_views_contrast": CandidateMethod(
        "Grad-CAM, sizes and flips, x contrast", _plain(fusions.grad_cam_views_contrast), many_sizes=True
    ),
    "places": CandidateMethod("Place head", _plain(place_evidence), place_head=True),
    "class_map_views": CandidateMethod(
        "Class map, sizes and flips", _plain(fusions.class_map_views), many_sizes=True, direct_head=True
    ),
    "class_map_contrast": CandidateMethod(
        "Class map, sizes and flips, x contrast",
        _plain(fusions.class_map_contrast),
        many_sizes=True,
        direct_head=True,
    ),
    "contrast": CandidateMethod("Contrast of the sheet alone", _plain(_contrast), reference=True),
    "chance": CandidateMethod("Smooth noise", _chance, reference=True),
    **_variants(),
}
