"""The networks by name, built from a spec. A new network is a file of its own and one entry of MODELS.

Beside them stand networks of other libraries: those of BACKBONES by a name of their own, any other as
`timm:NAME` or `torchvision:NAME`, and the user's own as `module:callable`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from torch import nn

from steelsight.errors import BadRecipe, MissingWeights
from steelsight.models import adhoc, efficientnet, squeezenet, two_scales, vgg
from steelsight.models.backbones.find import find_backbone
from steelsight.models.backbones.sequence import run_empty
from steelsight.models.classifier import SheetClassifier
from steelsight.models.heads import AverageMaxHead, ConvHead, DirectHead, LinearHead, Pooling, PoolingName
from steelsight.models.patches import patch_starts
from steelsight.models.places import PlaceHead
from steelsight.models.starts import STEEL_PARTS, start_on_steel
from steelsight.models.weights import draw_weights, load_pretrained

__all__ = [
    "BACKBONES",
    "MODELS",
    "HeadName",
    "ModelEntry",
    "ModelSpec",
    "SheetClassifier",
    "assemble",
    "build_model",
    "find_model",
    "grid_of",
    "structure",
]

HeadName = Literal["study", "direct"]

BACKBONE_DROPOUT = 0.2  # as EfficientNet's authors train it


@dataclass(frozen=True)
class ModelEntry:
    """Constructors and properties of a network."""

    title: str
    features: Callable[[], nn.Module]
    channels: int  # of the features' output
    smallest: int  # height and width of the smallest image, px
    dropout: float  # the study's
    study_head: Callable[[ModelSpec, float], nn.Module]
    pretrained: str | None  # name of ImageNet weights, see models.weights
    draws_itself: bool = False  # the features come with random weights by the rule of their own authors
    # Modules whose outputs the place head reads, with their channels, the finest first; none = the features.
    taps: Mapping[str, int] = field(default_factory=dict)


class ModelSpec(BaseModel):
    """Everything that fixes a network's structure, and the origin of its first weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str  # a key of MODELS or BACKBONES, timm:NAME, torchvision:NAME, or module:callable
    outputs: int = Field(ge=1, description="logits: classes, or defect types for multilabel")
    head: HeadName = "study"  # see models.heads
    pooling: PoolingName = "average"  # direct head only
    sharpness: float = Field(default=4.0, gt=0, allow_inf_nan=False)  # of lse pooling
    top_share: float = Field(default=0.1, gt=0, le=1)  # of top pooling
    # what the features started from; steel: generated sheets, run: the last entry of the card's history
    pretrained: Literal["imagenet", "steel", "run", "none"] = "none"
    height: int = Field(default=64, ge=1)  # px, of the sheet
    width: int = Field(default=400, ge=1)  # px, of the sheet
    dropout: float | None = Field(default=None, ge=0, lt=1, description="None = the study's")
    patches: int = Field(default=1, ge=1, description="patches that a sheet is cut into and classified by")
    places: int = Field(default=0, ge=0, description="hidden channels of the place head; 0 = there is none")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's own input: the sheet, or one patch of it."""
        return self.height, patch_starts(self.width, self.patches)[1]

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        find_model(name)
        return name

    @model_validator(mode="after")
    def _agrees(self) -> ModelSpec:
        smallest = find_model(self.name).smallest
        if self.patches > self.width:
            raise ValueError(f"patches: expected at most one a column, got {self.patches} for {self.width}")
        if min(self.size) < smallest:
            raise ValueError(
                f"model {self.name}: expected images of at least {smallest}x{smallest}, "
                f"got {self.size[0]}x{self.size[1]}; choose a larger input"
            )
        if self.places and self.patches > 1:
            raise ValueError(
                f"places: expected a network that sees whole sheets, got one of {self.patches} patches; "
                "set places.hidden = 0 or patches.count = 1"
            )
        if self.head == "study" and self.pooling != "average":
            raise ValueError(
                f"pooling {self.pooling}: only the direct head has a choice of pooling, got head study; "
                "set head = direct or pooling = average"
            )
        return self


def _conv_head(spec: ModelSpec, dropout: float) -> nn.Module:
    return ConvHead(find_model(spec.name).channels, spec.outputs, dropout)


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
        taps=squeezenet.TAPS,
    ),
    "squeezenet_reduced": ModelEntry(
        "Reduced SqueezeNet",
        squeezenet.reduced_squeezenet_features,
        squeezenet.REDUCED_CHANNELS,
        17,
        0.5,
        _conv_head,
        pretrained="squeezenet1_1",
        taps=squeezenet.TAPS,
    ),
    "vgg16_bn": ModelEntry(
        "VGG16-BN", vgg.vgg_features, vgg.CHANNELS, 32, 0.5, _vgg_head, pretrained="vgg16_bn"
    ),
}

# Networks of other libraries that have a name here.
BACKBONES: dict[str, ModelEntry] = {
    "efficientnet_lite0": ModelEntry(
        "EfficientNet-Lite0",
        efficientnet.lite0_features,
        efficientnet.CHANNELS,
        efficientnet.SMALLEST,
        BACKBONE_DROPOUT,
        _conv_head,
        pretrained=efficientnet.WEIGHTS,
        draws_itself=True,
        taps=efficientnet.TAPS,
    ),
    "two_scales": ModelEntry(
        "EfficientNet-Lite0 and, at half size, reduced SqueezeNet",
        two_scales.two_scales_features,
        two_scales.CHANNELS,
        two_scales.SMALLEST,
        BACKBONE_DROPOUT,
        _conv_head,
        pretrained="two_scales",
        draws_itself=True,
        taps=two_scales.TAPS,
    ),
}


def find_model(name: str) -> ModelEntry:
    """The network of a name: a key of MODELS or BACKBONES, or that of a backbone.

    raises  BadRecipe for an unknown name, and as `backbones.find.find_backbone`
    """
    named = MODELS | BACKBONES
    if name in named:
        return named[name]
    if ":" not in name:
        raise BadRecipe(
            f"expected one of {', '.join(named)}, or timm:NAME, torchvision:NAME, module:callable, "
            f"got {name!r}"
        )
    backbone = find_backbone(name)
    return ModelEntry(
        backbone.title,
        backbone.features,
        backbone.channels,
        backbone.smallest,
        BACKBONE_DROPOUT,
        _conv_head,
        pretrained=backbone.weights,
        draws_itself=True,
    )


def build_model(spec: ModelSpec, *, generator: torch.Generator | None = None) -> SheetClassifier:
    """Build a network for training: random weights, then ImageNet's or steel's where the spec asks for them.

    generator   draws the weights; None = one seeded with 0; the global generator is not used
    returns     in training mode, on the CPU, channels-last
    raises      BadRecipe where no such weights exist, MissingWeights where they are not available, as those
                of a run never are here
    """
    entry = find_model(spec.name)
    if spec.pretrained == "imagenet" and entry.pretrained is None:
        raise BadRecipe(f"model {spec.name}: there are no ImageNet weights for it; set pretrained = none")
    if spec.pretrained == "run":
        raise MissingWeights(
            f"model {spec.name}: its training started from the weights of another run, which its card names "
            "and its folder does not hold; train it again with --from"
        )
    generator = generator if generator is not None else torch.Generator().manual_seed(0)
    model = assemble(spec, generator)
    draw_weights(model, generator, features=not entry.draws_itself)
    if spec.pretrained == "imagenet" and entry.pretrained is not None:
        model.pretrained = load_pretrained(model, entry.pretrained)
    elif spec.pretrained == "steel":
        if spec.name in STEEL_PARTS and entry.pretrained is not None:  # other parts know photographs alone
            load_pretrained(model, entry.pretrained)
        model.pretrained = start_on_steel(model)
    return model


def assemble(spec: ModelSpec, generator: torch.Generator | None = None) -> SheetClassifier:
    """A network on the CPU, channels-last, with uninitialised weights, for checkpoints to fill.

    generator   draws the weights of features that draw themselves; None = one seeded with 0
    """
    entry = find_model(spec.name)
    model: SheetClassifier = structure(spec).to_empty(device="cpu")
    if entry.draws_itself:
        model.features = _drawn(entry, generator or torch.Generator().manual_seed(0))
    return model.to(memory_format=torch.channels_last)


def structure(spec: ModelSpec) -> SheetClassifier:
    """A network on torch's meta device, with shapes only: no generator is used.

    raises  BadRecipe for a backbone that does not take the spec's size
    """
    entry = find_model(spec.name)
    if entry.draws_itself:  # other libraries' constructors compute with values, so they run on the CPU
        features = _drawn(entry, torch.Generator().manual_seed(0)).to("meta").eval()
        run_empty(features, spec.size, spec.name)
        features.train()
    with torch.device("meta"):
        return SheetClassifier(
            features if entry.draws_itself else entry.features(),
            _head(spec, entry),
            name=spec.name,
            size=spec.size,
            smallest=entry.smallest,
            patches=spec.patches,
            places=_places(spec, entry),
        )


def grid_of(spec: ModelSpec) -> tuple[int, int]:
    """Height and width of the feature map for images of the spec's size."""
    output = run_empty(structure(spec).features.eval(), spec.size, spec.name)
    return int(output.shape[2]), int(output.shape[3])


def _drawn(entry: ModelEntry, generator: torch.Generator) -> nn.Module:
    """Features with random weights of their own rule, seeded; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        return entry.features()


def _head(spec: ModelSpec, entry: ModelEntry) -> nn.Module:
    dropout = entry.dropout if spec.dropout is None else spec.dropout
    if spec.head == "study":
        return entry.study_head(spec, dropout)
    if spec.pooling == "average+max":
        return AverageMaxHead(entry.channels, spec.outputs, dropout)
    pooling = Pooling(spec.pooling, sharpness=spec.sharpness, top_share=spec.top_share)
    return DirectHead(entry.channels, spec.outputs, dropout, pooling)


def _places(spec: ModelSpec, entry: ModelEntry) -> PlaceHead | None:
    if not spec.places:
        return None
    taps = entry.taps or {"": entry.channels}
    return PlaceHead(tuple(taps), tuple(taps.values()), spec.outputs, spec.places)
