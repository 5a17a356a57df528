"""The backward methods on a FastNet: gradient, guided backpropagation, DeepLift, DeepSHAP.

Same answers as the general way, to rounding.
"""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from steelsight.explanations.fast.net import FastNet, Tape, to_gray_level
from steelsight.explanations.fast.rules import GUIDED, PLAIN, RESCALE, Way

__all__ = ["fast_deep_shap", "fast_gradient", "fast_guided", "fast_rescale"]


def fast_gradient(
    net: FastNet, tape: Tape, classes: Int[Tensor, " n"], size: tuple[int, int]
) -> Float[Tensor, "n h w"]:
    """Gradient summed over channels."""
    return _summed(net, tape, classes, size, PLAIN)


def fast_guided(
    net: FastNet, tape: Tape, classes: Int[Tensor, " n"], size: tuple[int, int]
) -> Float[Tensor, "n h w"]:
    """Guided backpropagation summed over channels."""
    return _summed(net, tape, classes, size, GUIDED)


def fast_rescale(
    net: FastNet,
    tape: Tape,
    classes: Int[Tensor, " n"],
    images: Float[Tensor, "n 3 h w"],
    reference: Tape,
    starts: Float[Tensor, "n 3 h w"],
) -> Float[Tensor, "n h w"]:
    """DeepLift of images against one reference each."""
    grad = net.backward(tape, classes, RESCALE, reference=reference)
    multipliers = net.to_gray(grad, (images.shape[2], images.shape[3]))
    return multipliers * (to_gray_level(images) - to_gray_level(starts))


def fast_deep_shap(
    net: FastNet,
    tape: Tape,
    chosen: Int[Tensor, ""],
    image: Float[Tensor, "1 3 h w"],
    reference: Tape,
    starts: Float[Tensor, "r 3 h w"],
) -> Float[Tensor, "h w"]:
    """The sum over r references of one image's DeepLift; the image's tape is shared, not repeated."""
    count = len(starts)
    return fast_rescale(net, tape.repeat(count), chosen.expand(count), image, reference, starts).sum(0)


def _summed(net: FastNet, tape: Tape, classes: Tensor, size: tuple[int, int], way: Way) -> Tensor:
    return net.to_sum(net.backward(tape, classes, way), size).float()
