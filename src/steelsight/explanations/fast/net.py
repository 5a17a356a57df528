"""One of the catalog's networks, ready to be asked many times: gray in, one tape, any rule back.

It answers for images of one gray channel repeated in normalised units, which is what sheets are; others get
None and take the general way. Weights are copied at first use and again whenever they change.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from steelsight.explanations.fast.layers import (
    BackwardRule,
    FastLayer,
    LayerState,
    Relu,
    compile_layers,
    norm_terms,
    pools_first,
)
from steelsight.explanations.fast.rules import GRADIENT, BackwardPass
from steelsight.models.classifier import SheetClassifier
from steelsight.models.heads import DirectHead
from steelsight.models.inputs import IMAGENET_MEAN, IMAGENET_STD

__all__ = ["FastNet", "StoredPass", "fast_net", "is_gray", "to_gray_level"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h

GRAY_TOLERANCE = 1e-4  # gray levels of 0..1 by which channels may differ and still be one


@dataclass
class StoredPass:
    """A forward pass: what each layer kept, and what came out."""

    states: list[LayerState | None]
    features: Tensor  # (n, k, gh, gw)
    layers: list[FastLayer]  # in the order they ran

    def rows(self, part: slice) -> StoredPass:
        """Some images of the batch, without a copy."""
        states = [None if state is None else state.rows(part) for state in self.states]
        return StoredPass(states, self.features[part], self.layers)

    def repeat(self, times: int) -> StoredPass:
        """One image's tape as a batch of so many, without a copy."""

        def wide(state: Tensor | None) -> Tensor | None:
            return None if state is None else state.expand(times, *state.shape[1:])

        states = [
            None
            if k is None
            else LayerState(k.values.expand(times, *k.values.shape[1:]), wide(k.indices), wide(k.pooled))
            for k in self.states
        ]
        return StoredPass(states, self.features.expand(times, *self.features.shape[1:]), self.layers)


class FastNet:
    """A network's layers as plain operations; see layers and rules.

    dtype   of the features' arithmetic; the head always runs in float32
    """

    def __init__(
        self,
        first: nn.Conv2d,
        norm: nn.BatchNorm2d | None,
        layers: list[FastLayer],
        head: nn.Module,
        dtype: torch.dtype,
    ) -> None:
        self.layers, self.head, self.dtype = layers, head, dtype
        self.pool_first = pools_first(layers)
        weight = first.weight.detach().double()
        bias = first.bias.detach().double() if first.bias is not None else torch.zeros(len(weight)).double()
        if norm is not None:
            factor, shift = norm_terms(norm)
            weight, bias = weight * factor[:, None, None, None], bias * factor + shift
        scale = weight.new_tensor(IMAGENET_STD)[None, :, None, None]
        offset = weight.new_tensor(IMAGENET_MEAN)[None, :, None, None]
        self.by_gray = (weight / scale).sum(1, keepdim=True).to(dtype)  # ∂/∂ gray of 0..1
        self.by_sum = weight.sum(1, keepdim=True).to(dtype)  # Σ over channels of ∂/∂ x_c
        self.padding = tuple(int(p) for p in first.padding)
        self.stride = first.stride
        padded = any(self.padding)  # zeros around normalised channels are no gray level of their own
        self.kernel = (int(first.kernel_size[0]), int(first.kernel_size[1]))
        taps = self.kernel[0] * self.kernel[1]
        # One input channel is slow in every layout; its patches as channels of a 1x1 convolution are not.
        forward = weight.to(dtype) if padded else self.by_gray.reshape(len(weight), taps, 1, 1)
        self.weight = forward.contiguous(memory_format=torch.channels_last)
        self.back_gray, self.back_sum = (
            state.reshape(len(weight), taps)
            .T.reshape(taps, -1, 1, 1)
            .contiguous(memory_format=torch.channels_last)
            for state in (self.by_gray, self.by_sum)
        )
        self.bias = (bias if padded else bias - (weight * offset / scale).sum((1, 2, 3))).to(dtype)
        self.padded = padded
        self.classes = _classes(head)

    @torch.no_grad()
    def forward(
        self, images: Float[Tensor, "n 3 h w"], *, signs: bool = False, pool_first: bool = False
    ) -> StoredPass:
        """Run the features and keep what the way back needs.

        signs       ReLUs overwrite their input, which rules that only ask where they were open allow
        pool_first  pool before the ReLU, which is the same function on a quarter of the places; guided
                    backpropagation and rescale go back through the original order
        """
        states: list[LayerState | None] = []
        layers = self.pool_first if pool_first else self.layers
        if self.padded:
            values = images.to(self.dtype).contiguous(memory_format=torch.channels_last)
            values = functional.conv2d(
                values, self.weight, self.bias, stride=self.stride, padding=self.padding
            )
        else:
            values = self._first(to_gray_level(images).to(self.dtype))
        for layer in layers:
            values = (
                layer.keep_sign(values, states)
                if signs and isinstance(layer, Relu)
                else layer.forward(values, states)
            )
        return StoredPass(states, values, layers)

    @torch.no_grad()
    def predict(self, gray: Float[Tensor, "n h w"]) -> Float[Tensor, "n c"]:
        """Logits of gray levels of 0..1 in the net's own type, keeping nothing; for nets without padding."""
        logits: Tensor = self.head(self.features(gray))
        return logits

    @torch.no_grad()
    def features(self, gray: Float[Tensor, "n h w"]) -> Float[Tensor, "n k gh gw"]:
        """Features of gray levels of 0..1, keeping nothing; for nets without padding."""
        values = self._first(gray.to(self.dtype))
        for layer in self.pool_first:
            values = layer.apply(values)
        return values.float()

    def logits(self, stored: StoredPass) -> Float[Tensor, "n c"]:
        """What the head says of a tape."""
        with torch.no_grad():
            logits: Tensor = self.head(stored.features.float())
        return logits

    def backward(
        self,
        stored: StoredPass,
        classes: Int[Tensor, " n"],
        rule: BackwardPass = GRADIENT,
        *,
        weight: Float[Tensor, " n"] | None = None,
    ) -> Float[Tensor, "n k h1 w1"]:
        """Gradients of the first convolution's output.

        classes    target of each image
        weight     factor of each image's logit
        """
        grad = self.through_head(stored, classes, rule, weight=weight)
        return self.through_layers(grad, stored, rule.features)

    @torch.no_grad()
    def through_layers(
        self,
        grad: Float[Tensor, "n k gh gw"],
        stored: StoredPass,
        rule: BackwardRule,
        reference: StoredPass | None = None,
    ) -> Float[Tensor, "n k1 h1 w1"]:
        """From gradients, or multipliers, of the features to those of the first convolution's output.

        reference  tape of the references, for a rule that compares; one of them, or of the tape's images, may
                   stand for all
        """
        grad = grad.to(self.dtype)
        others = reference.states if reference else [None] * len(stored.states)
        for layer, saved, other in zip(
            reversed(self.layers), reversed(stored.states), reversed(others), strict=True
        ):
            grad = layer.backward(grad, saved, other, rule)
        return grad

    def through_head(
        self,
        stored: StoredPass,
        classes: Int[Tensor, " n"],
        rule: BackwardPass = GRADIENT,
        *,
        weight: Float[Tensor, " n"] | None = None,
    ) -> Float[Tensor, "n k gh gw"]:
        """Gradients of the features."""
        if isinstance(self.head, DirectHead) and self.head.pooling.kind == "average":
            weights = self.head.conv.weight.detach().flatten(1)[classes] / stored.features[0, 0].numel()
            weights = weights if weight is None else weights * weight[:, None]
            return weights[:, :, None, None].expand_as(stored.features)  # linear: the same under every rule
        with torch.inference_mode(False), torch.enable_grad():
            leaf = stored.features.float().detach().requires_grad_()
            with rule.head():
                logits = self.head(leaf)
            chosen = logits.gather(1, classes[:, None])[:, 0]
            total = (chosen if weight is None else chosen * weight).sum()
            return torch.autograd.grad(total, leaf, materialize_grads=True)[0]

    @torch.no_grad()
    def to_gray(self, grad: Tensor, size: tuple[int, int]) -> Float[Tensor, "n h w"]:
        """From the first convolution's output to gray levels of 0..1."""
        return self._transpose(grad, self.back_gray, size)

    @torch.no_grad()
    def to_sum(self, grad: Tensor, size: tuple[int, int]) -> Float[Tensor, "n h w"]:
        """From the first convolution's output to the sum over the model's three input channels."""
        return self._transpose(grad, self.back_sum, size)

    def _first(self, gray: Tensor) -> Tensor:
        """The first convolution of gray levels, without padding."""
        patches = torch.stack([gray[:, rows, columns] for rows, columns in self._taps(gray.shape[1:])], -1)
        return functional.conv2d(patches.permute(0, 3, 1, 2), self.weight, self.bias)

    def _transpose(self, grad: Tensor, weight: Tensor, size: tuple[int, int]) -> Tensor:
        """The first convolution backward, to one channel: a product a tap, laid back where it came from."""
        padded = (size[0] + 2 * self.padding[0], size[1] + 2 * self.padding[1])
        pieces = functional.conv2d(grad, weight).permute(0, 2, 3, 1).float()  # (n, h1, w1, taps)
        spread = torch.zeros(len(grad), *padded)
        for tap, (rows, columns) in enumerate(self._taps(padded)):
            spread[:, rows, columns] += pieces[..., tap]
        top, left = self.padding
        return spread[:, top : top + size[0], left : left + size[1]]

    def _taps(self, size: Sequence[int]) -> list[tuple[slice, slice]]:
        """Which pixels each element of the kernel meets."""
        (high, wide), (down, across) = self.kernel, self.stride
        rows, columns = (size[0] - high) // down + 1, (size[1] - wide) // across + 1
        return [
            (slice(i, i + down * (rows - 1) + 1, down), slice(j, j + across * (columns - 1) + 1, across))
            for i in range(high)
            for j in range(wide)
        ]


def _classes(head: nn.Module) -> int:
    """Outputs of the head's last layer."""
    last = [state for state in head.modules() if isinstance(state, nn.Linear | nn.Conv2d)][-1]
    return last.out_features if isinstance(last, nn.Linear) else last.out_channels


def to_gray_level(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n h w"]:
    """Gray of 0..1 from the first normalised channel."""
    return images[:, 0] * IMAGENET_STD[0] + IMAGENET_MEAN[0]


def is_gray(images: Tensor) -> bool:
    """Whether the three channels are one gray level in normalised units."""
    if images.shape[1] != 3:
        return False
    gray = to_gray_level(images)
    return all(
        bool((images[:, c] * IMAGENET_STD[c] + IMAGENET_MEAN[c] - gray).abs().max() <= GRAY_TOLERANCE)
        for c in (1, 2)
    )


_NETS: WeakKeyDictionary[nn.Module, dict[torch.dtype, tuple[tuple[int, ...], FastNet]]] = WeakKeyDictionary()


def fast_net(model: nn.Module, *images: Tensor, dtype: torch.dtype = torch.float32) -> FastNet | None:
    """The model as plain operations, or None where it, or an image, needs the general way."""
    if type(model) is not SheetClassifier or not all(is_gray(state) for state in images):
        return None
    if any(state.device.type != "cpu" for state in model.parameters()) or _has_hooks(model):
        return None
    state = tuple(state._version + id(state) for state in [*model.parameters(), *model.buffers()])
    known = _NETS.setdefault(model, {})
    if dtype not in known or known[dtype][0] != state:
        net = _build(model, dtype)
        if net is None:
            return None
        known[dtype] = (state, net)
    return known[dtype][1]


def _keep_freed_memory() -> None:
    """Let the process keep up to 256 MB of freed memory: a tape is the same few blocks every time.

    glibc gives them back above twice the largest block, and every page is faulted in and zeroed anew, which
    took a third of the time. Elsewhere nothing is done.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
        libc.mallopt(M_TRIM_THRESHOLD, 256 * 2**20)


def _build(model: SheetClassifier, dtype: torch.dtype) -> FastNet | None:
    _keep_freed_memory()
    first, *rest = list(model.features.children())
    if not isinstance(first, nn.Conv2d) or first.dilation != (1, 1) or isinstance(first.padding, str):
        return None
    norm = rest[0] if rest and isinstance(rest[0], nn.BatchNorm2d) else None
    layers = compile_layers(rest[1:] if norm else rest, dtype)
    return None if layers is None else FastNet(first, norm, layers, model.head, dtype)


def _has_hooks(model: nn.Module) -> bool:
    """Hooks of the caller's would be passed over."""
    return any(
        state._forward_hooks or state._forward_pre_hooks or state._backward_hooks for state in model.modules()
    )
