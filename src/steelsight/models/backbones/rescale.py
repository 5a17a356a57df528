"""From the input of every model here to the one that a backbone was trained on."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from steelsight.models.inputs import IMAGENET_MEAN, IMAGENET_STD

__all__ = ["Rescale", "normalisation_of"]

Levels = tuple[float, float, float]


class Rescale(nn.Module):
    """Images normalised by one mean and deviation, ImageNet's unless given → by another.

    As the first layer of the features it keeps one input for all models: attributions, baselines and the
    noise of X + sigma Z stay in the same units. An export folds it into the first convolution.

    mean, std  of the three channels on a scale of 0 to 1, as the backbone's weights were trained with
    given      mean and deviation of the images that come in
    """

    def __init__(
        self, mean: Levels, std: Levels, given: tuple[Levels, Levels] = (IMAGENET_MEAN, IMAGENET_STD)
    ) -> None:
        super().__init__()
        self.mean = mean
        self.std = std
        self.scale = tuple(old / new for old, new in zip(given[1], std, strict=True))
        self.shift = tuple((old - new) / s for old, new, s in zip(given[0], mean, std, strict=True))

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
        """Normalised by the new mean and deviation; constants are made here, so that no copy lacks them."""
        scale, shift = (images.new_tensor(values)[:, None, None] for values in (self.scale, self.shift))
        return images * scale + shift

    def extra_repr(self) -> str:
        """Show the mean and deviation."""
        return f"mean={self.mean}, std={self.std}"


def normalisation_of(features: nn.Module) -> tuple[Levels, Levels]:
    """Mean and deviation that the features' first convolution works in."""
    first = next((layer for layer in features.modules() if isinstance(layer, Rescale)), None)
    return (IMAGENET_MEAN, IMAGENET_STD) if first is None else (first.mean, first.std)
