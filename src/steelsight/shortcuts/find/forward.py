"""One forward pass over sheets: logits, the heatmap of every class, and relevance-weighted features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32

from steelsight.explanations.gradcam import class_maps
from steelsight.models.capture import at_rest
from steelsight.models.catalog import SheetClassifier
from steelsight.models.inputs import to_input
from steelsight.types import GrayBatch, Logits

__all__ = ["ForwardPass", "forward"]


@dataclass(frozen=True)
class ForwardPass:
    """A model's outputs on sheets and their explanations."""

    logits: Logits  # (n, c)
    maps: Float32[np.ndarray, "n c gh gw"]  # Grad-CAM, signed, on the grid of the features
    embeddings: Float32[
        np.ndarray, "n d"
    ]  # features, averaged with the positive part of the verdict's map as weights

    @property
    def verdict_maps(self) -> Float32[np.ndarray, "n gh gw"]:
        """The map of each sheet's own verdict."""
        own: Float32[np.ndarray, "n gh gw"] = self.maps[np.arange(len(self.maps)), self.logits.argmax(1)]
        return own


def forward(model: SheetClassifier, images: GrayBatch, *, batch: int = 32) -> ForwardPass:
    """Run a model on gray sheets, with Grad-CAM of every class in the same pass.

    images  (n, h, w) uint8, at least one
    batch   sheets per pass
    raises  BadInput for a head without a closed form of Grad-CAM
    """
    device = next(model.parameters()).device
    logits, maps, embeddings = [], [], []
    with at_rest(model), torch.no_grad():
        for start in range(0, len(images), batch):
            gray = torch.from_numpy(np.array(images[start : start + batch])).to(device)
            features = model.features(to_input(gray))
            explained = class_maps(model.head, features)
            own = explained.maps[torch.arange(len(gray)), explained.logits.argmax(1)].clamp_min(
                0
            )  # (n, gh, gw)
            weight = own.flatten(1) + 1e-6 * own.amax((1, 2))[:, None] + 1e-12
            weight = weight / weight.sum(1, keepdim=True)
            averaged = torch.einsum("nkp,np->nk", features.flatten(2), weight)
            logits.append(explained.logits.float().cpu().numpy())
            maps.append(explained.maps.float().cpu().numpy())
            embeddings.append(averaged.float().cpu().numpy())
    return ForwardPass(np.concatenate(logits), np.concatenate(maps), np.concatenate(embeddings))
