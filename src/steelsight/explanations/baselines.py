"""Baselines: the images with which attribution methods compare a sheet."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from steelsight.errors import BadInput
from steelsight.models.inputs import IMAGENET_MEAN, IMAGENET_STD

__all__ = ["BASELINES", "black_sheet", "make_baselines", "match_baselines"]

BASELINES = ("black", "mean", "blurred", "clean")

BLUR = 31  # pixels across the box blur: wider than most defects, narrower than uneven light


def make_baselines(kind: str, images: Tensor, *, clean: Tensor | None = None) -> Tensor:
    """Baselines for images, in the model's units.

    kind    black    a sheet of gray level 0, the same for all: (1, c, h, w)
            mean     each image's own mean level: (n, c, h, w)
            blurred  each image after a wide blur, without texture: (n, c, h, w)
            clean    `clean` as given, samples of defect-free sheets (r, c, h, w)
    raises  BadInput for another kind, or `clean` without samples
    """
    match kind:
        case "black":
            return black_sheet(images)
        case "mean":
            return images.mean((2, 3), keepdim=True).expand_as(images).contiguous()
        case "blurred":
            sides = [min(BLUR, 2 * (size // 2) - 1) for size in images.shape[2:]]
            pads = [sides[1] // 2, sides[1] // 2, sides[0] // 2, sides[0] // 2]
            return functional.avg_pool2d(functional.pad(images, pads, mode="replicate"), sides, stride=1)
        case "clean":
            if clean is None or len(clean) == 0:
                raise BadInput("baselines clean: expected samples of defect-free sheets, got none")
            return clean
        case _:
            raise BadInput(f"baselines: expected one of {', '.join(BASELINES)}, got {kind!r}")


def black_sheet(images: Tensor) -> Tensor:
    """Gray level 0 in the normalised units of three channels, 0 for other counts; (1, c, h, w)."""
    shape = (1, *images.shape[1:])
    if images.shape[1] != 3:
        return torch.zeros(shape, dtype=images.dtype, device=images.device)
    level = -torch.tensor(IMAGENET_MEAN, device=images.device) / torch.tensor(
        IMAGENET_STD, device=images.device
    )
    return level.to(images.dtype)[None, :, None, None].expand(shape).contiguous()


def match_baselines(baselines: Tensor | None, images: Tensor, method: str) -> Tensor:
    """One baseline an image, (n, c, h, w), from none (black), one for all, or one each; raises BadInput."""
    given = black_sheet(images) if baselines is None else baselines
    if given.shape[1:] != images.shape[1:] or len(given) not in (1, len(images)):
        raise BadInput(
            f"{method} baselines: expected shape (1 or {len(images)}, ...) of images like "
            f"{tuple(images.shape[1:])}, got {tuple(given.shape)}"
        )
    if given.dtype != images.dtype or not torch.isfinite(given).all():
        raise BadInput(f"{method} baselines: expected finite {images.dtype} values, got {given.dtype}")
    return given.expand_as(images)
