"""Convolutional networks of timm, without their classifier, and their ImageNet weights.

Source: Wightman, "PyTorch Image Models", https://github.com/huggingface/pytorch-image-models (Apache-2.0).
"""

from __future__ import annotations

import difflib
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from steelsight.errors import BadRecipe, MissingWeights
from steelsight.models.backbones.rescale import Levels
from steelsight.models.backbones.sequence import as_features

__all__ = ["download_timm", "timm_features"]


def timm_features(name: str) -> nn.Module:
    """The network's feature map behind the normalisation that timm names for its weights.

    name    as timm lists it, with or without a tag: `resnet18`, `resnet18.a1_in1k`
    raises  BadRecipe without timm, for a name it does not have, and for a network without a feature map
    """
    timm = _timm(name)
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.7)
        hint = f"did you mean {' or '.join(near)}?" if near else "timm.list_models() names them"
        raise BadRecipe(f"model timm:{name}: timm {timm.__version__} has no such model; {hint}")
    try:
        net: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, global_pool="")
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise BadRecipe(
            f"model timm:{name}: expected a network that gives its last feature map, got {error}; "
            "choose a convolutional backbone"
        ) from error
    facts: dict[str, Any] = timm.get_pretrained_cfg(name).to_dict()
    return as_features(net, _levels(facts, "mean"), _levels(facts, "std"), f"timm:{name}")


def download_timm(name: str) -> dict[str, Tensor]:
    """The network's weights from the Hugging Face hub, by timm's key names.

    raises  MissingWeights where timm names none; what the hub raises
    """
    from timm.models import load_state_dict_from_hf

    hub = getattr(_timm(name).get_pretrained_cfg(name), "hf_hub_id", None)
    if not hub:
        raise MissingWeights(f"ImageNet weights timm:{name}: timm names none; set pretrained = none")
    state: dict[str, Tensor] = load_state_dict_from_hf(hub, weights_only=True)
    return state


def _timm(name: str) -> ModuleType:
    try:
        import timm
    except ImportError as error:
        raise BadRecipe(
            f"model timm:{name}: expected the package timm, which is not installed; "
            "install steelsight[lab], or timm itself"
        ) from error
    module: ModuleType = timm
    return module


def _levels(facts: dict[str, Any], key: str) -> Levels:
    first, second, third = (float(value) for value in facts[key])
    return first, second, third
