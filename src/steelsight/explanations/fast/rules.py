"""The two ways back that need one image alone: the gradient and guided backpropagation.

The same rules as autograd's and `explanations.rules`, on stored tapes; DeepLift's is in rescale.
"""

# ruff: noqa: ARG002  a rule takes what any rule may need

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from steelsight.explanations.backward_rules import GuidedRule
from steelsight.explanations.fast.layers import BackwardRule, LayerState, Pool, ReluPool

__all__ = ["GRADIENT", "GUIDED", "BackwardPass"]


@dataclass(frozen=True)
class BackwardPass:
    """A rule for the features, and the same rule as a context for the head, which autograd runs."""

    features: BackwardRule
    head: Callable[[], AbstractContextManager[object]]


class _GradientRule:
    def relu(self, grad: Tensor, saved: LayerState, reference: LayerState | None) -> Tensor:
        return torch.ops.aten.threshold_backward(grad, saved.values, 0)  # type: ignore[no-any-return]

    def pool(self, grad: Tensor, saved: LayerState, reference: LayerState | None, layer: Pool) -> Tensor:
        return torch.ops.aten.max_pool2d_with_indices_backward(  # type: ignore[no-any-return]
            grad, saved.values, *layer.settings.values(), saved.indices
        )

    def relu_pool(
        self, grad: Tensor, saved: LayerState, reference: LayerState | None, layer: ReluPool
    ) -> Tensor:
        open_grad = torch.ops.aten.threshold_backward(grad, saved.pooled, 0)
        return self.pool(open_grad, saved, reference, layer)


class _GuidedRule(_GradientRule):
    def relu(self, grad: Tensor, saved: LayerState, reference: LayerState | None) -> Tensor:
        return super().relu(grad.clamp(min=0), saved, reference)

    def relu_pool(
        self, grad: Tensor, saved: LayerState, reference: LayerState | None, layer: ReluPool
    ) -> Tensor:
        """Overlapping windows add up before the ReLU asks for the sign."""
        return self.relu(self.pool(grad, saved, reference, layer), saved, reference)


GRADIENT = BackwardPass(_GradientRule(), nullcontext)
GUIDED = BackwardPass(_GuidedRule(), GuidedRule)
