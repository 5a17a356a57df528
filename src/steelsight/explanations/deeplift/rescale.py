"""DeepLift's rescale rule for any torch model: functions are replaced while it runs, not modules.

The references run first, and the inputs of each nonlinear function are recorded. Then the images run under
autograd, and in the backward pass every nonlinear function returns its multiplier instead of its slope. Calls
are matched by their order, so a module may be used twice, be a plain function, or work in place; one forward
pass of the images serves any number of references. Linear functions need no rule.

A function without a rule in `function_rules` keeps its slope, and is named where a sum is incomplete.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from steelsight.errors import BadInput
from steelsight.explanations.deeplift.function_rules import (
    FUNCTION_RULES,
    LINEAR,
    FunctionRule,
    State,
    read_call,
)

__all__ = ["Recording", "ReferenceComparison", "record"]


@dataclass(frozen=True)
class Recording:
    """One forward pass of references: the state of each function with a rule, in the order of the calls."""

    output: Tensor
    names: tuple[str, ...]
    states: tuple[State, ...]


def record(model: nn.Module, references: Tensor) -> Recording:
    """Run references (1 or n, c, h, w) once; a single reference is compared with every image."""
    watch = _Recorder()
    with torch.no_grad(), watch:
        output = model(references.clone())  # the model may work in place
    return Recording(output, tuple(watch.names), tuple(watch.states))


class _RuleMode(TorchFunctionMode, ABC):
    """Evaluates functions that have a rule by it; all others run unchanged."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.unruled: dict[str, None] = {}  # an ordered set

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Replace functions that have a rule."""
        kwargs = kwargs or {}
        call = read_call(func, tuple(args), kwargs)
        if call is not None and call.name in FUNCTION_RULES:
            output = FUNCTION_RULES[call.name](self, call)
            if output is not None:
                return call.target.copy_(output) if call.in_place else output
        output = func(*args, **kwargs)
        name = getattr(func, "__name__", repr(func)).strip("_")
        if name not in LINEAR and isinstance(output, Tensor) and output.requires_grad:
            self.unruled[name] = None
        return output

    @abstractmethod
    def apply_rule(self, name: str, rule: FunctionRule, values: Tensor) -> Tensor:
        """A ruled function of one tensor."""

    @abstractmethod
    def product(self, name: str, multiply: Callable[..., Tensor], first: Tensor, second: Tensor) -> Tensor:
        """A function linear in each of two tensors."""


class _Recorder(_RuleMode):
    def __init__(self) -> None:
        super().__init__()
        self.states: list[State] = []

    def apply_rule(self, name: str, rule: FunctionRule, values: Tensor) -> Tensor:
        output, state = rule.evaluate(values)
        self.names.append(name)
        self.states.append(state)
        return output

    def product(self, name: str, multiply: Callable[..., Tensor], first: Tensor, second: Tensor) -> Tensor:
        self.names.append(name)
        self.states.append((first, second))
        return multiply(first, second)


class ReferenceComparison(_RuleMode):
    """Context in which a model's images are compared with recorded references.

    current   the reference of the next backward pass
    unruled   names of functions that have no rule and are not known to be linear
    raises    BadInput where the model calls other functions for an image than for a reference
    """

    def __init__(self, references: Sequence[Recording]) -> None:
        super().__init__()
        self.references = references
        self.current = references[0]

    def apply_rule(self, name: str, rule: FunctionRule, values: Tensor) -> Tensor:
        at = self._match(name, values)
        output: Tensor = _Ruled.apply(values, rule, partial(self._state, at))
        return output

    def product(self, name: str, multiply: Callable[..., Tensor], first: Tensor, second: Tensor) -> Tensor:
        output: Tensor = _Product.apply(
            first, second, multiply, partial(self._state, self._match(name, first))
        )
        return output

    def finish(self) -> None:
        """Check that every recorded call was made; raises BadInput."""
        if len(self.names) != len(self.references[0].names):
            raise self._different_calls(f"{len(self.names)} calls", f"{len(self.references[0].names)}")

    def _state(self, at: int) -> State:
        return self.current.states[at]

    def _match(self, name: str, values: Tensor) -> int:
        """Position of this call, which must be the same in every reference."""
        at = len(self.names)
        for reference in self.references:
            if at >= len(reference.names) or reference.names[at] != name:
                expected = reference.names[at] if at < len(reference.names) else "the end"
                raise self._different_calls(f"{name} as call {at}", expected)
        known = len(self.references[0].states[at][0])
        if known not in (1, len(values)):
            raise BadInput(
                f"DeepLift: {name} got {len(values)} rows of the images and {known} of the reference; the "
                "model mixes the batch axis with others: give one image at a time"
            )
        self.names.append(name)
        return at

    @staticmethod
    def _different_calls(images: str, reference: str) -> BadInput:
        return BadInput(
            f"DeepLift: the model calls other functions for the images ({images}) than for the reference "
            f"({reference}); it branches on its input: use integrated_gradients"
        )


class _Ruled(torch.autograd.Function):
    """A function whose backward pass returns its multiplier."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, rule: FunctionRule, reference: Callable[[], State]) -> Tensor:
        output, state = rule.evaluate(values)
        ctx.save_for_backward(*state)
        ctx.rule, ctx.reference = rule, reference
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return ctx.rule.back(grads[0], ctx.saved_tensors, ctx.reference()), None, None


class _Product(torch.autograd.Function):
    """A product: a factor's multiplier is the other's mean, since Δ(ab) = Δa mean(b) + Δb mean(a)."""

    @staticmethod
    def forward(
        ctx: Any,
        first: Tensor,
        second: Tensor,
        multiply: Callable[..., Tensor],
        reference: Callable[[], State],
    ) -> Tensor:
        ctx.save_for_backward(first, second)
        ctx.multiply, ctx.reference = multiply, reference
        return multiply(first, second)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        first, second = ctx.saved_tensors
        other_first, other_second = ctx.reference()
        half = [(first + other_first) / 2, (second + other_second) / 2]
        back: list[Tensor | None] = [None, None]
        with torch.enable_grad():
            for each, values in enumerate((first, second)):
                if ctx.needs_input_grad[each]:
                    leaf = values.detach().requires_grad_()
                    factors = (leaf, half[1]) if each == 0 else (half[0], leaf)
                    (back[each],) = torch.autograd.grad(ctx.multiply(*factors), leaf, grads[0])
        return *back, None, None
