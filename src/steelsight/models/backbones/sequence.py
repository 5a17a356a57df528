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

__all__ = ["PROBE_SIDE", "PartCall", "Wrapped", "as_features", "calls_of", "run_empty"]

PROBE_SIDE = 224  # px; the size most backbones were made for


class Wrapped(nn.Module):
    """A network whose parts do not run one after the other, behind the rescaling of its input."""

    net: nn.Module

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
    output = _run(net, torch.zeros(1, 3, *size, device="meta"), name)
    shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    if not isinstance(output, Tensor) or output.ndim != 4:
        raise BadRecipe(
            f"model {name}: expected a spatial feature map of shape (n, channels, height, width), "
            f"got {shape}; choose a convolutional backbone"
        )
    return output


def _run(net: nn.Module, images: Tensor, name: str) -> Tensor:
    try:
        with torch.no_grad():
            output: Tensor = net(images)
    except Exception as error:  # a network may be code of the user's, which raises anything
        why = " ".join(str(error).split())[:200]
        height, width = images.shape[2:]
        raise BadRecipe(
            f"model {name}: its features do not take images of {height}x{width} "
            f"({type(error).__name__}: {why}); choose another input size or another backbone"
        ) from error
    return output


@dataclass
class PartCall:
    """One call of a network's direct part."""

    part: str
    given: object  # its first argument; None where it has several
    version: int  # of the tensor given, which work in place raises
    returned: object = None
    works: bool = True  # False: it returned its input and had not changed it


def calls_of(net: nn.Module, name: str) -> tuple[Tensor, list[PartCall], Tensor]:
    """The images, the calls of the direct parts in order, and the output, of one pass with shapes only.

    raises  BadRecipe where the network does not take square images of PROBE_SIDE
    """
    empty = copy.deepcopy(net).to("meta").eval()
    calls: list[PartCall] = []
    for part, child in empty.named_children():
        child.register_forward_pre_hook(partial(_note_input, calls, part))
        child.register_forward_hook(partial(_note_output, calls))
    images = torch.zeros(1, 3, PROBE_SIDE, PROBE_SIDE, device="meta")
    return images, calls, _run(empty, images, name)


def _chain(net: nn.Module, name: str) -> list[str] | None:
    """Names of the parts that together are the network; None where it does more than pass them through.

    It is a sequence if every part gets the very tensor that the one before returned. A part that returns its
    input and has not changed it in place is left out.
    """
    images, calls, output = calls_of(net, name)
    current: object = images
    for call in calls:
        if call.given is not current:
            return None
        current = call.returned
    parts = [call.part for call in calls if call.works]
    once = len(set(parts)) == len(parts) and not list(net.parameters(recurse=False))
    return parts if current is output and once else None


def _note_input(calls: list[PartCall], part: str, _module: nn.Module, inputs: tuple[object, ...]) -> None:
    given = inputs[0] if len(inputs) == 1 else None
    calls.append(PartCall(part, given, given._version if isinstance(given, Tensor) else 0))


def _note_output(
    calls: list[PartCall], _module: nn.Module, _inputs: tuple[object, ...], output: object
) -> None:
    call = calls[-1]
    call.returned = output
    call.works = output is not call.given or (isinstance(output, Tensor) and output._version != call.version)
