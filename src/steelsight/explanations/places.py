"""Evidence of the place head as a map: where a class is, on a finer grid than the class map's."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.explanations.gradcam import upsample
from steelsight.explanations.targets import Target, check_images, resolve_targets
from steelsight.models.capture import at_rest
from steelsight.models.classifier import SheetClassifier

__all__ = ["place_evidence"]


def place_evidence(model: nn.Module, images: Tensor, target: Target) -> Float[Tensor, "n h w"]:
    """Log odds of a class against "no defect" at each place. The verdict does not depend on them.

    images  (n, 3, h, w) float32, in the model's own input units
    target  class index, one for all or (n,)
    returns float32, signed; bilinear from the grid of the place head
    raises  BadInput for a model without place head, or another type, shape or target
    """
    if not isinstance(model, SheetClassifier):
        raise BadInput(f"places: expected a network with a place head, got {type(model).__name__}")
    check_images(images, "places")
    with torch.no_grad(), at_rest(model):
        maps = model.place_map(images.detach())
    rows = torch.arange(len(maps), device=maps.device)
    chosen = maps[rows, resolve_targets(target, maps[:, :, 0, 0], "places")]
    return upsample(chosen, (images.shape[2], images.shape[3]))
