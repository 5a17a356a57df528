"""What is minimised: the sheet's class, and if masks are known, the class of every place of the class map."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  torch's own abbreviation
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from steelsight.training.batches import class_weights
from steelsight.training.lesson import Targets
from steelsight.training.recipe import LossRecipe, Recipe

__all__ = ["loss_weights", "place_loss", "sheet_loss"]


def loss_weights(targets: Targets, recipe: Recipe, outputs: int) -> Tensor | None:
    """Class weights for `sheet_loss`; None unless balance.method = loss.

    For multilabel the weight of a type's yes: (sheets without / sheets with)^power.
    """
    if recipe.balance.method != "loss":
        return None
    if targets.ndim == 1:
        return torch.from_numpy(class_weights(targets, recipe.balance.power, outputs)).float()
    present = np.maximum(targets.sum(axis=0), 1)
    ratio = np.maximum(len(targets) - present, 1) / present
    return torch.from_numpy(ratio**recipe.balance.power).float()


def sheet_loss(
    logits: Float[Tensor, "n c"],
    targets: Int[Tensor, " n"] | Float[Tensor, "n c"],
    *,
    weights: Float[Tensor, " c"] | None = None,
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Cross entropy over classes, or over yes and no of each type where the targets are zeros and ones.

    weights  torch's own meaning: cross entropy is a weighted mean, yes-or-no multiplies the yes
    """
    if targets.ndim == 1:
        return F.cross_entropy(logits, targets, weight=weights, label_smoothing=label_smoothing)
    smoothed = targets * (1 - label_smoothing) + label_smoothing / 2
    return F.binary_cross_entropy_with_logits(logits, smoothed, pos_weight=weights)


def place_loss(
    class_map: Float[Tensor, "n c gh gw"],
    targets: Int[Tensor, " n"] | Float[Tensor, "n c"],
    shares: UInt8[Tensor, "n h w"],
    known: Bool[Tensor, " n"],
    recipe: LossRecipe,
) -> Float[Tensor, ""]:
    """The class of every place against the masks, averaged over each place's pixels.

    A place covered by more than `mask_share` has its sheet's class, every other place is defect-free. Defect
    places weigh 1 + `mask_emphasis`. Sheets whose masks are not known do not count; 0 if no sheet's are.
    """
    if not bool(known.any()):
        return class_map.sum() * 0
    class_map, targets = class_map[known], targets[known]
    area = F.adaptive_avg_pool2d(
        shares[known].unsqueeze(1).float() / 255, (class_map.shape[2], class_map.shape[3])
    ).squeeze(1)
    defect = area > recipe.mask_share  # (n, gh, gw)
    weight = 1 + recipe.mask_emphasis * defect
    if targets.ndim == 1:
        places = torch.where(defect, targets[:, None, None], 0)  # class 0 = none
        losses = F.cross_entropy(class_map, places, reduction="none")
    else:
        yes = defect.unsqueeze(1) * targets[:, :, None, None]  # (n, c, gh, gw)
        losses = F.binary_cross_entropy_with_logits(class_map, yes, reduction="none").mean(1)
    return (weight * losses).mean()
