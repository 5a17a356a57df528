"""Checks shared by all methods: images, logits and target classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from steelsight.errors import BadInput

__all__ = ["Target", "check_images", "check_logits", "resolve_targets"]

Target = Tensor | Sequence[int] | int


def check_images(images: Tensor, method: str) -> None:
    """Refuse anything but finite float32 images of shape (n, channels, h, w); raises BadInput."""
    if images.is_meta or images.layout != torch.strided:
        came = f"a tensor on {images.device}, {images.layout}"
        raise BadInput(f"{method}: expected images with values in memory, got {came}; make them dense")
    if images.ndim != 4 or images.dtype != torch.float32:
        raise BadInput(
            f"{method}: expected float32 images of shape (n, channels, h, w), got {images.dtype} of shape "
            f"{tuple(images.shape)}; make them with models.inputs.to_input"
        )
    # The sum is ten times faster to check, and not finite wherever a value is not.
    if not torch.isfinite(images.sum()) and not torch.isfinite(images).all():
        wrong = (~torch.isfinite(images)).flatten(1).any(1).nonzero().flatten().tolist()
        raise BadInput(f"{method}: expected finite images, image {wrong[0]} holds NaN or infinity")


def check_logits(logits: object, count: int, method: str) -> None:
    """Refuse a model whose output is not (n, classes) of floating point; raises BadInput."""
    if not isinstance(logits, Tensor):
        raise BadInput(
            f"{method}: expected a model that gives one tensor of logits ({count}, classes), "
            f"got {type(logits).__name__}; wrap it in a module that returns the logits alone"
        )
    if not logits.is_floating_point():
        raise BadInput(
            f"{method}: expected a model that gives logits of floating point, got {logits.dtype}; "
            "leave out what turns the logits into classes"
        )
    if logits.ndim != 2 or len(logits) != count or not logits.shape[1]:
        raise BadInput(
            f"{method}: expected a model that gives logits of shape ({count}, classes), "
            f"got {tuple(logits.shape)}"
        )


def resolve_targets(target: Target, logits: Tensor, method: str) -> Int[Tensor, " n"]:
    """One class index for each image, checked against the logits (n, c).

    target  class index, one for all or (n,)
    raises  BadInput for another type or shape, or a class that does not exist
    """
    count, classes = logits.shape
    chosen = torch.as_tensor(target, device=logits.device)
    if chosen.is_floating_point() or chosen.dtype == torch.bool or chosen.ndim > 1:
        raise BadInput(
            f"{method} target: expected whole class indices of shape ({count},), "
            f"got {chosen.dtype} of shape {tuple(chosen.shape)}"
        )
    if chosen.ndim == 1 and len(chosen) != count:
        raise BadInput(f"{method} target: expected {count} class indices, one an image, got {len(chosen)}")
    chosen = chosen.to(torch.int64).expand(count)
    wrong = [index for index in chosen.tolist() if not 0 <= index < classes]
    if wrong:
        raise BadInput(f"{method} target: expected a class index from 0 to {classes - 1}, got {wrong[0]}")
    return chosen
