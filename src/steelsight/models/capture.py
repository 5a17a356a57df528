"""Records layer outputs of a network, and the gradients with respect to them.

Inside the `with` the model is in evaluation mode and its parameters are frozen. Afterwards, also after an
exception, hooks are removed and every module's mode and every parameter's `requires_grad` are restored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from steelsight.errors import BadInput, UnknownLayer

__all__ = ["Capture", "at_rest", "capture", "find_layer", "watch"]


@dataclass
class Capture:
    """Recorded tensors by layer name; a second forward pass overwrites the first."""

    activations: dict[str, Tensor] = field(default_factory=dict)  # in the graph, safe from in-place layers
    gradients: dict[str, Tensor] = field(default_factory=dict)  # of the last backward pass


@contextmanager
def capture(model: nn.Module, layers: Iterable[str], *, gradients: bool = True) -> Iterator[Capture]:
    """Record the outputs of layers, and after a backward pass the gradients that reached them.

    layers      names as in `model.named_modules()`
    gradients   False: record under whatever mode the caller set, e.g. `torch.no_grad()`
    raises      UnknownLayer, listing the names that exist; BadInput where a layer's output is no tensor
    """
    modules = {name: find_layer(model, name) for name in layers}
    captured = Capture()
    hooks = []
    with at_rest(model):
        try:
            for name, module in modules.items():
                hooks.append(module.register_forward_hook(_recorder(captured, name, gradients=gradients)))
            yield captured
        finally:
            for hook in hooks:
                hook.remove()


@contextmanager
def watch(model: nn.Module, layers: Iterable[str], see: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Call `see` with the output of each layer as it is computed; nothing is kept, unlike in a Capture.

    see     gets the layer's name and its output; a later layer may overwrite it in place, so copy to keep it
    raises  UnknownLayer, BadInput as `capture`
    """
    modules = {name: find_layer(model, name) for name in layers}
    hooks = []
    with at_rest(model):
        try:
            for name, module in modules.items():
                hooks.append(module.register_forward_hook(_observer(see, name)))
            yield
        finally:
            for hook in hooks:
                hook.remove()


@contextmanager
def at_rest(model: nn.Module) -> Iterator[None]:
    """Evaluation mode and frozen parameters inside the `with`; restored afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    frozen = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        model.eval()
        for parameter, _ in frozen:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, training in modes:
            module.training = training  # not .train(), which would set the children as well
        for parameter, wanted in frozen:
            parameter.requires_grad_(wanted)


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """The module of a name; raises UnknownLayer, listing the names that exist."""
    modules: dict[str, nn.Module] = dict(model.named_modules())
    if name not in modules or not name:
        names = ", ".join(known for known in modules if known)
        raise UnknownLayer(f"layer {name!r}: {type(model).__name__} has none of that name; it has {names}")
    return modules[name]


def _observer(see: Callable[[str, Tensor], None], name: str) -> Callable[[nn.Module, object, object], None]:
    def show(_module: nn.Module, _inputs: object, output: object) -> None:
        see(name, _tensor(name, output))

    return show


def _tensor(name: str, output: object) -> Tensor:
    if not isinstance(output, Tensor):
        raise BadInput(
            f"layer {name!r}: expected a tensor as output, got {type(output).__name__}; "
            "choose a layer inside it"
        )
    return output


def _recorder(
    captured: Capture, name: str, *, gradients: bool
) -> Callable[[nn.Module, object, object], Tensor]:
    def record(_module: nn.Module, _inputs: object, given: object) -> Tensor:
        output = _tensor(name, given)
        if gradients and not torch.is_grad_enabled():
            raise BadInput(f"layer {name!r}: gradients asked for inside torch.no_grad(); leave it first")
        if gradients and not output.requires_grad:
            output = output.detach().requires_grad_()  # frozen so far: the graph starts at this layer
        if output.requires_grad:
            keep = partial(captured.gradients.__setitem__, name)
            output.register_hook(keep)  # type: ignore[no-untyped-call]
        captured.activations[name] = output
        return output.clone()  # what follows may work in place; the recorded tensor keeps its values

    return record
