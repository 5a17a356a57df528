"""The Dice of masks that need no model: one mask for all sheets, chosen on these very sheets.

A method is worth recommending only where it beats the best of them.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["constant_mask_dice"]

LEVELS = 20  # masks tried: where a pixel is defective on at least so large a share of the sheets

Truths = Bool[np.ndarray, "n h w"]


def constant_mask_dice(truths: Truths) -> Float[np.ndarray, " n"]:
    """Dice of each sheet with the best constant mask: the whole sheet, or the pixels most often defective.

    truths   (n, h, w) true masks, none empty; n >= 1
    returns  (n,) of the mask with the highest mean, which is chosen on the same sheets and so is optimistic

    >>> constant_mask_dice(np.array([[[True, False]], [[True, False]]])).tolist()
    [1.0, 1.0]
    """
    frequency = truths.mean(axis=0, dtype=np.float64)
    levels = np.linspace(0, float(frequency.max()), LEVELS)
    scores = [_dice(frequency >= level, truths) for level in levels]
    return max(scores, key=lambda score: float(score.mean()))


def _dice(mask: Bool[np.ndarray, "h w"], truths: Truths) -> Float[np.ndarray, " n"]:
    both = (truths & mask).sum(axis=(1, 2))
    dice: Float[np.ndarray, " n"] = 2 * both / (truths.sum(axis=(1, 2)) + mask.sum())
    return dice
