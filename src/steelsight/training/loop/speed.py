"""Faster training with the same mathematics: memory reuse, cheaper order of operations, cheaper random bits.

Processor time of a step, reduced SqueezeNet, 64x400, batch 32, one core with bf16: 171 ms as torch does it,
126 with memory kept, 111 with one ReLU for both halves of a Fire module and 16-bit dropout, 95 with the gray
first convolution, pooling before the ReLU and contiguous gradients. The results are the same up to rounding.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  torch's own abbreviation
from torch import Tensor, nn
from torchvision.models.squeezenet import Fire

from steelsight.models.inputs import IMAGENET_MEAN, IMAGENET_STD, to_input

__all__ = ["Dropout16", "fast_features", "keep_memory", "tuned"]

# glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
MIB = 2**20

MIDDLE = 128  # bytes less this are small whole numbers, exact in bf16


@contextmanager
def keep_memory() -> Iterator[None]:
    """Keep freed memory in the process inside the `with`; without glibc it does nothing.

    A step allocates and frees the same few hundred megabytes. glibc returns blocks of that size to the system
    at once, so that every page has to be mapped and zeroed again.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:  # where glibc's own adaptation ends
        libc.mallopt(M_MMAP_MAX, 65536)
        libc.mallopt(M_MMAP_THRESHOLD, 32 * MIB)
        libc.mallopt(M_TRIM_THRESHOLD, 64 * MIB)
        libc.malloc_trim(0)


def fast_features(features: nn.Module, images: Tensor) -> Tensor:
    """`features(to_input(gray))` and its gradients, up to rounding.

    images  gray (n, h, w) uint8, or normalised (n, 3, h, w)

    Two exact identities: max-pool and ReLU commute, so the ReLU runs on a quarter of the positions; and one
    ReLU after a concatenation equals one on each half, whose gradients would be strided slices.
    """
    gray = images.ndim == 3
    if not isinstance(features, nn.Sequential):
        return _call(features, to_input(images) if gray else images)
    steps = list(features)
    x = images
    if gray:
        first = steps[0]
        if isinstance(first, nn.Conv2d) and _can_take_gray(first):
            x = _gray_convolution(first, images)
            del steps[0]
        else:
            x = to_input(images)
    while steps:
        step = steps.pop(0)
        if not isinstance(step, nn.ReLU | Fire):
            x = _call(step, x)
            continue
        if isinstance(step, Fire):
            squeezed = F.relu_(step.squeeze(x))
            x = _Join.apply(step.expand1x1(squeezed), step.expand3x3(squeezed))
        if steps and isinstance(steps[0], nn.MaxPool2d):
            x = _call(steps.pop(0), x)
        x = F.relu(x, inplace=isinstance(step, Fire) or step.inplace)
    return x


def _can_take_gray(first: nn.Conv2d) -> bool:
    """Whether the convolution has no zero padding: no gray level is zero in all normalised channels."""
    return first.in_channels == 3 and first.padding == (0, 0)


def _gray_convolution(conv: nn.Conv2d, gray: Tensor) -> Tensor:
    """conv(to_input(gray)) with one channel: the three are the same bytes, scaled and shifted."""
    scale = torch.tensor([1 / (255 * std) for std in IMAGENET_STD], device=gray.device)
    shift = [(MIDDLE / 255 - mean) / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    weight = (conv.weight * scale[:, None, None]).sum(1, keepdim=True)  # (o, 1, kh, kw)
    offset = (conv.weight.sum((2, 3)) * torch.tensor(shift, device=gray.device)).sum(1)  # (o,)
    bias = offset if conv.bias is None else conv.bias + offset
    weight = weight.to(
        memory_format=torch.channels_last
    )  # with one channel both layouts are valid: choose the faster
    centred = (gray.unsqueeze(-1).float() - MIDDLE).permute(0, 3, 1, 2)  # (n, 1, h, w), channels-last too
    return F.conv2d(centred, weight, bias, conv.stride, conv.padding, conv.dilation)


class _Join(torch.autograd.Function):
    """Concatenate channels with contiguous gradients, which convolve faster than slices."""

    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor) -> Tensor:
        ctx.parts = (first.shape[1], second.shape[1])
        return torch.cat([first, second], 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        layout = torch.channels_last
        parts = torch.split(gradients[0], ctx.parts, 1)
        return tuple(part.contiguous(memory_format=layout) for part in parts)


def _call(module: nn.Module, x: Tensor) -> Tensor:
    answer: Tensor = module(x)
    return answer


@contextmanager
def tuned(model: nn.Module, generator: torch.Generator) -> Iterator[None]:
    """Train a model on the CPU with cheaper dropout inside the `with`.

    generator  draws the dropout masks
    """
    swapped: list[tuple[nn.Module, str, nn.Module]] = []
    try:
        for parent in list(model.modules()):
            for name, child in list(parent.named_children()):
                if type(child) is nn.Dropout:
                    setattr(parent, name, Dropout16(child.p, generator).train(child.training))
                    swapped.append((parent, name, child))
        yield
    finally:
        for parent, name, child in swapped:
            child.train(getattr(parent, name).training)
            setattr(parent, name, child)


class Dropout16(nn.Module):
    """Dropout on 16 random bits an element instead of a 64-bit draw: nine times cheaper.

    p is rounded to 1/65536, and the scale is that of the rounded p, so that the expectation is exact.
    """

    def __init__(self, p: float, generator: torch.Generator) -> None:
        super().__init__()
        self.dropped = round(p * 2**16)  # of 65536 values
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Zero a share p of the elements and scale the others by 1 / (1 - p); nothing in evaluation mode."""
        if not self.training or self.dropped == 0:
            return x
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64)
        bits = words.random_(-(2**63), None, generator=self.generator).view(torch.int16)[: x.numel()]
        kept = (bits >= self.dropped - 2**15).to(x.dtype).mul_(2**16 / (2**16 - self.dropped))
        if x.ndim == 4:  # drawn in channels-last order, in which x lies
            n, c, h, w = x.shape
            return x * kept.view(n, h, w, c).permute(0, 3, 1, 2)
        return x * kept.view(x.shape)

    def extra_repr(self) -> str:
        """Show the share."""
        return f"p={self.dropped / 2**16:.4f}"
