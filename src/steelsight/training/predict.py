"""Logits and features of a model for many sheets, in order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32

from steelsight.models.capture import at_rest
from steelsight.models.catalog import SheetClassifier
from steelsight.models.inputs import to_input
from steelsight.types import GrayBatch, Logits

__all__ = ["ModelOutputs", "add_noise", "predict_logits", "predict_views"]

VIEWS: tuple[tuple[int, ...], ...] = ((), (3,), (2,), (2, 3))  # flipped axes of (n, 3, h, w)


def predict_logits(
    model: SheetClassifier,
    images: GrayBatch,
    *,
    batch: int = 32,
    noise_sigma: float = 0.0,
    generator: torch.Generator | None = None,
) -> Logits:
    """Logits of gray sheets in single precision.

    images       (n, h, w) uint8; a memory-mapped file is read batch by batch
    noise_sigma  adds sigma Z, Z ~ N(0, I), in normalised units, independent in the three channels: the
                 study's X'
    generator    draws Z; None = one seeded with 0, so that the same sheets get the same noise
    returns      (n, c) float32; the model is left in the mode it came in
    """
    was_training = model.training
    device = next(model.parameters()).device
    generator = generator if generator is not None else torch.Generator().manual_seed(0)
    logits = []
    model.eval()
    try:
        with torch.inference_mode():
            for start in range(0, len(images), batch):
                gray = torch.from_numpy(np.array(images[start : start + batch]))
                inputs = add_noise(to_input(gray.to(device)), noise_sigma, generator)
                logits.append(model(inputs).float().cpu().numpy())
    finally:
        model.train(was_training)
    if not logits:
        return np.zeros((0, _outputs(model, images.shape[1:])), dtype=np.float32)
    return np.concatenate(logits)


@dataclass(frozen=True)
class ModelOutputs:
    """Outputs of a model for some sheets, in their order."""

    logits: Logits  # of the sheets as they are
    features: Float32[np.ndarray, "n d"]  # mean of the feature maps over positions
    views: Float32[np.ndarray, "v n c"]  # logits as they are, and flipped left-right, top-bottom, both ways


def predict_views(model: SheetClassifier, images: GrayBatch, *, batch: int = 32) -> ModelOutputs:
    """Logits, features, and logits of the four flips.

    images  (n, h, w) uint8
    """
    flips: list[list[Logits]] = [[] for _ in VIEWS]
    features = []
    device = next(model.parameters()).device
    with at_rest(model), torch.inference_mode():
        for start in range(0, len(images), batch):
            inputs = to_input(torch.from_numpy(np.array(images[start : start + batch])).to(device))
            maps = model.features(inputs)
            features.append(maps.mean((2, 3)).float().cpu().numpy())
            for row, axes in zip(flips, VIEWS, strict=True):
                answer = model(inputs.flip(axes)) if axes or model.patches > 1 else model.head(maps)
                row.append(answer.float().cpu().numpy())
    views = np.stack([np.concatenate(row) for row in flips])
    return ModelOutputs(views[0], np.concatenate(features), views)


def add_noise(inputs: torch.Tensor, sigma: float, generator: torch.Generator) -> torch.Tensor:
    """X + sigma Z in the layout of X, (n, 3, h, w); sigma 0 gives X itself."""
    if sigma == 0:
        return inputs
    rows = inputs.permute(0, 2, 3, 1)  # (n, h, w, 3): drawn in memory order
    noise = torch.randn(rows.shape, generator=generator, dtype=inputs.dtype)
    return (rows + sigma * noise.to(inputs.device)).permute(0, 3, 1, 2)


def _outputs(model: SheetClassifier, size: tuple[int, ...]) -> int:
    with torch.inference_mode():
        return int(model(torch.zeros(1, 3, *size, device=next(model.parameters()).device)).shape[1])
