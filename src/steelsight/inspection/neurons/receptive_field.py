"""Receptive field of each place of a layer, from kernel, stride and padding, layer by layer.

An unknown container, a flattening or a global pooling counts as the whole image: a box is never too small.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn
from torchvision.models.squeezenet import Fire

from steelsight.models.backbones.rescale import Rescale
from steelsight.models.capture import find_layer
from steelsight.models.classifier import SheetClassifier
from steelsight.models.heads import ConvHead, DirectHead

__all__ = ["WHOLE", "ReceptiveField", "receptive_field_of"]

Pair = tuple[int, int]


@dataclass(frozen=True)
class LayerWindow:
    """One layer's window over the places of the layer before; each (y, x)."""

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    ceil: bool = False  # whether a last window may hang over the edge

    def span(self, i: int) -> int:
        """From a window's first place to its last."""
        return (self.kernel[i] - 1) * self.dilation[i]

    def count(self, places: int, i: int) -> int:
        """Number of windows along an axis of that many places."""
        room = places + 2 * self.padding[i] - self.span(i) - 1
        whole, rest = divmod(room, self.stride[i])
        over = self.ceil and rest > 0 and (whole + 1) * self.stride[i] < places + self.padding[i]
        return whole + 1 + over


@dataclass(frozen=True)
class ReceptiveField:
    """The box of pixels behind place (0, 0), and how far it moves from place to place; each (y, x)."""

    start: Pair = (0, 0)  # of the box, below 0 where padding stands in
    size: Pair = (1, 1)
    step: Pair = (1, 1)
    whole: bool = False  # every place sees the whole image
    windows: tuple[LayerWindow, ...] = ()  # of the layers before; pixels that fit no window are left out

    def box(self, place: Pair, image: Pair) -> tuple[int, int, int, int]:
        """(top, left, bottom, right) of a place's receptive field in an image of (height, width)."""
        if self.whole:
            return 0, 0, *image
        (top, bottom), (left, right) = (self._along(i, place[i], image[i]) for i in (0, 1))
        return top, left, bottom, right

    def _along(self, i: int, place: int, pixels: int) -> tuple[int, int]:
        """First pixel and end along an axis: back through the windows, clipped at every edge."""
        counts = [pixels]
        for window in self.windows:
            counts.append(window.count(counts[-1], i))
        low = high = place
        for window, count in zip(reversed(self.windows), reversed(counts[:-1]), strict=True):
            low = max(low * window.stride[i] - window.padding[i], 0)
            high = min(high * window.stride[i] - window.padding[i] + window.span(i), count - 1)
        return low, high + 1

    def through(self, window: LayerWindow) -> ReceptiveField:
        """The receptive field of a window applied after this one."""
        if self.whole:
            return self
        ahead = [window.padding[i] * self.step[i] for i in (0, 1)]
        spread = [window.span(i) * self.step[i] for i in (0, 1)]
        return ReceptiveField(
            (self.start[0] - ahead[0], self.start[1] - ahead[1]),
            (self.size[0] + spread[0], self.size[1] + spread[1]),
            (self.step[0] * window.stride[0], self.step[1] * window.stride[1]),
            windows=(*self.windows, window),
        )

    def join(self, other: ReceptiveField) -> ReceptiveField:
        """Union for parallel branches: the one that contains the other, else the whole image."""
        if self.whole or other.whole or self.step != other.step:
            return WHOLE
        for inner, outer in ((self, other), (other, self)):
            if all(
                outer.start[i] <= inner.start[i]
                and inner.start[i] + inner.size[i] <= outer.start[i] + outer.size[i]
                for i in (0, 1)
            ):
                return outer
        return WHOLE


WHOLE = ReceptiveField(whole=True)
POINTWISE = (
    Rescale,
    nn.BatchNorm2d,
    nn.Dropout,
    nn.GELU,
    nn.Hardtanh,
    nn.Identity,
    nn.LeakyReLU,
    nn.ReLU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Tanh,
)


def receptive_field_of(model: nn.Module, layer: str) -> ReceptiveField:
    """Receptive field of a place of the layer's output; raises UnknownLayer."""
    find_layer(model, layer)
    return _follow(model, layer.split("."), ReceptiveField())


def _follow(module: nn.Module, path: list[str], field: ReceptiveField) -> ReceptiveField:
    """From the input of `module` to the output of the layer inside it that `path` names; [] = its own."""
    if isinstance(module, Fire):
        return _follow_fire(module, path, field)
    if isinstance(module, nn.Sequential | SheetClassifier):
        for name, child in module.named_children():
            if path and name == path[0]:
                return _follow(child, path[1:], field)
            field = _follow(child, [], field)
        return field
    if isinstance(module, ConvHead | DirectHead) and path and path[0] in ("dropout", "conv", "relu"):
        return field  # a dropout, 1x1 windows and a ReLU keep the receptive field of the features
    return WHOLE if path else _window(module, field)


def _follow_fire(module: Fire, path: list[str], field: ReceptiveField) -> ReceptiveField:
    """Squeeze, then two expansions side by side."""
    squeezed = _follow(module.squeeze, [], field)
    branches = {name: _follow(getattr(module, name), [], squeezed) for name in ("expand1x1", "expand3x3")}
    if not path:
        return branches["expand1x1"].join(branches["expand3x3"])
    return branches.get(path[0].removesuffix("_activation"), squeezed)


def _window(module: nn.Module, field: ReceptiveField) -> ReceptiveField:
    if isinstance(module, POINTWISE):
        return field
    if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) and not isinstance(module.padding, str):
        stride = module.stride if module.stride is not None else module.kernel_size
        dilation = getattr(module, "dilation", 1)
        ceil = bool(getattr(module, "ceil_mode", False))
        return field.through(
            LayerWindow(
                _pair(module.kernel_size), _pair(stride), _pair(module.padding), _pair(dilation), ceil=ceil
            )
        )
    return WHOLE


def _pair(value: int | tuple[int, ...]) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
