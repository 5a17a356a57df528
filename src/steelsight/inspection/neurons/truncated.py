"""A network run only as far as one layer: what comes after it costs nothing.

The model is at rest meanwhile and left as found. A neuron that is silent behind a ReLU has no gradient to
climb; for the images that ask for it, shut ReLUs let a small gradient leak through, their outputs unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.models.capture import at_rest, find_layer
from steelsight.models.classifier import SheetClassifier

__all__ = ["Truncated", "run_to"]

LEAK = 0.1  # of the gradient, through a shut ReLU


class Truncated:
    """From images to the output of one layer; `run_to` makes it."""

    def __init__(self, model: nn.Module, layer: str) -> None:
        self.layer = layer
        self.leaking: Bool[Tensor, " n"] | None = None  # images that need a leak; None = none of them
        self._entry = _entry(model, layer)
        self._smallest = model.smallest if isinstance(model, SheetClassifier) else 1
        self._before: dict[nn.Module, Tensor] = {}

    def __call__(self, images: Float[Tensor, "n c h w"]) -> Tensor:
        """The layer's output.

        images  in the model's own input units
        raises  BadInput where the layer is not reached, its output is no tensor, or the images do not fit
        """
        height, width = images.shape[2:]
        if min(height, width) < self._smallest:
            raise BadInput(
                f"layer {self.layer!r}: expected images of at least {self._smallest}x{self._smallest}, "
                f"got {height}x{width}; use larger images"
            )
        try:
            self._entry(images)
        except _Reached as reached:
            return reached.output
        finally:
            self._before.clear()
        raise BadInput(f"layer {self.layer!r}: the forward pass does not reach it; choose another")

    def stop(self, _module: nn.Module, _inputs: object, output: object) -> None:
        """End the forward pass here."""
        if not isinstance(output, Tensor):
            raise BadInput(
                f"layer {self.layer!r}: expected a tensor as output, got {type(output).__name__}; "
                "choose a layer inside it"
            )
        raise _Reached(output)

    def keep(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        """Save what a ReLU is given, which it may overwrite."""
        if self.leaking is None or not torch.is_grad_enabled():
            return None
        self._before[module] = inputs[0]
        return (inputs[0].clone(),)

    def leak(self, module: nn.Module, _inputs: object, output: Tensor) -> Tensor | None:
        """The same output, with some gradient where the ReLU is shut."""
        before = self._before.pop(module, None)
        if before is None or self.leaking is None:
            return None
        chosen = self.leaking.to(output.dtype).reshape(-1, *[1] * (output.ndim - 1))
        return output + LEAK * chosen * (before - before.detach())


@contextmanager
def run_to(model: nn.Module, layer: str) -> Iterator[Truncated]:
    """Inside the `with`, a function from images to the output of `layer`.

    raises  UnknownLayer, listing the names that exist
    """
    target = find_layer(model, layer)
    run = Truncated(model, layer)
    hooks = []
    with at_rest(model):
        try:
            for module in model.modules():
                if isinstance(module, nn.ReLU):
                    hooks += [
                        module.register_forward_pre_hook(run.keep),
                        module.register_forward_hook(run.leak),
                    ]
            hooks.append(target.register_forward_hook(run.stop))  # last: it sees what the leak made
            yield run
        finally:
            for hook in hooks:
                hook.remove()


class _Reached(Exception):
    def __init__(self, output: Tensor) -> None:
        super().__init__("the layer asked for was reached")
        self.output = output


def _entry(model: nn.Module, layer: str) -> nn.Module:
    """Where images go in: straight to the features where the layer is among them, which take any size."""
    inside = layer == "features" or layer.startswith("features.")
    return model.features if isinstance(model, SheetClassifier) and inside else model
