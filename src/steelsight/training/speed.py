"""The same mathematics in less time: memory that stays, a cheaper order of operations, cheaper random bits.

Measured with benchmarks/training.py, reduced SqueezeNet, 64x400, batch 32, processor time a step:
171 ms as torch does it → 126 with memory kept → 116 with one ReLU after the concatenation → 111 with 16-bit
dropout.
Nothing here outlives the `with`, and nothing changes a trained model.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F  # noqa: N812  torch's own abbreviation
from torch import Tensor, nn
from torchvision.models.squeezenet import Fire

__all__ = ["Dropout16", "keep_memory", "tuned"]

# glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
MIB = 2**20


@contextmanager
def keep_memory() -> Iterator[None]:
    """Keep freed memory in the process; elsewhere than on glibc it does nothing.

    A step allocates and frees the same few hundred megabytes. glibc gives blocks of that size back to the
    system at once and asks for them again, and every page is faulted in and zeroed anew: a third of the step.
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


@contextmanager
def tuned(model: nn.Module, generator: torch.Generator) -> Iterator[None]:
    """Train a model on the CPU with faster forms of its Fire modules and dropout inside the `with`.

    generator  draws what dropout keeps
    """
    swapped: list[tuple[nn.Module, str, nn.Module]] = []
    fires = [module for module in model.modules() if type(module) is Fire]
    try:
        for fire in fires:
            fire.forward = _FireForward(fire)
        for parent in list(model.modules()):
            for name, child in list(parent.named_children()):
                if type(child) is nn.Dropout:
                    setattr(parent, name, Dropout16(child.p, generator).train(child.training))
                    swapped.append((parent, name, child))
        yield
    finally:
        for fire in fires:
            vars(fire).pop("forward", None)
        for parent, name, child in swapped:
            child.train(getattr(parent, name).training)
            setattr(parent, name, child)


class _FireForward:
    """Fire with one ReLU after the concatenation, equal to one on each half before it.

    The gradient of a concatenation comes in slices; a ReLU on a slice walks memory in strides, much slower.
    """

    def __init__(self, fire: Fire) -> None:
        self.fire = fire

    def __call__(self, x: Tensor) -> Tensor:
        fire = self.fire
        squeezed = fire.squeeze_activation(fire.squeeze(x))
        return F.relu_(torch.cat([fire.expand1x1(squeezed), fire.expand3x3(squeezed)], 1))


class Dropout16(nn.Module):
    """Dropout on 16 random bits an element instead of a 64-bit draw: nine times cheaper.

    p becomes the nearest 1/65536, and the scale is that of the p in use, so that the expectation is exact.
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
