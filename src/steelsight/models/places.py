"""The place head: evidence for each class at each place of a fine grid, learnt from masks on frozen features.

The last feature map has few, large places: its strongest place often lies beside a small defect. The place
head reads earlier and finer feature maps too, on the grid of the finest of them. It shows the position of a
defect; the class map shows the evidence for the verdict. Logits do not depend on the place head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from steelsight.models.capture import watch

__all__ = ["DROPOUT", "LIMIT", "PlaceHead", "nearest", "repeat_places", "run_tapped"]

LIMIT: Final = 3.0  # standard deviations of features, against textures unlike the training sheets
DROPOUT: Final = 0.3  # of standardised features; docs/results/real.md compares it with none
LEAST_SPREAD: Final = 1e-3  # of a channel: one that varies less is a constant

Taps = Sequence[Tensor]  # feature maps (n, k, gh, gw), each with its own k and grid, the finest first


class PlaceHead(nn.Module):
    """Standardise and limit each feature map → 1x1 conv → repeat to the finest grid → sum → ReLU → 1x1 conv.

    taps      names of the modules of `features` whose outputs are read, the finest first; "" = `features`
    channels  of each of them
    outputs   classes; for the defect-free class, which has no places, the evidence is 0
    hidden    channels between the two convolutions
    """

    def __init__(self, taps: Sequence[str], channels: Sequence[int], outputs: int, hidden: int) -> None:
        super().__init__()
        self.taps = tuple(taps)
        self.scales = nn.ModuleList(
            _Scale(count, hidden, bias=not number) for number, count in enumerate(channels)
        )
        self.relu = nn.ReLU()
        self.classes = nn.Conv2d(hidden, outputs, kernel_size=1)

    def forward(self, maps: Taps) -> Float[Tensor, "n c gh gw"]:
        """Log odds of each class against "no defect here", on the grid of the first map."""
        grid = (int(maps[0].shape[2]), int(maps[0].shape[3]))
        total = self.scales[0](maps[0])
        for scale, coarse in zip(self.scales[1:], maps[1:], strict=True):
            total = total + repeat_places(scale(coarse), grid)
        evidence: Tensor = self.classes(self.relu(total))
        return evidence

    def start(self, maps: Taps) -> None:
        """Standardise by the values of some maps, and draw weights by torch's own rule and generator."""
        with torch.no_grad():
            for scale, features in zip(self._each(), maps, strict=True):
                values = features.float()
                scale.mean.copy_(values.mean((0, 2, 3), keepdim=True))
                scale.spread.copy_(values.std((0, 2, 3), keepdim=True).clamp_min(LEAST_SPREAD))
                scale.conv.reset_parameters()
            self.classes.reset_parameters()

    def clear(self) -> None:
        """Set every weight to 0 and the standardisation to the identity: evidence 0 everywhere."""
        with torch.no_grad():
            for name, values in self.state_dict().items():
                values.fill_(1.0 if name.endswith("spread") else 0.0)

    def _each(self) -> list[_Scale]:
        return [scale for scale in self.scales if isinstance(scale, _Scale)]


class _Scale(nn.Module):
    """One feature map on its own grid, standardised, limited and projected."""

    mean: Tensor
    spread: Tensor

    def __init__(self, channels: int, hidden: int, *, bias: bool) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("spread", torch.ones(1, channels, 1, 1))
        self.dropout = nn.Dropout(DROPOUT)
        self.conv = nn.Conv2d(channels, hidden, kernel_size=1, bias=bias)

    def forward(self, features: Float[Tensor, "n k gh gw"]) -> Float[Tensor, "n m gh gw"]:
        standard = ((features - self.mean) / self.spread).clamp(-LIMIT, LIMIT)
        projected: Tensor = self.conv(self.dropout(standard))
        return projected


def repeat_places(coarse: Float[Tensor, "n k gh gw"], grid: tuple[int, int]) -> Float[Tensor, "n k h w"]:
    """Repeat the places of a coarse map to the places of a grid that they are nearest to.

    grid  (h, w), not smaller than the map's own
    """
    for axis, wanted in zip((2, 3), grid, strict=True):
        places = torch.tensor(nearest(coarse.shape[axis], wanted), device=coarse.device)
        coarse = coarse.index_select(axis, places)
    return coarse


def nearest(given: int, wanted: int) -> list[int]:
    """For each of the wanted places of an axis, the number of the given place that it is nearest to.

    >>> nearest(3, 4)
    [0, 1, 1, 2]
    """
    return [int((place + 0.5) * given / wanted) for place in range(wanted)]


def run_tapped(
    features: nn.Module, taps: Sequence[str], images: Tensor, *, net: nn.Module | None = None
) -> tuple[Tensor, list[Tensor]]:
    """The feature map of images, and the outputs of the taps, in one pass in evaluation mode.

    taps    modules of `features`; "" = its output
    net     the part of `features` that is run; None = all of it
    raises  UnknownLayer for a module that does not exist
    """
    found: dict[str, Tensor] = {}
    with watch(features, [name for name in taps if name], found.__setitem__):
        last: Tensor = (features if net is None else net)(images)
    return last, [found[name] if name else last for name in taps]
