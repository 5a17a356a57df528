"""Convolutional networks of torchvision, without what follows their last feature map, and their weights."""

from __future__ import annotations

import difflib
from collections import OrderedDict

import torchvision
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights, list_models

from steelsight.errors import BadRecipe
from steelsight.models.backbones.sequence import as_features, calls_of
from steelsight.models.inputs import IMAGENET_MEAN, IMAGENET_STD

__all__ = ["download_torchvision", "torchvision_features"]

AFTERWARDS = (nn.Linear, nn.LayerNorm, nn.BatchNorm1d, nn.Conv2d)  # weights of a classifier
WITH_AUXILIARY = ("googlenet", "inception_v3")  # classifiers for training alone hang between their parts


def torchvision_features(name: str) -> nn.Module:
    """The network's parts up to its last feature map.

    name    as `torchvision.models.list_models` has it, for images
    raises  BadRecipe for a name it does not have, and for a network without a feature map
    """
    known = list_models(module=torchvision.models)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.7)
        hint = f"did you mean {' or '.join(near)}?" if near else "torchvision.models.list_models names them"
        raise BadRecipe(
            f"model torchvision:{name}: torchvision {torchvision.__version__} has no such model; {hint}"
        )
    kept = {"init_weights": True} if name in WITH_AUXILIARY else {}  # their default; else they warn
    net: nn.Module = get_model(name, weights=None, **kept)
    children = dict(net.named_children())
    parts = _parts_of_map(net, f"torchvision:{name}")
    rest = [module for part, child in children.items() if part not in parts for module in child.modules()]
    heavy = {
        type(module).__name__
        for module in rest
        if list(module.parameters(recurse=False)) and not isinstance(module, AFTERWARDS)
    }
    if not parts or list(net.parameters(recurse=False)) or (heavy and name not in WITH_AUXILIARY):
        raise BadRecipe(
            f"model torchvision:{name}: expected a spatial feature map before the classifier, found "
            f"{', '.join(sorted(heavy)) or 'none'} behind the last one; choose a convolutional backbone"
        )
    cut = nn.Sequential(OrderedDict((part, children[part]) for part in parts))
    return as_features(cut, IMAGENET_MEAN, IMAGENET_STD, f"torchvision:{name}")


def download_torchvision(name: str) -> dict[str, Tensor]:
    """The network's default ImageNet weights, by torchvision's key names; raises what the download raises."""
    state: dict[str, Tensor] = get_model_weights(name).DEFAULT.get_state_dict(
        progress=True, check_hash=True, weights_only=True, map_location="cpu"
    )
    return state


def _parts_of_map(net: nn.Module, name: str) -> list[str]:
    """The parts that run one after the other from the image up to the last map of more than one place."""
    images, calls, _ = calls_of(net, name)
    current: object = images
    parts = []
    for call in calls:
        output = call.returned
        if call.given is not current or not isinstance(output, Tensor) or output.ndim != 4:
            break
        if output.shape[2:].numel() == 1:
            break
        parts.append(call.part)
        current = output
    return parts
