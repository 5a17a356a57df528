"""Losses: per sheet, per position where masks are known, and on attributions that must not matter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  torch's own abbreviation
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from steelsight.training.dataset import Targets
from steelsight.training.loop.batches import weights_of
from steelsight.training.recipe import LossRecipe, Recipe

__all__ = ["loss_weights", "place_loss", "prior_shift", "reason_loss", "robust_loss", "sheet_loss"]

TINY = 1e-12  # avoids 0 / 0 for a sheet without attributions


def loss_weights(targets: Targets, recipe: Recipe, outputs: int) -> Tensor | None:
    """Class weights for `sheet_loss`; None unless balance.method = loss.

    For multilabel, the weight of the positive answer of a type: (sheets without / sheets with)^power.
    """
    if recipe.balance.method != "loss":
        return None
    if targets.ndim == 1:
        return torch.from_numpy(weights_of(targets, recipe.balance, outputs)).float()
    present = np.maximum(targets.sum(axis=0), 1)
    ratio = np.maximum(len(targets) - present, 1) / present
    return torch.from_numpy(ratio**recipe.balance.power).float()


def sheet_loss(
    logits: Float[Tensor, "n c"],
    targets: Int[Tensor, " n"] | Float[Tensor, "n c"],
    *,
    weights: Float[Tensor, " c"] | None = None,
    label_smoothing: float = 0.0,
    focal: float = 0.0,
    shift: Float[Tensor, " c"] | None = None,
) -> Float[Tensor, ""]:
    """Cross entropy over classes, or binary cross entropy of each type where the targets are zeros and ones.

    weights  as in torch: cross entropy is a weighted mean, binary cross entropy multiplies the positive part
    focal    gamma: an answer predicted with probability p weighs (1 - p)^gamma; Lin et al. 2017, eq. 4
    shift    (c,) added to the logits, see `prior_shift`
    """
    if shift is not None:
        logits = logits + shift
    if targets.ndim == 2:
        smoothed = targets * (1 - label_smoothing) + label_smoothing / 2
        losses = F.binary_cross_entropy_with_logits(logits, smoothed, pos_weight=weights, reduction="none")
        sure = torch.where(targets > 0, logits.sigmoid(), (-logits).sigmoid())
        return ((1 - sure) ** focal * losses).mean() if focal else losses.mean()
    if not focal:
        return F.cross_entropy(logits, targets, weight=weights, label_smoothing=label_smoothing)
    losses = F.cross_entropy(logits, targets, label_smoothing=label_smoothing, reduction="none")
    sure = logits.softmax(1).gather(1, targets[:, None]).squeeze(1)
    share = torch.ones_like(losses) if weights is None else weights[targets]
    return (share * (1 - sure) ** focal * losses).sum() / share.sum()


def prior_shift(targets: Targets, recipe: LossRecipe, outputs: int) -> Tensor | None:
    """Logit adjustment: tau log(share of the class), for a uniform class prior without it.

    returns  None unless loss.logit_adjust is set; a class without sheets counts as half a sheet
    source   Menon et al. 2021, eq. 10
    """
    if not recipe.logit_adjust:
        return None
    counts = np.maximum(np.bincount(targets, minlength=outputs), 0.5)
    return torch.from_numpy(recipe.logit_adjust * np.log(counts / counts.sum())).float()


def place_loss(
    class_map: Float[Tensor, "n c gh gw"],
    targets: Int[Tensor, " n"] | Float[Tensor, "n c"],
    shares: UInt8[Tensor, "n h w"],
    known: Bool[Tensor, " n"],
    recipe: LossRecipe,
    clean: int | None = 0,
) -> Float[Tensor, ""]:
    """Cross entropy of every position of a class map against the masks.

    A position covered by more than `mask_share` has its sheet's class, every other position is defect-free.
    Where no class is defect-free, the other positions are left out.
    Defective positions weigh 1 + `mask_emphasis`. Sheets without known masks are left out; 0 without any.
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
        if clean is None:
            return _defect_loss(class_map, targets, defect)
        places = torch.where(defect, targets[:, None, None], clean)
        losses = F.cross_entropy(class_map, places, reduction="none")
    else:
        yes = defect.unsqueeze(1) * targets[:, :, None, None]  # (n, c, gh, gw)
        losses = F.binary_cross_entropy_with_logits(class_map, yes, reduction="none").mean(1)
    return (weight * losses).mean()


def _defect_loss(
    class_map: Float[Tensor, "n c gh gw"], targets: Int[Tensor, " n"], defect: Bool[Tensor, "n gh gw"]
) -> Float[Tensor, ""]:
    """Mean cross entropy of the defective positions; 0 without any."""
    places = torch.where(defect, targets[:, None, None], -100)  # left out by cross_entropy
    losses = F.cross_entropy(class_map, places, reduction="sum")
    return losses / defect.sum().clamp(min=1)


def reason_loss(
    features: Float[Tensor, "n k gh gw"],
    logits: Float[Tensor, "n c"],
    targets: Int[Tensor, " n"],
    wrong: UInt8[Tensor, "n h w"],
) -> Float[Tensor, ""]:
    """The share of the squared attributions that lies in marked areas, 0 to 1, mean over sheets.

    The attribution of a position is its part of the margin of the true class: the sum over channels of
    feature times gradient. A position counts by the share of it that is marked. Because the loss is a ratio,
    scaling all features down does not reduce it.

    features  from which `logits` were computed, in the graph
    wrong     share of each pixel, times 255, that is marked; a sheet without marks counts as 0
    source    after Ross, Hughes and Doshi-Velez 2017, eq. 2: there input gradients, summed squares
    """
    true = logits.gather(1, targets[:, None]).squeeze(1)
    others = logits.scatter(1, targets[:, None], float("-inf")).logsumexp(1)
    gradient = torch.autograd.grad((true - others).sum(), features, create_graph=True)[0]
    squares = (gradient.float() * features.float()).sum(1) ** 2  # (n, gh, gw)
    share = F.adaptive_avg_pool2d(wrong.unsqueeze(1).float() / 255, (squares.shape[1], squares.shape[2]))
    marked = (share.squeeze(1) * squares).sum((1, 2))
    return (marked / (squares.sum((1, 2)) + TINY)).mean()


def robust_loss(
    loss_of: Callable[[Bool[Tensor, " n"]], Float[Tensor, ""]],
    cohorts: Int[Tensor, " n"],
    weights: Float[Tensor, " g"],
    step: float,
) -> Float[Tensor, ""]:
    """Group DRO: the loss weighted by cohort, and one update of the cohorts' weights by their losses.

    loss_of  the mean loss over some rows of the batch
    weights  of all cohorts, sum 1; changed in place: q_g times exp(step loss_g), normalised to sum 1
    returns  the sum over the batch's cohorts of q_g loss_g
    source   Sagawa, Koh, Hashimoto and Liang 2020, algorithm 1
    """
    present: Int[Tensor, " p"] = torch.from_numpy(np.unique(cohorts.cpu().numpy())).to(cohorts.device)
    losses = torch.stack([loss_of(cohorts == cohort) for cohort in present])
    with torch.no_grad():
        weights[present] *= (step * losses.detach().float()).exp()
        weights /= weights.sum()
    return (weights[present] * losses).sum()
