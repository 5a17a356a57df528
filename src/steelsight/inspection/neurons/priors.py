"""Regularisers of optimised images: bounds, blur, total variation, spectrum; functions on image batches.

None depends on the model. Every image is treated by itself, so that a neuron's image does not depend on the
others in its batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from steelsight.models.inputs import IMAGENET_MEAN, IMAGENET_STD

__all__ = ["blur", "gray_range", "limit", "resize", "smooth_spectrum", "to_channels", "unit", "variation"]

GRAY_MEAN = sum(IMAGENET_MEAN) / 3
GRAY_STD = sum(IMAGENET_STD) / 3
LONGEST = 32  # pixels
CHARBONNIER = 1e-2  # differences far below it count by their square, so that flat areas have a gradient

Images = Float[Tensor, "n c h w"]


def to_channels(images: Images) -> Float[Tensor, "n 3 h w"]:
    """Convert optimised images to model input: one gray channel becomes three; colour is unchanged.

    images  gray: (gray - GRAY_MEAN) / GRAY_STD, gray in 0..1; colour: the model's input itself
    """
    if images.shape[1] == 3:
        return images.contiguous(memory_format=torch.channels_last)
    mean, std = (torch.tensor(each, device=images.device) for each in (IMAGENET_MEAN, IMAGENET_STD))
    rows = images.permute(0, 2, 3, 1) * (GRAY_STD / std) + (GRAY_MEAN - mean) / std  # (n, h, w, 3)
    return rows.permute(0, 3, 1, 2)


def gray_range(channels: int) -> tuple[Float[Tensor, "c 1 1"], Float[Tensor, "c 1 1"]]:
    """The values of black and of white."""
    mean = torch.tensor([GRAY_MEAN] if channels == 1 else IMAGENET_MEAN)
    std = torch.tensor([GRAY_STD] if channels == 1 else IMAGENET_STD)
    return (-mean / std)[:, None, None], ((1 - mean) / std)[:, None, None]


def limit(
    images: Images, areas: Float[Tensor, " n"], *, contrast: float | None, clip: bool
) -> Float[Tensor, "n c h w"]:
    """The nearest image of bounded contrast, then of valid gray.

    areas     (n,) pixels in the neuron's receptive field
    contrast  the root of the mean square over those pixels, from mid-gray; None = unbounded
    source    a bound on the norm: Erhan et al. 2009
    """
    if contrast is not None:
        norm = images.square().sum((1, 2, 3)).div(areas * images.shape[1]).sqrt()
        images = images * (contrast / norm.clamp(min=contrast))[:, None, None, None]
    if clip:
        low, high = gray_range(images.shape[1])
        images = torch.maximum(torch.minimum(images, high.to(images)), low.to(images))
    return images


def unit(gradient: Images, areas: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
    """Scale to a root mean square of 1 over the pixels of the receptive field; 0 stays 0."""
    norm = gradient.square().sum((1, 2, 3)).div(areas * gradient.shape[1]).sqrt()
    return gradient / norm.clamp(min=torch.finfo(gradient.dtype).tiny)[:, None, None, None]


def resize(images: Images, size: tuple[int, int]) -> Float[Tensor, "n c H W"]:
    """Bilinear to (height, width)."""
    return functional.interpolate(images, size=size, mode="bilinear", align_corners=False)


def blur(images: Images, kernels: Sequence[int] | Int[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
    """Box blur with one kernel side for each image, px; borders are repeated."""
    sides = torch.as_tensor(kernels, device=images.device)
    blurred = images.clone()
    for side in sorted(set(sides.tolist())):
        if side > 1:
            before, after = (side - 1) // 2, side // 2
            padded = functional.pad(images[sides == side], (before, after, before, after), mode="replicate")
            blurred[sides == side] = functional.avg_pool2d(padded, side, stride=1)
    return blurred


def variation(images: Images) -> Float[Tensor, "n c h w"]:
    """The gradient of each image's total variation, by rows and by columns; about 1 where values jump."""
    found = torch.zeros_like(images)
    for axis in (2, 3):
        step = images.diff(dim=axis)
        direction = step / (step.square() + CHARBONNIER**2).sqrt()
        found.narrow(axis, 1, direction.shape[axis]).add_(direction)
        found.narrow(axis, 0, direction.shape[axis]).sub_(direction)
    return found


def smooth_spectrum(gradient: Images, power: float) -> Float[Tensor, "n c h w"]:
    """Each frequency f weighted by f**-2p: ascent over Fourier coefficients scaled by f**-p, p = `power`.

    Waves longer than 32 pixels, and the mean, count as 32 pixels long: else brightness alone would move.
    source  Olah et al. 2017, "Feature visualization", preconditioning
    """
    height, width = gradient.shape[2:]
    rows, columns = torch.fft.fftfreq(height), torch.fft.rfftfreq(width)
    frequency = (rows[:, None].square() + columns[None].square()).sqrt().clamp(min=1 / LONGEST)
    weights = frequency.to(gradient).pow(-2 * power)
    weighted = torch.fft.rfft2(gradient) * weights
    smoothed: Tensor = torch.fft.irfft2(weighted, s=(height, width))
    return smoothed
