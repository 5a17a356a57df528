"""A foreign network as features: a sequence of its own parts wherever it runs them one after the other."""

from __future__ import annotations

import copy
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from steelsight.errors import BadRecipe
from steelsight.models.backbones.rescale import Levels, Rescale

__all__ = ["PROBE_SIDE", "Wrapped", "as_features", "run_empty"]

PROBE_SIDE = 224  # px; the size most backbones were made for


class Wrapped(nn.Module):
    """A network whose parts do not run one after the other, behind the rescaling of its input."""

    def __init__(self, rescale: Rescale, net: nn.Module) -> None:
        super().__init__()
        self.rescale = rescale
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        """The network's feature map."""
        features: Tensor = self.net(self.rescale(images))
        return features


def as_features(net: nn.Module, mean: Levels, std: Levels, name: str) -> nn.Module:
    """The network behind a `Rescale`, as one sequence of its parts where that is the same computation.

    net      gives a feature map, (n, k, gh, gw)
    mean, std  of its input's channels, on a scale of 0 to 1
    returns  a Sequential with the network's own names, or a Wrapped
    raises   BadRecipe for a network that gives no feature map
    """
    rescale = Rescale(mean, std)
    parts = _chain(net, name)
    if parts is None:
        return Wrapped(rescale, net)
    children = dict(net.named_children())
    return nn.Sequential(OrderedDict(rescale=rescale) | {part: children[part] for part in parts})


def run_empty(net: nn.Module, size: tuple[int, int], name: str) -> Tensor:
    """The network's output for one image of `size`, with shapes only.

    net     on torch's meta device
    raises  BadRecipe where the network does not take the size, or its output is no (n, k, gh, gw)
    """
    height, width = size
    try:
        with torch.no_grad():
            output = net(torch.zeros(1, 3, height, width, device="meta"))
    except (RuntimeError, AssertionError, ValueError, TypeError, IndexError) as error:
        why = " ".join(str(error).split())[:200]
        raise BadRecipe(
            f"model {name}: its features do not take images of {height}x{width} "
            f"({type(error).__name__}: {why}); choose another input size or another backbone"
        ) from error
    shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    if not isinstance(output, Tensor) or output.ndim != 4:
        raise BadRecipe(
            f"model {name}: expected a spatial feature map of shape (n, channels, height, width), "
            f"got {shape}; choose a convolutional backbone"
        )
    return output


def _chain(net: nn.Module, name: str) -> list[str] | None:
    """Names of the parts that together are the network; None where it does more than pass them through.

    It is a sequence if every part gets the very tensor that the one before returned. A part that returns its
    input and has not changed it in place is left out.
    """
    empty = copy.deepcopy(net).to("meta").eval()
    calls: list[_Call] = []
    for part, child in empty.named_children():
        child.register_forward_pre_hook(partial(_note_input, calls, part))
        child.register_forward_hook(partial(_note_output, calls))
    images: list[Tensor] = []
    empty.register_forward_pre_hook(lambda _net, inputs: images.append(inputs[0]))
    output = run_empty(empty, (PROBE_SIDE, PROBE_SIDE), name)
    current: object = images[0]
    for call in calls:
        if call.given is not current:
            return None
        current = call.returned
    parts = [call.part for call in calls if call.works]
    once = len(set(parts)) == len(parts) and not list(net.parameters(recurse=False))
    return parts if current is output and once else None


@dataclass
class _Call:
    part: str
    given: object
    version: int  # of the tensor given, which work in place raises
    returned: object = None
    works: bool = True


def _note_input(calls: list[_Call], part: str, _module: nn.Module, inputs: tuple[object, ...]) -> None:
    given = inputs[0] if len(inputs) == 1 else None
    calls.append(_Call(part, given, given._version if isinstance(given, Tensor) else 0))


def _note_output(calls: list[_Call], _module: nn.Module, _inputs: tuple[object, ...], output: object) -> None:
    call = calls[-1]
    call.returned = output
    call.works = output is not call.given or (isinstance(output, Tensor) and output._version != call.version)
