"""The backward methods on a FastNet: gradient and guided backpropagation.

Same answers as the general way, to rounding.
"""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from steelsight.explanations.fast.net import FastNet, ForwardTape
from steelsight.explanations.fast.rules import GUIDED, PLAIN, BackwardPass

__all__ = ["fast_gradient", "fast_guided"]


def fast_gradient(
    net: FastNet, tape: ForwardTape, classes: Int[Tensor, " n"], size: tuple[int, int]
) -> Float[Tensor, "n h w"]:
    """Gradient summed over channels."""
    return _summed(net, tape, classes, size, PLAIN)


def fast_guided(
    net: FastNet, tape: ForwardTape, classes: Int[Tensor, " n"], size: tuple[int, int]
) -> Float[Tensor, "n h w"]:
    """Guided backpropagation summed over channels."""
    return _summed(net, tape, classes, size, GUIDED)


def _summed(
    net: FastNet, tape: ForwardTape, classes: Tensor, size: tuple[int, int], way: BackwardPass
) -> Tensor:
    return net.to_sum(net.backward(tape, classes, way), size).float()
