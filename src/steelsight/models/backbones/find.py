"""A backbone of another library by its name."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from torch import nn

from steelsight.errors import BadRecipe
from steelsight.models.backbones.own import own_features
from steelsight.models.backbones.sequence import PROBE_SIDE, run_empty
from steelsight.models.backbones.timm_nets import timm_features
from steelsight.models.backbones.torchvision_nets import torchvision_features

__all__ = ["Backbone", "find_backbone"]


@dataclass(frozen=True)
class Backbone:
    """Features of another library, and what is known of them."""

    title: str
    features: Callable[[], nn.Module]  # with random weights by its authors' rule, on the CPU
    channels: int  # of the feature map
    smallest: int  # height and width of the smallest image, px: one place of the feature map
    weights: str | None  # name of its ImageNet weights


_LIBRARIES: dict[str, Callable[[str], nn.Module]] = {
    "timm": timm_features,
    "torchvision": torchvision_features,
}


@lru_cache(maxsize=64)
def find_backbone(name: str) -> Backbone:
    """The backbone `timm:NAME`, `torchvision:NAME` or `module:callable`.

    raises  BadRecipe for an unknown network, a module that must not be imported, and a network without a
            spatial feature map
    """
    library, _, own = name.partition(":")
    if not library or not own:
        raise BadRecipe(f"model {name}: expected timm:NAME, torchvision:NAME or module:callable")
    build = (
        partial(_LIBRARIES[library], own) if library in _LIBRARIES else partial(own_features, library, own)
    )
    with torch.random.fork_rng(devices=[]):
        empty = copy.deepcopy(build()).to("meta").eval()
    run_empty(empty, (PROBE_SIDE, PROBE_SIDE), name)  # what has no feature map at all is told first
    shape = run_empty(empty, (PROBE_SIDE, 2 * PROBE_SIDE), name).shape
    channels, height, width = (int(size) for size in shape[1:])
    if abs(width - 2 * height) > 2:
        raise BadRecipe(
            f"model {name}: expected a feature map twice as wide as high for an image that is, got shape "
            f"{tuple(shape)}; choose a backbone whose output is (n, channels, height, width)"
        )
    weights = name if library in _LIBRARIES else None
    return Backbone(own, build, channels, -(-PROBE_SIDE // height), weights)
