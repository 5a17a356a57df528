"""The common form of all networks: features, then a head; images of an unsuitable shape are refused."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.models.heads import AverageMaxHead, DirectHead, LinearHead
from steelsight.models.patches import cut_patches, join_patches
from steelsight.models.places import PlaceHead, run_tapped

__all__ = ["MapShapes", "SheetClassifier"]


class MapShapes(NamedTuple):
    """Sizes of what a model makes of one sheet."""

    channels: int  # of the feature map
    grid: tuple[int, int]  # of the feature map
    places: tuple[int, int] | None  # grid of the place head; None = there is none


class SheetClassifier(nn.Module):
    """A feature extractor and a head.

    features    (n, 3, h, w) → (n, k, gh, gw); Grad-CAM uses its output in every model
    head        ConvHead, LinearHead, DirectHead or AverageMaxHead
    places      where defects are, on a finer grid; None = the maps of the head alone
    size        height and width the model was built for
    smallest    the smallest height and width the features can take
    patches     1, or the number of patches a sheet is cut into and classified by; see models.patches
    """

    def __init__(
        self,
        features: nn.Module,
        head: nn.Module,
        *,
        name: str,
        size: tuple[int, int],
        smallest: int,
        patches: int = 1,
        places: PlaceHead | None = None,
    ) -> None:
        super().__init__()
        self.features = features
        self.head = head
        self.places = places
        self.name = name
        self.size = size
        self.smallest = smallest
        self.patches = patches
        self.pretrained: tuple[str, ...] = ()  # modules that started from ImageNet's or steel's weights

    @property
    def needs_its_size(self) -> bool:
        """Whether only images of `size` are accepted, as by the ad-hoc network's linear layer."""
        return isinstance(self.head, LinearHead) and isinstance(self.head.pool, nn.Identity)

    def forward(self, images: Tensor) -> Float[Tensor, "n c"]:
        """Logits of normalised images.

        images  (n, 3, h, w), as `to_input` gives them
        raises  BadInput for another number of axes or channels, or a size the network cannot take
        """
        if self.patches > 1:
            images = cut_patches(images, self.patches)
        self.check(images)
        logits: Tensor = self.head(self.features(images))
        return logits if self.patches == 1 else join_patches(logits, self.patches)

    def class_map(self, images: Tensor) -> Float[Tensor, "n c gh gw"]:
        """Evidence for each class at each position; only the direct head has it, see models.heads.

        raises  BadInput where the head is another, or as `forward`
        """
        if not isinstance(self.head, DirectHead | AverageMaxHead):
            raise BadInput(
                f"class_map: model {self.name} has the study head, which has no class map; "
                "train with head = direct, or use Grad-CAM"
            )
        self.check(images)
        return self.head.class_map(self.features(images))

    def place_map(self, images: Tensor) -> Float[Tensor, "n c gh gw"]:
        """Evidence for each class at each place of the place head's grid, as log odds.

        raises  BadInput for a model without place head, or as `forward`
        """
        if self.places is None:
            raise BadInput(
                f"places: model {self.name} has no place head; train with places.hidden above 0, "
                "or use another method"
            )
        self.check(images)
        _, taps = run_tapped(self.features, self.places.taps, images)
        evidence: Tensor = self.places(taps)
        return evidence

    def features_and_places(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Feature map, and evidence of the place head (None without one), from one pass of the features."""
        if self.places is None:
            return self.features(images), None
        features, taps = run_tapped(self.features, self.places.taps, images)
        return features, self.places(taps)

    def map_shapes(self) -> MapShapes:
        """Sizes of the feature map and of the place head's evidence, for images of the model's size."""
        with torch.no_grad():
            features, places = self.features_and_places(torch.zeros(1, 3, *self.size))
        fine = None if places is None else (int(places.shape[2]), int(places.shape[3]))
        return MapShapes(int(features.shape[1]), (int(features.shape[2]), int(features.shape[3])), fine)

    def refuse_patches(self, what: str) -> None:
        """Raise BadInput for a model of patches, for which whole-sheet explanations are not valid."""
        if self.patches > 1:
            raise BadInput(
                f"{what}: expected a model that sees whole sheets, got one that judges {self.patches} "
                "patches; train with patches.count = 1"
            )

    def check(self, images: Tensor) -> None:
        """Raise BadInput for images of a shape that the network cannot take."""
        if images.ndim != 4 or images.shape[1] != 3:
            raise BadInput(
                f"model {self.name}: expected images of shape (n, 3, h, w), got {tuple(images.shape)}; "
                "make them with models.inputs.to_input"
            )
        height, width = images.shape[2:]
        if self.needs_its_size and (height, width) != self.size:
            raise BadInput(
                f"model {self.name}: its linear layer is made for {self.size[0]}x{self.size[1]} images, "
                f"got {height}x{width}; resize them or build the model for that size"
            )
        if min(height, width) < self.smallest:
            raise BadInput(
                f"model {self.name}: expected images of at least {self.smallest}x{self.smallest}, "
                f"got {height}x{width}; use larger images"
            )
