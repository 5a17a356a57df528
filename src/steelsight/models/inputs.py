"""Converts gray bytes to the three normalised channels of every model; no reading, no resizing."""

from __future__ import annotations

import torch
from torch import Tensor

from steelsight.errors import BadInput

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "to_input"]

# Mean and standard deviation of ImageNet's photographs, RGB on a scale of 0 to 1 (torchvision).
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def to_input(gray: Tensor) -> Tensor:
    """Repeat gray in three channels, scale to 0..1, subtract ImageNet's mean, divide by its deviation.

    gray    (n, h, w) uint8, on any device
    returns (n, 3, h, w) float32 in channels-last memory, two to three times faster than contiguous on CPUs
    raises  BadInput for another type or number of axes
    """
    if gray.dtype != torch.uint8 or gray.ndim != 3:
        raise BadInput(
            f"model input: expected gray uint8 of shape (n, h, w), "
            f"got {_short(gray.dtype)} of shape {tuple(gray.shape)}; read images with sheets.pixels"
        )
    std = torch.tensor(IMAGENET_STD, device=gray.device)
    mean = torch.tensor(IMAGENET_MEAN, device=gray.device)
    rows = gray.unsqueeze(-1).to(torch.float32) * (1 / (255 * std)) - mean / std  # (n, h, w, 3)
    return rows.permute(0, 3, 1, 2)  # (n, 3, h, w): a view, and exactly the channels-last layout


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
