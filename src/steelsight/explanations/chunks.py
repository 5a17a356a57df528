"""How many images a method may hold at once, so that peak memory stays under a stated cap."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.models.capture import at_rest

__all__ = ["MEMORY_MB", "image_bytes", "rows_within"]

MEMORY_MB = 512.0  # default cap of every method, on what it adds to the model and the images given

SAFETY = 4  # an activation, its gradient, a rule's factors, and the library's own workspace

_KNOWN: WeakKeyDictionary[nn.Module, dict[tuple[int, ...], int]] = WeakKeyDictionary()


def image_bytes(model: nn.Module, image: Tensor) -> int:
    """Bytes that one image's activations take in a model, from one forward pass; remembered by shape.

    image   (c, h, w) float32
    """
    known = _KNOWN.setdefault(model, {})
    shape = tuple(image.shape)
    if shape not in known:
        known[shape] = _measure(model, image)
    return known[shape]


def rows_within(model: nn.Module, image: Tensor, memory_mb: float, *, most: int = 64) -> int:
    """How many images to treat at once; at least one, since one is the smallest step there is.

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
