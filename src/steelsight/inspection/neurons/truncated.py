"""Forward pass of a network up to one layer; later layers are not computed.

The model is in evaluation mode meanwhile and restored afterwards. A neuron that is 0 behind a ReLU has no
gradient; for chosen images, inactive ReLUs pass a small gradient, with unchanged outputs.
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

LEAK = 0.1  # share of the gradient that an inactive ReLU passes


class Truncated:
    """A function from images to the output of one layer; made by `run_to`."""

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
        """Hook: end the forward pass."""
        if not isinstance(output, Tensor):
            raise BadInput(
                f"layer {self.layer!r}: expected a tensor as output, got {type(output).__name__}; "
                "choose a layer inside it"
            )
        raise _Reached(output)

    def keep(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        """Hook: save a ReLU's input, which it may overwrite."""
        if self.leaking is None or not torch.is_grad_enabled():
            return None
        self._before[module] = inputs[0]
        return (inputs[0].clone(),)

    def leak(self, module: nn.Module, _inputs: object, output: Tensor) -> Tensor | None:
        """Hook: the same output, with a small gradient where the ReLU is inactive."""
        before = self._before.pop(module, None)
        if before is None or self.leaking is None:
            return None
        chosen = self.leaking.to(output.dtype).reshape(-1, *[1] * (output.ndim - 1))
        return output + LEAK * chosen * (before - before.detach())


@contextmanager
def run_to(model: nn.Module, layer: str) -> Iterator[Truncated]:
    """Context with a function from images to the output of `layer`.

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
            hooks.append(target.register_forward_hook(run.stop))  # last, after the leak hooks
            yield run
        finally:
            for hook in hooks:
                hook.remove()


class _Reached(Exception):
    def __init__(self, output: Tensor) -> None:
        super().__init__("the named layer was reached")
        self.output = output


def _entry(model: nn.Module, layer: str) -> nn.Module:
    """The module that takes the images: the features where the layer is inside them, which take any size."""
    inside = layer == "features" or layer.startswith("features.")
    return model.features if isinstance(model, SheetClassifier) and inside else model
