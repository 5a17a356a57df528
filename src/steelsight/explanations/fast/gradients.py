"""The backward methods on a FastNet: gradient and guided backpropagation.

Same answers as the general way, to rounding.
"""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from steelsight.explanations.fast.net import FastNet, StoredPass
from steelsight.explanations.fast.rules import GRADIENT, GUIDED, BackwardPass

__all__ = ["fast_gradient", "fast_guided"]


def fast_gradient(
    net: FastNet, stored: StoredPass, classes: Int[Tensor, " n"], size: tuple[int, int]
) -> Float[Tensor, "n h w"]:
    """Gradient summed over channels."""
    return _summed(net, stored, classes, size, GRADIENT)


def fast_guided(
    net: FastNet, stored: StoredPass, classes: Int[Tensor, " n"], size: tuple[int, int]
) -> Float[Tensor, "n h w"]:
    """Guided backpropagation summed over channels."""
    return _summed(net, stored, classes, size, GUIDED)


def _summed(
    net: FastNet, stored: StoredPass, classes: Tensor, size: tuple[int, int], rule: BackwardPass
) -> Tensor:
    return net.to_sum(net.backward(stored, classes, rule), size).float()
