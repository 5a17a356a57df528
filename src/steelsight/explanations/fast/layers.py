"""The layers of a feature extractor as plain operations, each with its own way back.

A layer records what its backward pass needs. Methods differ in one `BackwardRule`: how a gradient passes
a ReLU and how it passes a max pool. Convolutions are linear and always the same.
"""

# ruff: noqa: ARG002  a layer takes what any layer may need

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.squeezenet import Fire

__all__ = [
    "BackwardRule",
    "Conv",
    "Expand",
    "FastLayer",
    "LayerState",
    "Pool",
    "Relu",
    "ReluPool",
    "compile_layers",
    "norm_terms",
    "pools_first",
]


@dataclass
class LayerState:
    """What a layer keeps of a forward pass: its input where the way back is nonlinear, a pool's places."""

    values: Tensor
    indices: Tensor | None = None
    pooled: Tensor | None = None

    def rows(self, part: slice) -> LayerState:
        """Some images of the batch."""
        indices = None if self.indices is None else self.indices[part]
        pooled = None if self.pooled is None else self.pooled[part]
        return LayerState(self.values[part], indices, pooled)


@runtime_checkable
class BackwardRule(Protocol):
    """How gradients pass what is nonlinear; `reference` is the layer's tape of another image, or None."""

    def relu(self, grad: Tensor, saved: LayerState, reference: LayerState | None) -> Tensor:
        """Gradient or multiplier of a ReLU's input."""
        ...

    def pool(self, grad: Tensor, saved: LayerState, reference: LayerState | None, layer: Pool) -> Tensor:
        """Gradient or multiplier of a max pool's input."""
        ...

    def relu_pool(
        self, grad: Tensor, saved: LayerState, reference: LayerState | None, layer: ReluPool
    ) -> Tensor:
        """Gradient or multiplier of the input of a ReLU that a max pool follows."""
        ...


@runtime_checkable
class FastLayer(Protocol):
    """One operation, there and back."""

    def forward(self, values: Tensor, stored: list[LayerState | None]) -> Tensor:
        """Output; appends to the tape what the way back needs."""
        ...

    def apply(self, values: Tensor) -> Tensor:
        """Output, keeping nothing; may overwrite what it was given."""
        ...

    def backward(
        self, grad: Tensor, saved: LayerState | None, reference: LayerState | None, rule: BackwardRule
    ) -> Tensor:
        """Gradient of the input."""
        ...


class Conv:
    """A convolution of stride 1; its transpose is again a convolution, with turned weights."""

    def __init__(self, weight: Tensor, bias: Tensor, padding: tuple[int, int]) -> None:
        self.weight = weight.contiguous(memory_format=torch.channels_last)
        self.bias = bias
        self.padding = padding
        turned = weight.flip(2, 3).transpose(0, 1)
        self.turned = turned.contiguous(memory_format=torch.channels_last)
        self.back_padding = (weight.shape[2] - 1 - padding[0], weight.shape[3] - 1 - padding[1])

    def forward(self, values: Tensor, stored: list[LayerState | None]) -> Tensor:
        """Convolve."""
        stored.append(None)
        return self.apply(values)

    def apply(self, values: Tensor) -> Tensor:
        """Convolve."""
        return functional.conv2d(values, self.weight, self.bias, padding=self.padding)

    def backward(
        self, grad: Tensor, saved: LayerState | None, reference: LayerState | None, rule: BackwardRule
    ) -> Tensor:
        """Convolve with the turned weights."""
        return functional.conv2d(grad, self.turned, padding=self.back_padding)


class Expand:
    """A Fire module's two expanding convolutions side by side."""

    def __init__(self, one: Conv, three: Conv) -> None:
        self.one, self.three = one, three

    def forward(self, values: Tensor, stored: list[LayerState | None]) -> Tensor:
        """1x1 first, then 3x3, as torchvision concatenates them."""
        stored.append(None)
        return self.apply(values)

    def apply(self, values: Tensor) -> Tensor:
        """1x1 first, then 3x3, as torchvision concatenates them."""
        return torch.cat([self.one.apply(values), self.three.apply(values)], 1)

    def backward(
        self, grad: Tensor, saved: LayerState | None, reference: LayerState | None, rule: BackwardRule
    ) -> Tensor:
        """The sum of both ways back."""
        count = self.one.weight.shape[0]
        first = self.one.backward(grad[:, :count], None, None, rule)
        return first.add_(self.three.backward(grad[:, count:], None, None, rule))


class Relu:
    """max(x, 0)."""

    def forward(self, values: Tensor, stored: list[LayerState | None]) -> Tensor:
        """Keeps its input."""
        stored.append(LayerState(values))
        return values.clamp(min=0)

    def keep_sign(self, values: Tensor, stored: list[LayerState | None]) -> Tensor:
        """In place; keeps its output, which is above 0 exactly where the input was."""
        stored.append(LayerState(values.relu_()))
        return values

    def apply(self, values: Tensor) -> Tensor:
        """In place."""
        return values.relu_()

    def backward(
        self, grad: Tensor, saved: LayerState | None, reference: LayerState | None, rule: BackwardRule
    ) -> Tensor:
        """As the rule says."""
        return rule.relu(grad, _require_state(saved), reference)


class Pool:
    """Max pooling."""

    def __init__(self, module: nn.MaxPool2d) -> None:
        self.settings: dict[str, Any] = {
            "kernel_size": _pair(module.kernel_size),
            "stride": _pair(module.stride),
            "padding": _pair(module.padding),
            "dilation": _pair(module.dilation),
            "ceil_mode": module.ceil_mode,
        }

    def forward(self, values: Tensor, stored: list[LayerState | None]) -> Tensor:
        """Keeps its input, output, and where each maximum was."""
        pooled, indices = functional.max_pool2d(values, **self.settings, return_indices=True)
        stored.append(LayerState(values, indices, pooled))
        return pooled

    def apply(self, values: Tensor) -> Tensor:
        """Pool."""
        pooled: Tensor = functional.max_pool2d(values, **self.settings)
        return pooled

    def backward(
        self, grad: Tensor, saved: LayerState | None, reference: LayerState | None, rule: BackwardRule
    ) -> Tensor:
        """As the rule says."""
        return rule.pool(grad, _require_state(saved), reference, self)


class ReluPool(Pool):
    """ReLU, then max pooling: pooled first, which says the same and leaves less to do."""

    def forward(self, values: Tensor, stored: list[LayerState | None]) -> Tensor:
        """Keeps its input, its output, and where each maximum was."""
        return super().forward(values, stored).relu_()

    def apply(self, values: Tensor) -> Tensor:
        """Pool, then ReLU."""
        return super().apply(values).relu_()

    def backward(
        self, grad: Tensor, saved: LayerState | None, reference: LayerState | None, rule: BackwardRule
    ) -> Tensor:
        """As the rule says."""
        return rule.relu_pool(grad, _require_state(saved), reference, self)


def compile_layers(modules: list[nn.Module], dtype: torch.dtype) -> list[FastLayer] | None:
    """Modules as layers, batch norms folded into the convolutions before them; None for an unknown kind."""
    layers: list[FastLayer] = []
    for module in modules:
        match module:
            case Fire():
                layers += [
                    _conv(module.squeeze, dtype), Relu(),
                    Expand(_conv(module.expand1x1, dtype), _conv(module.expand3x3, dtype)), Relu(),
                ]  # fmt: skip
            case nn.Conv2d() if _plain(module):
                layers.append(_conv(module, dtype))
            case nn.ReLU():
                layers.append(Relu())
            case nn.MaxPool2d() if layers and isinstance(layers[-1], Relu):
                layers[-1] = ReluPool(module)
            case nn.MaxPool2d():
                layers.append(Pool(module))
            case nn.BatchNorm2d() if (
                layers and isinstance(layers[-1], Conv) and module.running_var is not None
            ):
                layers[-1] = fold_norm(layers[-1], module, dtype)
            case _:
                return None
    return layers


def pools_first(layers: list[FastLayer]) -> list[FastLayer]:
    """Each ReLU that a max pool follows, after it instead."""
    order = list(layers)
    for at in range(len(order) - 1):
        if isinstance(order[at], Relu) and isinstance(order[at + 1], Pool):
            order[at], order[at + 1] = order[at + 1], order[at]
    return order


def fold_norm(conv: Conv, norm: nn.BatchNorm2d, dtype: torch.dtype) -> Conv:
    """A batch norm at rest is one factor and one shift a channel."""
    factor, shift = norm_terms(norm)
    weight = conv.weight.double() * factor[:, None, None, None]
    bias = conv.bias.double() * factor + shift
    return Conv(weight.to(dtype), bias.to(dtype), conv.padding)


def norm_terms(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Factor and shift of a batch norm in evaluation mode, float64."""
    if norm.running_var is None or norm.running_mean is None:
        raise ValueError("batch norm without running statistics")
    factor = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        factor = factor * norm.weight.detach().double()
    shift = -norm.running_mean.double() * factor
    if norm.bias is not None:
        shift = shift + norm.bias.detach().double()
    return factor, shift


def _conv(module: nn.Conv2d, dtype: torch.dtype) -> Conv:
    weight = module.weight.detach()
    bias = module.bias.detach() if module.bias is not None else torch.zeros(len(weight))
    padding = module.padding if isinstance(module.padding, tuple) else (0, 0)
    return Conv(weight.to(dtype), bias.to(dtype), (int(padding[0]), int(padding[1])))


def _plain(module: nn.Conv2d) -> bool:
    return (
        module.stride == (1, 1)
        and module.dilation == (1, 1)
        and module.groups == 1
        and not isinstance(module.padding, str)
        and all(p < k for p, k in zip(module.padding, module.kernel_size, strict=True))
    )


def _pair(size: Any) -> list[int]:
    return [size, size] if isinstance(size, int) else [int(side) for side in size]


def _require_state(saved: LayerState | None) -> LayerState:
    if saved is None:
        raise ValueError("a tape of another network")
    return saved
