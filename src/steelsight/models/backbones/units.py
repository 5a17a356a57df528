"""The units of a network's features, by which it is inspected and taken apart: its layers and blocks."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from steelsight.models.backbones.rescale import Rescale
from steelsight.models.backbones.sequence import Wrapped

__all__ = ["is_backbone", "units_of"]

CONTAINERS = (nn.Sequential, nn.ModuleList)  # their parts are units, not they themselves


def is_backbone(features: nn.Module) -> bool:
    """Whether the features are another library's, behind a rescaling of their input."""
    return isinstance(features, Wrapped) or any(isinstance(layer, Rescale) for layer in features.children())


def units_of(features: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Layers and blocks in their order, with their names: those of sequences inside, too.

    A block, such as a residual one, is one unit. The rescaling of the input is none.
    """
    if isinstance(features, Wrapped):
        yield from _units(features.net, "net.")
    else:
        yield from _units(features, "")


def _units(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    for name, child in module.named_children():
        if isinstance(child, CONTAINERS):
            yield from _units(child, f"{prefix}{name}.")
        elif not isinstance(child, Rescale):
            yield f"{prefix}{name}", child
