"""Batch sizes that keep a method's peak memory under a stated cap."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.models.capture import at_rest

__all__ = ["MEMORY_MB", "image_bytes", "rows_within"]

MEMORY_MB = 512.0  # default cap of every method, beside the model and the given images

SAFETY = 4  # an activation, its gradient, a rule's factors, and the library's own workspace

_KNOWN: WeakKeyDictionary[nn.Module, dict[tuple[int, ...], int]] = WeakKeyDictionary()


def image_bytes(model: nn.Module, image: Tensor) -> int:
    """Bytes of one image's activations in a model, from one forward pass; cached by shape.

    image   (c, h, w) float32
    """
    known = _KNOWN.setdefault(model, {})
    shape = tuple(image.shape)
    if shape not in known:
        known[shape] = _measure(model, image)
    return known[shape]


def rows_within(model: nn.Module, image: Tensor, memory_mb: float, *, most: int = 64) -> int:
    """Number of images to process at once, at least 1 and at most `most`.

    raises  BadInput for a cap that is not above 0
    """
    if not memory_mb > 0:
        raise BadInput(f"memory_mb: expected a cap above 0, got {memory_mb}")
    return max(1, min(most, int(memory_mb * 2**20 / (SAFETY * image_bytes(model, image)))))


def _measure(model: nn.Module, image: Tensor) -> int:
    total = image.numel() * image.element_size()

    def count(_module: nn.Module, _inputs: object, output: object) -> None:
        nonlocal total
        if isinstance(output, Tensor):
            total += output.numel() * output.element_size()

    with torch.no_grad(), at_rest(model):
        hooks = [m.register_forward_hook(count) for m in model.modules() if not any(m.children())]
        try:
            model(image[None])
        finally:
            for hook in hooks:
                hook.remove()
    return total
