"""The four networks, built from a spec. A new network is a file of its own and one entry here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from torch import nn

from steelsight.errors import BadRecipe
from steelsight.models import adhoc, squeezenet, vgg
from steelsight.models.classifier import SheetClassifier
from steelsight.models.heads import AverageMaxHead, ConvHead, DirectHead, LinearHead, Pooling, PoolingName
from steelsight.models.patches import patch_starts
from steelsight.models.weights import draw_weights, load_pretrained

__all__ = [
    "MODELS",
    "HeadName",
    "ModelEntry",
    "ModelSpec",
    "SheetClassifier",
    "assemble",
    "build_model",
    "structure",
]

HeadName = Literal["study", "direct"]


@dataclass(frozen=True)
class ModelEntry:
    """Constructors and properties of a network."""

    title: str
    features: Callable[[], nn.Module]
    channels: int  # of the features' output
    smallest: int  # height and width of the smallest image, px
    dropout: float  # the study's
    study_head: Callable[[ModelSpec, float], nn.Module]
    pretrained: str | None  # key of weights.PRETRAINED


class ModelSpec(BaseModel):
    """Everything that fixes a network's structure, and the origin of its first weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str  # a key of MODELS
    outputs: int = Field(ge=1, description="logits: classes, or defect types for multilabel")
    head: HeadName = "study"  # see models.heads
    pooling: PoolingName = "average"  # direct head only
    sharpness: float = Field(default=4.0, gt=0, allow_inf_nan=False)  # of lse pooling
    top_share: float = Field(default=0.1, gt=0, le=1)  # of top pooling
    pretrained: Literal["imagenet", "none"] = "none"  # what the features started from
    height: int = Field(default=64, ge=1)  # px, of the sheet
    width: int = Field(default=400, ge=1)  # px, of the sheet
    dropout: float | None = Field(default=None, ge=0, lt=1, description="None = the study's")
    patches: int = Field(default=1, ge=1, description="patches that a sheet is cut into and classified by")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's own input: the sheet, or one patch of it."""
        return self.height, patch_starts(self.width, self.patches)[1]

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in MODELS:
            raise ValueError(f"expected one of {', '.join(MODELS)}, got {name!r}")
        return name

    @model_validator(mode="after")
    def _agrees(self) -> ModelSpec:
        smallest = MODELS[self.name].smallest
        if self.patches > self.width:
            raise ValueError(f"patches: expected at most one a column, got {self.patches} for {self.width}")
        if min(self.size) < smallest:
            raise ValueError(
                f"model {self.name}: expected images of at least {smallest}x{smallest}, "
                f"got {self.size[0]}x{self.size[1]}; choose a larger input"
            )
        if self.head == "study" and self.pooling != "average":
            raise ValueError(
                f"pooling {self.pooling}: only the direct head has a choice of pooling, got head study; "
                "set head = direct or pooling = average"
            )
        return self


def _conv_head(spec: ModelSpec, dropout: float) -> nn.Module:
    return ConvHead(MODELS[spec.name].channels, spec.outputs, dropout)


def _adhoc_head(spec: ModelSpec, dropout: float) -> nn.Module:
    grid = adhoc.adhoc_grid(*spec.size)
    return LinearHead(adhoc.CHANNELS, grid, spec.outputs, dropout, adaptive=False)


def _vgg_head(spec: ModelSpec, dropout: float) -> nn.Module:
    return LinearHead(vgg.CHANNELS, vgg.GRID, spec.outputs, dropout, adaptive=True)


MODELS: dict[str, ModelEntry] = {
    "adhoc": ModelEntry(
        "Ad-hoc CNN", adhoc.adhoc_features, adhoc.CHANNELS, 46, 0.3, _adhoc_head, pretrained=None
    ),
    "squeezenet": ModelEntry(
        "SqueezeNet v1.1",
        squeezenet.squeezenet_features,
        squeezenet.CHANNELS,
        17,
        0.5,
        _conv_head,
        pretrained="squeezenet1_1",
    ),
    "squeezenet_reduced": ModelEntry(
        "Reduced SqueezeNet",
        squeezenet.reduced_squeezenet_features,
        squeezenet.REDUCED_CHANNELS,
        17,
        0.5,
        _conv_head,
        pretrained="squeezenet1_1",
    ),
    "vgg16_bn": ModelEntry(
        "VGG16-BN", vgg.vgg_features, vgg.CHANNELS, 32, 0.5, _vgg_head, pretrained="vgg16_bn"
    ),
}


def build_model(spec: ModelSpec, *, generator: torch.Generator | None = None) -> SheetClassifier:
    """Build a network for training: random weights, then ImageNet's where the spec asks for them.

    generator   draws the weights; None = one seeded with 0; the global generator is not used
    returns     in training mode, on the CPU, channels-last
    raises      BadRecipe where no ImageNet weights exist, MissingWeights where they are not available
    """
    entry = MODELS[spec.name]
    if spec.pretrained == "imagenet" and entry.pretrained is None:
        raise BadRecipe(f"model {spec.name}: there are no ImageNet weights for it; set pretrained = none")
    model = assemble(spec)
    draw_weights(model, generator if generator is not None else torch.Generator().manual_seed(0))
    if spec.pretrained == "imagenet" and entry.pretrained is not None:
        model.pretrained = load_pretrained(model, entry.pretrained)
    return model


def assemble(spec: ModelSpec) -> SheetClassifier:
    """A network on the CPU, channels-last, with uninitialised weights, for checkpoints to fill."""
    model: SheetClassifier = structure(spec).to_empty(device="cpu")
    return model.to(memory_format=torch.channels_last)


def structure(spec: ModelSpec) -> SheetClassifier:
    """A network on torch's meta device, with shapes only: no memory is allocated and no generator is used."""
    entry = MODELS[spec.name]
    with torch.device("meta"):
        return SheetClassifier(
            entry.features(),
            _head(spec, entry),
            name=spec.name,
            size=spec.size,
            smallest=entry.smallest,
            patches=spec.patches,
        )


def _head(spec: ModelSpec, entry: ModelEntry) -> nn.Module:
    dropout = entry.dropout if spec.dropout is None else spec.dropout
    if spec.head == "study":
        return entry.study_head(spec, dropout)
    if spec.pooling == "average+max":
        return AverageMaxHead(entry.channels, spec.outputs, dropout)
    pooling = Pooling(spec.pooling, sharpness=spec.sharpness, top_share=spec.top_share)
    return DirectHead(entry.channels, spec.outputs, dropout, pooling)
