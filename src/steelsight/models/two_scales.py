"""Two networks on one sheet: EfficientNet-Lite0 at full size, the reduced SqueezeNet at half of it.

Features of everyday photographs, which tell defect types apart at full detail, stand beside features that
the small network has learnt from steel at the size it was trained at. A head on both does better than on
either: docs/results/real.md.
"""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from steelsight.models import efficientnet, squeezenet
from steelsight.models.backbones.rescale import Rescale, normalisation_of
from steelsight.models.backbones.sequence import Wrapped
from steelsight.models.inputs import IMAGENET_MEAN, IMAGENET_STD
from steelsight.models.places import repeat_places

__all__ = ["CHANNELS", "PARTS", "SMALLEST", "TAPS", "TwoScales", "two_scales_features"]

CHANNELS = efficientnet.CHANNELS + squeezenet.REDUCED_CHANNELS
SMALLEST = 36  # px: half of it is the least that SqueezeNet takes
PARTS = {"fine": efficientnet.WEIGHTS, "coarse.squeezenet": "squeezenet1_1"}  # ImageNet weights of each
TAPS = {
    **{f"net.fine.{name}": channels for name, channels in efficientnet.TAPS.items()},
    **{f"net.coarse.squeezenet.{name}": channels for name, channels in squeezenet.LATE_TAPS.items()},
}


class TwoScales(nn.Module):
    """Both feature maps on the grid of the fine one, its channels first.

    A place of the coarse map, whose grid is at most as large, is repeated to the places of the fine map that
    it is nearest to: no value is changed and none left out, so maxima over places stay what they are.
    """

    def __init__(self, fine: nn.Module, coarse: nn.Module) -> None:
        super().__init__()
        self.fine = fine
        self.coarse = coarse

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n k gh gw"]:
        """The joined feature map."""
        fine: Tensor = self.fine(images)
        coarse: Tensor = self.coarse(images)
        grid = (int(fine.shape[2]), int(fine.shape[3]))
        return torch.cat([fine, repeat_places(coarse, grid)], dim=1)


def two_scales_features() -> nn.Module:
    """(n, 3, h, w) → (n, 1664, ⌈h/32⌉, ⌈w/32⌉), for images normalised by ImageNet's mean and deviation."""
    lite0 = cast(nn.Sequential, efficientnet.lite0_features())  # its parts run one after the other
    mean, std = normalisation_of(lite0)
    coarse = nn.Sequential()
    coarse.add_module("halve", nn.AvgPool2d(2))
    coarse.add_module("rescale", Rescale(IMAGENET_MEAN, IMAGENET_STD, given=(mean, std)))
    coarse.add_module("squeezenet", squeezenet.reduced_squeezenet_features())
    return Wrapped(Rescale(mean, std), TwoScales(lite0[1:], coarse))
