"""Heads, from feature map to logits: the study's heads, and the direct head, whose class map is the evidence.

Each head names its layers, so that explanations can compute its gradient in closed form.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from steelsight.errors import BadRecipe

__all__ = [
    "LINEAR_POOLINGS",
    "AverageMaxHead",
    "ConvHead",
    "DirectHead",
    "LinearHead",
    "PlaceRule",
    "Pooling",
    "PoolingName",
]

PlaceRule = Literal["average", "max", "lse", "top"]  # of a class map
PoolingName = Literal["average", "max", "lse", "top", "average+max"]  # the last one of features

LINEAR_POOLINGS: Final = ("average", "average+max")  # logits are linear in what the head pools

CONCEPTS = 1000  # channels of the study's 1x1 convolution: ImageNet's classes, kept by the study


class ConvHead(nn.Module):
    """The study's SqueezeNet head: dropout → 1x1 conv to 1000 → ReLU → average pool → linear."""

    def __init__(self, channels: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.conv = nn.Conv2d(channels, CONCEPTS, kernel_size=1)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(CONCEPTS, outputs)

    def forward(self, features: Float[Tensor, "n k gh gw"]) -> Float[Tensor, "n c"]:
        """Logits of a feature map."""
        excited = self.relu(self.conv(self.dropout(features)))  # (n, 1000, gh, gw)
        logits: Tensor = self.linear(self.flatten(self.pool(excited)))
        return logits


class LinearHead(nn.Module):
    """The study's ad-hoc and VGG head: flatten → 256 → 32 → classes, ReLU and dropout between.

    grid    size of the feature map that the first linear layer is made for; with `adaptive`, features of
            any size are averaged to it first (torchvision's VGG), otherwise they must have it
    """

    def __init__(
        self, channels: int, grid: tuple[int, int], outputs: int, dropout: float, *, adaptive: bool
    ) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(grid) if adaptive else nn.Identity()
        self.flatten = nn.Flatten()
        self.linear1 = nn.Linear(channels * grid[0] * grid[1], 256)
        self.relu1 = nn.ReLU()
        self.dropout1 = nn.Dropout(dropout)
        self.linear2 = nn.Linear(256, 32)
        self.relu2 = nn.ReLU()
        self.dropout2 = nn.Dropout(dropout)
        self.linear3 = nn.Linear(32, outputs)

    def forward(self, features: Float[Tensor, "n k gh gw"]) -> Float[Tensor, "n c"]:
        """Logits of a feature map."""
        flat = self.flatten(self.pool(features))  # (n, k * gh * gw)
        hidden = self.dropout1(self.relu1(self.linear1(flat)))  # (n, 256)
        hidden = self.dropout2(self.relu2(self.linear2(hidden)))  # (n, 32)
        logits: Tensor = self.linear3(hidden)
        return logits


class DirectHead(nn.Module):
    """Dropout → 1x1 conv to the classes, no ReLU → pooling: the pooled map is itself the evidence.

    torchvision ends in a ReLU here; it is left out, because it makes an all-zero map for a class scored 0.
    """

    def __init__(self, channels: int, outputs: int, dropout: float, pooling: Pooling) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.conv = nn.Conv2d(channels, outputs, kernel_size=1)
        self.pooling = pooling

    def class_map(self, features: Float[Tensor, "n k gh gw"]) -> Float[Tensor, "n c gh gw"]:
        """Evidence for each class at each position, before pooling."""
        evidence: Tensor = self.conv(self.dropout(features))
        return evidence

    def forward(self, features: Float[Tensor, "n k gh gw"]) -> Float[Tensor, "n c"]:
        """Logits of a feature map."""
        return self.logits_and_map(features)[0]

    def logits_and_map(
        self, features: Float[Tensor, "n k gh gw"]
    ) -> tuple[Float[Tensor, "n c"], Float[Tensor, "n c gh gw"]]:
        """Logits and class map, computed once."""
        evidence = self.class_map(features)
        logits: Tensor = self.pooling(evidence)
        return logits, evidence

    def pooled(self, features: Float[Tensor, "n k gh gw"]) -> Float[Tensor, "n k"]:
        """The features that the logits are linear in, with average pooling."""
        return features.mean((2, 3))

    def set_linear(self, weight: Float[Tensor, "c k"], bias: Float[Tensor, " c"]) -> None:
        """Set the weights of the logits on `pooled`."""
        _set_linear(self.conv, weight, bias)


class AverageMaxHead(nn.Module):
    """Average and maximum of each feature over positions → dropout → linear: texture and single spots.

    The direct head's counterpart for pooling `average+max`. Both poolings' gradients sum to 1 over the P
    positions, so Grad-CAM's channel weights are exactly (W_average + W_max) / P.
    """

    def __init__(self, channels: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.pooling = AverageMax()
        self.dropout = nn.Dropout(dropout)
        self.conv = nn.Conv2d(2 * channels, outputs, kernel_size=1)  # averages first, then maxima

    def class_map(self, features: Float[Tensor, "n k gh gw"]) -> Float[Tensor, "n c gh gw"]:
        """The logits of a sheet with the features of one position everywhere.

        Unlike the direct head's, this map does not pool to the sheet's logits.
        """
        average, maximum = self.conv.weight.chunk(2, dim=1)
        evidence: Tensor = functional.conv2d(self.dropout(features), average + maximum, self.conv.bias)
        return evidence

    def forward(self, features: Float[Tensor, "n k gh gw"]) -> Float[Tensor, "n c"]:
        """Logits of a feature map."""
        logits: Tensor = self.conv(self.dropout(self.pooling(features)))
        return logits.flatten(1)

    def logits_and_map(
        self, features: Float[Tensor, "n k gh gw"]
    ) -> tuple[Float[Tensor, "n c"], Float[Tensor, "n c gh gw"]]:
        """Logits and class map."""
        return self(features), self.class_map(features)

    def pooled(self, features: Float[Tensor, "n k gh gw"]) -> Float[Tensor, "n d"]:
        """The features that the logits are linear in, d = 2k."""
        described: Tensor = self.pooling(features)
        return described.flatten(1)

    def set_linear(self, weight: Float[Tensor, "c d"], bias: Float[Tensor, " c"]) -> None:
        """Set the weights of the logits on `pooled`."""
        _set_linear(self.conv, weight, bias)


class AverageMax(nn.Module):
    """Average of each feature over positions, then its maximum."""

    def forward(self, features: Float[Tensor, "n k gh gw"]) -> Float[Tensor, "n d 1 1"]:
        """Pool over the places, d = 2k."""
        return torch.cat([features.mean((2, 3), keepdim=True), features.amax((2, 3), keepdim=True)], 1)


@torch.no_grad()
def _set_linear(conv: nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    conv.weight.copy_(weight[:, :, None, None])
    if conv.bias is not None:
        conv.bias.copy_(bias)


class Pooling(nn.Module):
    """From a class map to logits: what the places together say.

    Every kind obeys pool(z + c) = pool(z) + c, so its gradient over the P places sums to 1 whatever z is, and
    Grad-CAM's channel weights of the direct head are exactly W_ck / P.

    average     all positions alike
    max         the strongest position alone
    lse         (1/r) log mean exp(r z), r = `sharpness`: r → 0 is the average, r → ∞ the maximum
    top         mean of the strongest `top_share` of the positions, at least one
    raises      BadRecipe for a sharpness not above 0, a share outside (0, 1]
    source      lse: Pinheiro and Collobert 2015
    """

    def __init__(self, kind: PlaceRule, *, sharpness: float = 4.0, top_share: float = 0.1) -> None:
        super().__init__()
        if not (sharpness > 0 and math.isfinite(sharpness)):
            raise BadRecipe(f"pooling sharpness: expected a number above 0, got {sharpness}")
        if not 0 < top_share <= 1:
            raise BadRecipe(f"pooling top_share: expected above 0 and at most 1, got {top_share}")
        self.kind = kind
        self.sharpness = sharpness
        self.top_share = top_share

    def forward(self, evidence: Float[Tensor, "n c gh gw"]) -> Float[Tensor, "n c"]:
        """Pool over positions."""
        flat = evidence.flatten(2)  # (n, c, p)
        places = flat.shape[2]
        match self.kind:
            case "average":
                return flat.mean(2)
            case "max":
                return flat.amax(2)
            case "lse":
                return (torch.logsumexp(self.sharpness * flat, 2) - math.log(places)) / self.sharpness
            case "top":
                kept = max(1, math.ceil(self.top_share * places))
                return flat.topk(kept, dim=2, sorted=False).values.mean(2)

    def extra_repr(self) -> str:
        """Show the setting in use."""
        setting = {"lse": f", sharpness={self.sharpness}", "top": f", top_share={self.top_share}"}
        return self.kind + setting.get(self.kind, "")
