"""Which pixels one place of a layer can see, walked from kernel, stride and padding, layer by layer.

A container this file does not know, a flattening or a global pooling sees the whole image: a box is never too
small, and never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn
from torchvision.models.squeezenet import Fire

from steelsight.models.capture import find_layer
from steelsight.models.classifier import SheetClassifier
from steelsight.models.heads import ConvHead, DirectHead

__all__ = ["WHOLE", "Reach", "reach_of"]

Pair = tuple[int, int]


@dataclass(frozen=True)
class Reach:
    """The box of pixels behind place (0, 0), and how far it moves from place to place; each (y, x)."""

    start: Pair = (0, 0)  # of the box, below 0 where padding stands in
    size: Pair = (1, 1)
    step: Pair = (1, 1)
    whole: bool = False  # every place sees the whole image

    def box(self, place: Pair, image: Pair) -> tuple[int, int, int, int]:
        """(top, left, bottom, right) of what a place sees, cut to an image of (height, width)."""
        if self.whole:
            return 0, 0, *image
        top, left = (self.start[i] + place[i] * self.step[i] for i in (0, 1))
        bottom, right = top + self.size[0], left + self.size[1]
        return max(top, 0), max(left, 0), min(bottom, image[0]), min(right, image[1])

    def through(self, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair = (1, 1)) -> Reach:
        """The reach of a window's output over this one's places."""
        if self.whole:
            return self
        spread = [(kernel[i] - 1) * dilation[i] * self.step[i] for i in (0, 1)]
        return Reach(
            (self.start[0] - padding[0] * self.step[0], self.start[1] - padding[1] * self.step[1]),
            (self.size[0] + spread[0], self.size[1] + spread[1]),
            (self.step[0] * stride[0], self.step[1] * stride[1]),
        )

    def join(self, other: Reach) -> Reach:
        """Both together, for branches side by side; a branch that steps otherwise makes it the whole."""
        if self.whole or other.whole or self.step != other.step:
            return WHOLE
        start = (min(self.start[0], other.start[0]), min(self.start[1], other.start[1]))
        ends = [max(each.start[i] + each.size[i] for each in (self, other)) for i in (0, 1)]
        return replace(self, start=start, size=(ends[0] - start[0], ends[1] - start[1]))


WHOLE = Reach(whole=True)
POINTWISE = (nn.ReLU, nn.BatchNorm2d, nn.Dropout, nn.Identity, nn.Sigmoid, nn.Tanh, nn.LeakyReLU)


def reach_of(model: nn.Module, layer: str) -> Reach:
    """What a place of the layer's output sees of the image; raises UnknownLayer."""
    find_layer(model, layer)
    return _follow(model, layer.split("."), Reach())


def _follow(module: nn.Module, path: list[str], reach: Reach) -> Reach:
    """From the input of `module` to the output of the layer inside it that `path` names; [] = its own."""
    if isinstance(module, Fire):
        return _follow_fire(module, path, reach)
    if isinstance(module, nn.Sequential | SheetClassifier):
        for name, child in module.named_children():
            if path and name == path[0]:
                return _follow(child, path[1:], reach)
            reach = _follow(child, [], reach)
        return reach
    if isinstance(module, ConvHead | DirectHead) and path and path[0] in ("dropout", "conv", "relu"):
        return reach  # a dropout, 1x1 windows and a ReLU: places see what the features' places see
    return WHOLE if path else _window(module, reach)


def _follow_fire(module: Fire, path: list[str], reach: Reach) -> Reach:
    """Squeeze, then two expansions side by side."""
    squeezed = _follow(module.squeeze, [], reach)
    branches = {name: _follow(getattr(module, name), [], squeezed) for name in ("expand1x1", "expand3x3")}
    if not path:
        return branches["expand1x1"].join(branches["expand3x3"])
    return branches.get(path[0].removesuffix("_activation"), squeezed)


def _window(module: nn.Module, reach: Reach) -> Reach:
    if isinstance(module, POINTWISE):
        return reach
    if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) and not isinstance(module.padding, str):
        stride = module.stride if module.stride is not None else module.kernel_size
        dilation = getattr(module, "dilation", 1)
        return reach.through(*map(_pair, (module.kernel_size, stride, module.padding, dilation)))
    return WHOLE


def _pair(value: int | tuple[int, ...]) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
