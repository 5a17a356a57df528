"""Guided backpropagation's backward rule for any network, which is not modified.

Inside the context the ReLU calls of a network are replaced by a ReLU with the rule's backward pass; autograd
does the rest. Calls are replaced, not modules: a ReLU module used twice, a functional relu and an in-place
relu are all covered. Other nonlinear functions keep their gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

__all__ = ["GuidedRule"]

Call = Callable[..., Any]

RELUS: frozenset[Call] = frozenset(
    (functional.relu, functional.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_)
)


class GuidedRule(TorchFunctionMode):
    """ReLUs pass back positive gradients only.

    source  Springenberg et al. 2015, section 3.4
    """

    def __torch_function__(
        self,
        func: Call,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Any = None,
    ) -> Any:
        """Replace ReLUs; all other functions run unchanged."""
        kwargs = kwargs or {}
        if func in RELUS:
            (values,) = args[:1] or (kwargs["input"],)
            return _GuidedRelu.apply(values)
        return func(*args, **kwargs)


class _GuidedRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        out = values.clamp(min=0)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (out,) = ctx.saved_tensors
        return grads[0].clamp(min=0) * (out > 0)
