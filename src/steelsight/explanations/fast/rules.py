"""The three ways back: the gradient, guided backpropagation, and DeepLift's rescale.

The same rules as `explanations.rules`, on stored tapes instead of autograd.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from steelsight.explanations.fast.layers import Pool, Rule, Saved
from steelsight.explanations.rules import GuidedRule, RescaleRule, relu_multiplier, scatter_max

__all__ = ["GUIDED", "PLAIN", "RESCALE", "Way"]


@dataclass(frozen=True)
class Way:
    """A rule for the features, and the same rule as a context for the head, which autograd runs."""

    features: Rule
    head: Callable[[int], AbstractContextManager[object]]
    paired: bool = False  # needs a reference's tape


class _Plain:
    def relu(self, grad: Tensor, saved: Saved, reference: Saved | None) -> Tensor:
        return torch.ops.aten.threshold_backward(grad, saved.values, 0)  # type: ignore[no-any-return]

    def pool(self, grad: Tensor, saved: Saved, reference: Saved | None, layer: Pool) -> Tensor:
        return torch.ops.aten.max_pool2d_with_indices_backward(  # type: ignore[no-any-return]
            grad, saved.values, *layer.settings.values(), saved.places
        )


class _Guided(_Plain):
    def relu(self, grad: Tensor, saved: Saved, reference: Saved | None) -> Tensor:
        return super().relu(grad.clamp(min=0), saved, reference)


class _Rescale:
    def relu(self, grad: Tensor, saved: Saved, reference: Saved | None) -> Tensor:
        if reference is None:
            raise ValueError("rescale without a reference")
        return grad * relu_multiplier(saved.values, reference.values)

    def pool(self, grad: Tensor, saved: Saved, reference: Saved | None, layer: Pool) -> Tensor:
        if reference is None or reference.places is None or reference.pooled is None:
            raise ValueError("rescale without a reference")
        if saved.places is None or saved.pooled is None:
            raise ValueError("a tape of another network")
        return scatter_max(
            grad,
            saved.values,
            reference.values,
            saved.pooled,
            reference.pooled,
            saved.places,
            reference.places,
        )


PLAIN = Way(_Plain(), lambda _pairs: nullcontext())
GUIDED = Way(_Guided(), lambda _pairs: GuidedRule())
RESCALE = Way(_Rescale(), RescaleRule, paired=True)
