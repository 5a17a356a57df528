"""Weights of a trained network that another training starts from: those of a RUN, or of generated sheets.

`STEEL` names the networks that come along trained on sheets of the generator, one file each, which
`models.steel_file` writes. What a head has learnt is kept where it is for the same classes; otherwise the
features alone are taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from safetensors import SafetensorError, safe_open
from torch import Tensor

from steelsight.errors import BadRecipe, MissingWeights
from steelsight.models.classifier import SheetClassifier

__all__ = ["FACTS", "STEEL", "STEEL_PARTS", "HeadFacts", "StartWeights", "read_steel", "start_on_steel"]

_FOLDER: Final = Path(__file__).parent / "steel"
STEEL: Final = MappingProxyType({path.stem: path for path in sorted(_FOLDER.glob("*.safetensors"))})
# Networks of which a part of the features is a network of STEEL: that part, and whose weights it takes.
STEEL_PARTS: Final = MappingProxyType({"two_scales": ("net.coarse.squeezenet", "squeezenet_reduced")})
FACTS: Final = "steelsight_head"  # in the safetensors header


@dataclass(frozen=True)
class HeadFacts:
    """What the weights of a head mean: two heads of equal facts answer the same question."""

    kind: str  # study or direct
    pooling: str  # see models.heads
    task: str  # binary, multiclass or multilabel
    class_names: tuple[str, ...]  # one an output
    clean: str | None  # the defect-free class; None = no output is for it


@dataclass(frozen=True, eq=False)
class StartWeights:
    """The whole state of a trained network, and what its head answers."""

    network: str  # as ModelSpec.name
    head: HeadFacts
    state: Mapping[str, Tensor]  # of a SheetClassifier, by its names

    def fill(self, model: SheetClassifier, head: HeadFacts) -> tuple[str, ...]:
        """Copy the features into a model, and the head too where it is for the same classes.

        model    of the same network; its own weights stay where none are copied
        head     what the model's head will answer
        returns  the names of the modules that received weights: features, or features and head
        raises   BadRecipe for another network
        """
        taken = ("features", "head") if head == self.head else ("features",)
        own = model.state_dict()
        came = {name: tensor for name, tensor in self.state.items() if name.partition(".")[0] in taken}
        wanted = {name for name in own if name.partition(".")[0] in taken}
        if model.name != self.network or came.keys() != wanted:
            raise BadRecipe(
                f"start: expected the weights of network {model.name}, got those of {self.network}; "
                "train that network, or start from others"
            )
        model.load_state_dict(own | {name: tensor.to(own[name].dtype) for name, tensor in came.items()})
        return taken


def start_on_steel(model: SheetClassifier, head: HeadFacts | None = None) -> tuple[str, ...]:
    """Copy weights learnt on generated sheets into a model, or into its part that STEEL_PARTS names.

    head     what the model's head will answer; None = the features alone are copied
    returns  the names of the modules that received weights
    raises   as `read_steel`
    """
    if model.name in STEEL_PARTS:
        part, network = STEEL_PARTS[model.name]
        came = read_steel(network).state.items()
        state = {
            name.removeprefix("features."): t.float() for name, t in came if name.startswith("features.")
        }
        model.features.get_submodule(part).load_state_dict(state)
        return (f"features.{part}",)
    steel = read_steel(model.name)
    return steel.fill(model, replace(steel.head, class_names=()) if head is None else head)


def read_steel(network: str) -> StartWeights:
    """The weights of a network that was trained on generated sheets.

    raises  BadRecipe where none come along for it, naming those that do; MissingWeights for a damaged file
    """
    if network not in STEEL:
        raise BadRecipe(
            f"model.pretrained = steel: expected a network that comes along trained on generated sheets, "
            f"{', '.join([*STEEL, *STEEL_PARTS])}, got {network}; use one of them, or set pretrained = auto"
        )
    path = STEEL[network]
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()[FACTS])
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        head = HeadFacts(**{**facts, "class_names": tuple(facts["class_names"])})
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise MissingWeights(
            f"{path}: expected weights of {network}, got {error!s:.120}; install again"
        ) from error
    return StartWeights(network, head, state)
