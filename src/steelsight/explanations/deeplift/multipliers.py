"""Rescale multipliers m = Δoutput / Δinput between an image and a reference, for nonlinear functions.

Each rule is exactly complete, Σ m Δinput = Δoutput. Where the difference vanishes the multiplier is the
slope, except that a maximum's place without any change gets 0. A reference of batch size 1 is broadcast to
all images.

The rules for maxima are one family. Log-sum-exp of sharpness r is rescaled through its parts, log ∘ sum ∘
exp; r → 0 gives the average's equal shares, and r → ∞ the rule for a maximum, which assigns a window's whole
difference to one place: the image's largest where the maximum rose, the reference's largest where it fell.
The mean of the k largest pairs the places that entered with those that left. Multipliers of maxima are in
0..1.

source  Shrikumar et al. 2017, eq. 7-9; the cross-maximum of pooling after Lundberg's `shap`, here summed
        where windows overlap
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = [
    "SelectedValues",
    "log_sum_exp_multiplier",
    "pointwise_multiplier",
    "relu_multiplier",
    "share_maxima",
    "share_top",
]

NEAR = 1e-3  # below it a smooth function's Δoutput is float32 rounding, while its midpoint slope errs by 1e-7
NEAR_KINK = 1e-4  # relative, so that a kink at 0 is never inside


class SelectedValues(NamedTuple):
    """Values selected from rows, and their places in the rows."""

    rows: Float[Tensor, "*#batch p"]
    values: Float[Tensor, "*#batch q"]
    places: Int[Tensor, "*#batch q"]


def relu_multiplier(image: Tensor, reference: Tensor) -> Tensor:
    """Multiplier of ReLU, max(x, r) / |x - r| clipped to 0..1: 1 where both are positive, 0 where neither is.

    A difference of 0 needs no branch: the smallest positive number is added to it.
    """
    distance = torch.sub(image, reference).abs_().add_(torch.finfo(image.dtype).tiny)
    return torch.maximum(image, reference).div_(distance).clamp_(0, 1)


def pointwise_multiplier(
    function: Callable[[Tensor], Tensor], image: Tensor, reference: Tensor, *, smooth: bool
) -> Tensor:
    """Multiplier of an elementwise function; where both values nearly agree, its slope at the midpoint.

    smooth  False for piecewise linear functions with a kink at 0, whose secant is exact up to rounding
    """
    step = image - reference
    size = torch.maximum(image.abs(), reference.abs())
    near = step.abs() <= (NEAR * size.clamp(min=1) if smooth else NEAR_KINK * size)
    with torch.enable_grad():
        middle = ((image + reference) / 2).detach().requires_grad_()
        (slope,) = torch.autograd.grad(function(middle).sum(), middle)
    rise = function(image) - function(reference.expand_as(image))
    return torch.where(near, slope, rise / torch.where(near, 1.0, step))


def share_maxima(
    grad: Float[Tensor, "*#batch q"], image: SelectedValues, reference: SelectedValues
) -> Float[Tensor, "*#batch p"]:
    """Multipliers of the rows from those of q maxima: each difference goes to the place that caused it.

    The ratio is at most 1, since the place was not larger before (or after).
    """
    places = torch.where(image.values >= reference.values, image.places, reference.places)
    share = grad * _ratio(image, reference, places, image.values - reference.values)
    return torch.zeros_like(image.rows).scatter_add_(-1, places, share)


def share_top(
    grad: Float[Tensor, "*#batch"], image: SelectedValues, reference: SelectedValues
) -> Float[Tensor, "*#batch p"]:
    """Multipliers of the sum of the k largest.

    Places that are among the largest of both keep their difference. The others are paired by rank, each pair
    one maximum that moved.

    grad   of the sum, equal for each of the k
    image, reference   `values` in descending order
    """
    shape = _common(image.places.shape, reference.places.shape)
    entered, moved = _front(image, reference)
    left, _ = _front(reference, image)
    entered = SelectedValues(image.rows, entered.values.expand(shape), entered.places.expand(shape))
    rose = entered.values >= left.values
    places = torch.where(rose | ~moved, entered.places, left.places.expand(shape))
    ratio = _ratio(image, reference, places, entered.values - left.values)
    share = grad[..., None] * torch.where(moved, ratio, 1.0)
    return torch.zeros_like(image.rows).scatter_add_(-1, places, share)


def log_sum_exp_multiplier(
    image: Float[Tensor, "*#batch p"],
    reference: Float[Tensor, "*#batch p"],
    upper: Float[Tensor, "*#batch"],
    lower: Float[Tensor, "*#batch"],
) -> Float[Tensor, "*#batch p"]:
    """Multiplier of log Σ exp, the product of the multipliers of log and of exp.

    upper, lower   log Σ exp of the image's rows and of the reference's
    """
    top = torch.maximum(upper, lower)  # no exponent below is above 0
    outer = 1 / _mean_exponential((upper - lower).abs())
    larger = torch.maximum(image, reference)
    inner = torch.exp(larger - top[..., None]) * _mean_exponential((image - reference).abs())
    return outer[..., None] * inner


def _mean_exponential(distance: Tensor) -> Tensor:
    """(1 - exp(-d)) / d, the mean of exp from -d to 0; 1 at d = 0."""
    return torch.where(distance == 0, 1.0, -torch.expm1(-distance) / distance)


def _ratio(image: SelectedValues, reference: SelectedValues, places: Tensor, rise: Tensor) -> Tensor:
    """The rise over the difference at the places; 0 for a place that did not change."""
    step = image.rows.gather(-1, places) - reference.rows.expand_as(image.rows).gather(-1, places)
    return rise / step.add_(torch.finfo(step.dtype).tiny)


def _front(mine: SelectedValues, other: SelectedValues) -> tuple[SelectedValues, Bool[Tensor, "*#batch q"]]:
    """The largest values, first those that are not among the other's, in order; and which these are."""
    shape = _common(mine.rows.shape, other.rows.shape)
    shape_top = _common(mine.places.shape, other.places.shape)
    places, values = mine.places.expand(shape_top), mine.values.expand(shape_top)
    taken = torch.zeros(shape, dtype=torch.bool, device=places.device)
    alone = ~taken.scatter(-1, other.places.expand(shape_top), value=True).gather(-1, places)
    order = torch.sort(alone.to(torch.uint8), dim=-1, descending=True, stable=True).indices
    front = SelectedValues(mine.rows, values.gather(-1, order), places.gather(-1, order))
    return front, alone.gather(-1, order)


def _common(first: torch.Size, second: torch.Size) -> list[int]:
    """The broadcast shape of two, of which one may have a batch of 1."""
    return [max(sizes) for sizes in zip(first, second, strict=True)]
