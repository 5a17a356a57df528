"""A network as a sequence of parts from the input to the logits, which a transplant replaces one by one.

A part is a layer with weights, or a Fire module, and whatever without weights of its own follows it: ReLU,
pooling, dropout. Batch normalisation, with its running statistics, belongs to the convolution before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models.squeezenet import Fire

from steelsight.errors import BadInput
from steelsight.models.backbones.rescale import Rescale
from steelsight.models.backbones.units import units_of
from steelsight.models.classifier import SheetClassifier
from steelsight.models.patches import cut_patches, join_patches

__all__ = ["Area", "Chain", "Part", "PartFit", "chain_of", "enter", "fit_parts", "leave", "list_parts"]

Area = Literal["features", "classifier"]
Chain = tuple[nn.Sequential, ...]  # one module for each part; together they are the network

KINDS: dict[type[nn.Module], str] = {nn.Conv2d: "conv", nn.Linear: "linear", Fire: "fire"}


@dataclass(frozen=True)
class Part:
    """One part of a network."""

    name: str  # "conv 1", "fire 3", "head conv"
    area: Area
    keys: tuple[str, ...]  # of the state: weights, and running statistics where it has some
    learnt: tuple[str, ...]  # weights alone


@dataclass(frozen=True)
class PartFit:
    """Which parts of a donor fit a receiver."""

    taken: tuple[int, ...]  # positions, from the input
    left_out: dict[str, str]  # the other parts by name, with the reason


def list_parts(model: SheetClassifier) -> tuple[Part, ...]:
    """The parts in the order they run; raises BadInput where the features are no sequence of layers."""
    parts: list[Part] = []
    counts: dict[str, int] = {}
    for stage in _stages(model):
        first, module = next(named for named in stage if not isinstance(named[1], Rescale))
        area: Area = "features" if first.startswith("features.") else "classifier"
        kind = KINDS.get(type(module), type(module).__name__.lower())
        counts[kind] = counts.get(kind, 0) + (area == "features")
        name = f"{kind} {counts[kind]}" if area == "features" else f"head {first.split('.', 1)[1]}"
        keys = tuple(f"{at}.{key}" for at, each in stage for key in each.state_dict())
        learnt = tuple(f"{at}.{key}" for at, each in stage for key, _ in each.named_parameters())
        parts.append(Part(name, area, keys, learnt))
    return tuple(parts)


def chain_of(model: SheetClassifier) -> Chain:
    """The parts as modules to run in order; they are the model's own, not copies.

    No stage modifies its input, so one part's output may be passed to several stages.
    """
    return tuple(nn.Sequential(*(module for _, module in stage)) for stage in _stages(model))


def enter(model: SheetClassifier, images: Tensor) -> Tensor:
    """Input of the first part: the images, or their patches where the model works on patches."""
    if model.patches > 1:
        images = cut_patches(images, model.patches)
    model.check(images)
    return images


def leave(model: SheetClassifier, output: Tensor) -> Float[Tensor, "n c"]:
    """Logits from the output of the last part."""
    logits = output.flatten(1)
    return logits if model.patches == 1 else join_patches(logits, model.patches)


def fit_parts(receiver: SheetClassifier, donor: SheetClassifier) -> PartFit:
    """Which parts could come from the donor: those whose every tensor has the receiver's shape.

    raises  BadInput for another network or head, and where no part fits
    """
    ours, theirs = (f"{model.name} with a {type(model.head).__name__}" for model in (receiver, donor))
    parts = list_parts(receiver)
    if ours != theirs or [part.keys for part in parts] != [part.keys for part in list_parts(donor)]:
        raise BadInput(
            f"transplant: expected two models of one architecture, got {ours} and {theirs}; "
            "train the donor with the receiver's model.name and model.head"
        )
    wanted, donor_state = receiver.state_dict(), donor.state_dict()
    left_out = {}
    for part in parts:
        key = next((key for key in part.keys if wanted[key].shape != donor_state[key].shape), None)
        if key is not None:
            left_out[part.name] = (
                f"{key} is {_shape(wanted[key])} here and {_shape(donor_state[key])} in the donor"
            )
    taken = tuple(position for position, part in enumerate(parts) if part.name not in left_out)
    if not taken:
        reasons = "; ".join(left_out.values())
        raise BadInput(f"transplant: no part of the donor fits: {reasons}; train both for one input size")
    return PartFit(taken, left_out)


def _stages(model: SheetClassifier) -> list[list[tuple[str, nn.Module]]]:
    """Modules with their names, grouped by part."""
    if not isinstance(model.features, nn.Sequential):
        raise BadInput(
            f"model {model.name}: expected features as one sequence, got {type(model.features).__name__}; "
            "it cannot be taken apart"
        )
    stages: list[list[tuple[str, nn.Module]]] = []
    start: list[tuple[str, nn.Module]] = [
        (f"features.{name}", module)
        for name, module in model.features.named_children()
        if isinstance(module, Rescale)
    ]
    for place, modules in (("features", units_of(model.features)), ("head", model.head.named_children())):
        for name, module in modules:
            if module.state_dict() and not isinstance(module, nn.BatchNorm2d):
                stages.append(start)
                start = []
            if not stages:
                raise BadInput(f"model {model.name}: expected a layer with weights first, got {place}.{name}")
            stages[-1].append((f"{place}.{name}", module))
    return stages


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(str(size) for size in tensor.shape)
