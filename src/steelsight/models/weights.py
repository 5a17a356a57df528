"""Initial weights: random with a seed, or ImageNet's; missing ImageNet weights are an error."""

from __future__ import annotations

import http.client
import os
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import SqueezeNet1_1_Weights, VGG16_BN_Weights, WeightsEnum

from steelsight.errors import MissingWeights
from steelsight.models import two_scales
from steelsight.models.backbones.sequence import Wrapped
from steelsight.models.backbones.timm_nets import download_timm
from steelsight.models.backbones.torchvision_nets import download_torchvision
from steelsight.models.classifier import SheetClassifier
from steelsight.models.heads import AverageMaxHead, ConvHead, DirectHead

__all__ = ["PRETRAINED", "WEIGHTS_VARIABLE", "draw_weights", "load_pretrained", "read_pretrained"]

WEIGHTS_VARIABLE = "STEELSIGHT_WEIGHTS"  # a folder with NAME_imagenet.safetensors, its library's key names

PRETRAINED: dict[str, WeightsEnum] = {
    "squeezenet1_1": SqueezeNet1_1_Weights.IMAGENET1K_V1,
    "vgg16_bn": VGG16_BN_Weights.IMAGENET1K_V1,
}

# Sources that are several: the part of `features.net` that takes each.
JOINED: dict[str, Mapping[str, str]] = {"two_scales": two_scales.PARTS}

_NOT_FETCHED = (OSError, RuntimeError, EOFError, http.client.HTTPException, pickle.UnpicklingError)


def draw_weights(model: SheetClassifier, generator: torch.Generator, *, features: bool = True) -> None:
    """Draw every weight of a model, in the order of its modules; the global generator is not used.

    features  False leaves those as they are and draws the head alone

    `features`: He's uniform rule, bias 0, as torchvision starts SqueezeNet; batch norms the identity.
    Study heads: uniform within 1 / sqrt(inputs), torch's own rule for fresh layers.
    Direct head: N(0, 0.01), bias 0, as torchvision starts SqueezeNet's last layer: first logits near 0.
    Place head: evidence 0 everywhere, until it is fitted.
    """
    for module in model.features.modules() if features else ():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, generator=generator)
            _fill_bias(module, 0.0, generator)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()  # constants only
    for module in model.head.modules():
        if isinstance(module, nn.Conv2d) and isinstance(model.head, DirectHead | AverageMaxHead):
            nn.init.normal_(module.weight, std=0.01, generator=generator)
            _fill_bias(module, 0.0, generator)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            bound = module.weight[0].numel() ** -0.5
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
            _fill_bias(module, bound, generator)
    if model.places is not None:
        model.places.clear()


def _fill_bias(layer: nn.Conv2d | nn.Linear, bound: float, generator: torch.Generator) -> None:
    if layer.bias is not None:
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)


def load_pretrained(model: SheetClassifier, source: str) -> tuple[str, ...]:
    """Copy ImageNet weights into a model; returns the names of the modules that received them.

    `features` takes its share of torchvision's. The study head's 1000-way convolution takes torchvision's
    where the channels agree (full SqueezeNet, 512); the reduced network has 384 and keeps its draw, as all
    other heads do.

    source  a key of PRETRAINED or JOINED, timm:NAME or torchvision:NAME
    raises  MissingWeights where they are not available or do not fit
    """
    if source in JOINED:
        for part, each in JOINED[source].items():
            prefix = "" if ":" in each else "features."
            _copy(read_pretrained(each), prefix, model.features.get_submodule(f"net.{part}"), each)
        return ("features",)
    weights = read_pretrained(source)
    if ":" in source:
        features = model.features
        _copy(weights, "", features.net if isinstance(features, Wrapped) else features, source)
        return ("features",)
    _copy(weights, "features.", model.features, source)
    taken = ["features"]
    head = model.head
    classifier = weights.get("classifier.1.weight")
    if isinstance(head, ConvHead) and classifier is not None and classifier.shape == head.conv.weight.shape:
        _copy(weights, "classifier.1.", head.conv, source)
        taken.append("head.conv")
    return tuple(taken)


def _copy(weights: Mapping[str, Tensor], prefix: str, module: nn.Module, source: str) -> None:
    wanted = module.state_dict()
    for key, own in wanted.items():
        came = weights.get(prefix + key)
        if came is None and key.endswith("num_batches_tracked"):
            came = own  # older files lack it, and nothing reads it
        if came is None or came.shape != own.shape:
            found = "nothing" if came is None else f"shape {tuple(came.shape)}"
            raise MissingWeights(
                f"ImageNet weights {source}: expected {prefix}{key} of shape {tuple(own.shape)}, "
                f"got {found}; the file is not {'timm' if source.startswith('timm:') else 'torchvision'}'s"
            )
        wanted[key] = came.to(own.dtype)
    module.load_state_dict(wanted)


def read_pretrained(source: str) -> dict[str, Tensor]:
    """ImageNet weights by their library's names: from folder STEELSIGHT_WEIGHTS, else its download.

    raises  MissingWeights, saying what was tried
    """
    folder = os.environ.get(WEIGHTS_VARIABLE)
    if folder:
        path = Path(folder) / _file(source)
        if path.is_file():
            return _read_file(path)
        tried = f"{path} does not exist"
    else:
        tried = f"{WEIGHTS_VARIABLE} is not set"
    return _download(source, tried)


def _file(source: str) -> str:
    return f"{source.rpartition(':')[2]}_imagenet.safetensors"


def _read_file(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise MissingWeights(f"{path}: expected safetensors, got {error}; fetch it again") from error


def _download(source: str, tried: str) -> dict[str, Tensor]:
    library, _, name = source.rpartition(":")
    try:
        if library:
            return download_timm(name) if library == "timm" else download_torchvision(name)
        state: dict[str, Tensor] = PRETRAINED[source].get_state_dict(
            progress=True, check_hash=True, weights_only=True, map_location="cpu"
        )
    except MissingWeights:
        raise
    except _NOT_FETCHED as error:
        raise MissingWeights(
            f"ImageNet weights {source}: {tried}, and {library or 'torchvision'}'s download failed "
            f"({type(error).__name__}: {error}); connect, or point {WEIGHTS_VARIABLE} at a folder with "
            f"{_file(source)}, or train from a random start with pretrained = none"
        ) from error
    return state
