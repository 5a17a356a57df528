"""Classification by patches: positions of the patches, and the sheet's logits from theirs."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from steelsight.errors import BadRecipe

__all__ = ["cut_patches", "join_patches", "patch_starts"]


def patch_starts(width: int, count: int) -> tuple[Int[np.ndarray, " p"], int]:
    """First columns and width of equal patches that span a sheet; they overlap where it is not divisible.

    raises  BadRecipe for more patches than columns, or none

    >>> starts, width = patch_starts(400, 6)
    >>> starts.tolist(), width
    ([0, 67, 133, 200, 266, 333], 67)
    """
    if not 1 <= count <= width:
        raise BadRecipe(f"patches.count: expected 1 to {width} for a sheet {width} wide, got {count}")
    size = -(-width // count)
    return np.rint(np.linspace(0, width - size, count)).astype(np.int64), size


def cut_patches(images: Float[Tensor, "n c h w"], count: int) -> Float[Tensor, "m c h v"]:
    """The patches of each sheet in a row, left to right: m = n · count."""
    starts, width = patch_starts(images.shape[3], count)
    cut = torch.stack([images[..., start : start + width] for start in starts.tolist()], dim=1)
    return cut.flatten(0, 1).contiguous(memory_format=torch.channels_last)


def join_patches(logits: Float[Tensor, "m c"], count: int) -> Float[Tensor, "n c"]:
    """The logits of each sheet: those of its patch with the lowest probability of being defect-free.

    logits  (n · count, c), class 0 is defect-free
    """
    apart = logits.reshape(-1, count, logits.shape[1])  # (n, p, c)
    worst = apart.log_softmax(2)[:, :, 0].argmin(1)
    joined: Tensor = apart[torch.arange(len(apart), device=logits.device), worst]
    return joined
