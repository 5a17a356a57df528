"""The rescale rule of each torch function, and how its calls are parsed.

Functions are identified by name, so that `torch.relu`, `Tensor.relu_` and `functional.relu` are one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from steelsight.explanations.deeplift.multipliers import (
    SelectedValues,
    log_sum_exp_multiplier,
    pointwise_multiplier,
    relu_multiplier,
    share_maxima,
    share_top,
)

__all__ = [
    "FUNCTION_RULES",
    "LINEAR",
    "FunctionCall",
    "FunctionEvaluator",
    "FunctionRule",
    "State",
    "read_call",
]

State = tuple[Tensor, ...]

SMOOTH: Final = (
    "celu", "cos", "elu", "erf", "exp", "expm1", "gelu", "hardsigmoid", "hardswish", "log", "log1p",
    "log_sigmoid", "logsigmoid", "mish", "pow", "reciprocal", "rpow", "rsqrt", "rtruediv", "selu", "sigmoid",
    "silu", "sin", "softplus", "softsign", "sqrt", "square", "tanh", "tanhshrink",
)  # fmt: skip
KINKED: Final = (
    "abs", "clamp", "clamp_max", "clamp_min", "clip", "hardtanh", "leaky_relu", "prelu", "relu6", "threshold",
)  # fmt: skip
POOLS: Final = tuple(
    f"{kind}max_pool{axes}d{ending}"
    for kind in ("", "adaptive_")
    for axes in (1, 2, 3)
    for ending in ("", "_with_indices")
)
LINEAR: Final = frozenset(
    (
        "adaptive_avg_pool1d", "adaptive_avg_pool2d", "add", "alpha_dropout", "avg_pool1d", "avg_pool2d",
        "batch_norm", "cat", "chunk", "clone", "concat", "contiguous", "conv1d", "conv2d", "conv3d",
        "conv_transpose2d", "detach", "div", "dropout", "dropout2d", "expand", "feature_dropout", "flatten",
        "float", "gather", "get", "getitem", "iadd", "index_select", "interpolate", "isub", "linear", "mean",
        "movedim", "mul", "narrow", "neg", "pad", "permute", "radd", "repeat", "reshape", "rmul", "rsub",
        "split", "squeeze", "stack", "sub", "sum", "swapaxes", "t", "to", "transpose", "truediv", "type",
        "unflatten", "unsqueeze", "view", "view_as",
    )
)  # fmt: skip


@runtime_checkable
class FunctionRule(Protocol):
    """A function of one tensor with its own multiplier."""

    def evaluate(self, values: Tensor) -> tuple[Tensor, State]:
        """Output, and the state that the multiplier needs."""
        ...

    def back(self, grad: Tensor, image: State, reference: State) -> Tensor:
        """Multiplier of the input from that of the output."""
        ...


@runtime_checkable
class FunctionEvaluator(Protocol):
    """Runs functions by their rules: on references it records states, on images it compares with these."""

    def apply_rule(self, name: str, rule: FunctionRule, values: Tensor) -> Tensor:
        """Evaluate a function of one tensor by its rule."""
        ...

    def product(self, name: str, multiply: Callable[..., Tensor], first: Tensor, second: Tensor) -> Tensor:
        """Evaluate a function that is linear in each of two tensors."""
        ...


@dataclass(frozen=True)
class FunctionCall:
    """A function call, independent of how it is written.

    target    the tensor that an in-place call writes to
    values    the first operand, a copy where the call works in place
    args, kwargs   all other operands, without `inplace`
    """

    name: str
    func: Callable[..., Any]
    target: Tensor
    values: Tensor
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    in_place: bool

    def apply(self, values: Tensor) -> Tensor:
        """The function with another first operand, never in place."""
        outcome: Tensor = self.func(values.clone() if self.in_place else values, *self.args, **self.kwargs)
        return outcome

    def option(self, at: int, name: str, default: Any = None) -> Any:
        """An operand by position or by name."""
        return self.args[at] if len(self.args) > at else self.kwargs.get(name, default)

    def tensors(self) -> list[Tensor]:
        """All other operands that are tensors and not parameters of the model."""
        operands = [*self.args, *self.kwargs.values()]
        return [each for each in operands if isinstance(each, Tensor) and not isinstance(each, nn.Parameter)]


def read_call(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> FunctionCall | None:
    """Parse the call of a function with a rule; None where its first operand is no floating-point tensor."""
    written = getattr(func, "__name__", "")
    name = written.strip("_")
    in_place = written.endswith("_") and not written.endswith("__")
    if name.startswith("i") and name[1:] in FUNCTION_RULES and written.startswith("__"):  # `x *= y`
        name, in_place = name[1:], True
    if name not in FUNCTION_RULES:
        return None
    if _is_functional(func) and "input" in (signature := inspect.signature(func)).parameters:
        kwargs = dict(signature.bind(*args, **kwargs).arguments)
        in_place, args = bool(kwargs.pop("inplace", False)), (kwargs.pop("input"),)
    elif not args and "input" in kwargs:
        kwargs = dict(kwargs)
        args = (kwargs.pop("input"),)
    target = args[0] if args else None
    if not isinstance(target, Tensor) or not target.is_floating_point() or "out" in kwargs:
        return None
    return FunctionCall(
        name, func, target, target.clone() if in_place else target, args[1:], kwargs, in_place
    )


def _is_functional(func: Callable[..., Any]) -> bool:
    """Whether it is defined in torch.nn.functional, whose functions take `inplace` and named operands."""
    return isinstance(func, FunctionType) and func.__module__ == functional.__name__


class _Relu:
    def evaluate(self, values: Tensor) -> tuple[Tensor, State]:
        return values.clamp(min=0), (values,)

    def back(self, grad: Tensor, image: State, reference: State) -> Tensor:
        return grad * relu_multiplier(image[0], reference[0])


@dataclass(frozen=True)
class _Pointwise:
    function: Callable[[Tensor], Tensor]
    smooth: bool

    def evaluate(self, values: Tensor) -> tuple[Tensor, State]:
        return self.function(values), (values,)

    def back(self, grad: Tensor, image: State, reference: State) -> Tensor:
        return grad * pointwise_multiplier(self.function, image[0], reference[0], smooth=self.smooth)


@dataclass(frozen=True)
class _MaxPool:
    pool: Callable[[Tensor], tuple[Tensor, Tensor]]
    axes: int
    shape: torch.Size  # of what is pooled

    def evaluate(self, values: Tensor) -> tuple[Tensor, State]:
        pooled, places = self.pool(values)
        return pooled, tuple(each.flatten(-self.axes) for each in (values, pooled, places))

    def back(self, grad: Tensor, image: State, reference: State) -> Tensor:
        shared = share_maxima(grad.flatten(-self.axes), SelectedValues(*image), SelectedValues(*reference))
        return shared.reshape(self.shape)


class _Largest:
    def evaluate(self, values: Tensor) -> tuple[Tensor, State]:
        largest, places = values.max(-1, keepdim=True)
        return largest[..., 0], (values, largest, places)

    def back(self, grad: Tensor, image: State, reference: State) -> Tensor:
        return share_maxima(grad[..., None], SelectedValues(*image), SelectedValues(*reference))


@dataclass(frozen=True)
class _Top:
    count: int

    def evaluate(self, values: Tensor) -> tuple[Tensor, State]:
        largest, places = values.topk(self.count)
        return largest, (values, largest, places)

    def back(self, grad: Tensor, image: State, reference: State) -> Tensor:
        """Complete where all k have the same weight, as in their mean; else the check of sums fails."""
        return share_top(grad.mean(-1), SelectedValues(*image), SelectedValues(*reference))


class _LogSumExp:
    def evaluate(self, values: Tensor) -> tuple[Tensor, State]:
        total = values.logsumexp(-1)
        return total, (values, total)

    def back(self, grad: Tensor, image: State, reference: State) -> Tensor:
        (rows, upper), (other, lower) = image, reference
        return grad[..., None] * log_sum_exp_multiplier(rows, other, upper, lower)


def _relu(evaluator: FunctionEvaluator, call: FunctionCall) -> Tensor:
    return evaluator.apply_rule(call.name, _Relu(), call.values)


def _smooth(evaluator: FunctionEvaluator, call: FunctionCall) -> Tensor | None:
    return (
        None if call.tensors() else evaluator.apply_rule(call.name, _Pointwise(call.apply, True), call.values)
    )


def _kinked(evaluator: FunctionEvaluator, call: FunctionCall) -> Tensor | None:
    return (
        None
        if call.tensors()
        else evaluator.apply_rule(call.name, _Pointwise(call.apply, False), call.values)
    )


def _max_pool(evaluator: FunctionEvaluator, call: FunctionCall) -> Tensor | tuple[Tensor, Tensor]:
    kind = call.name.removesuffix("_with_indices")
    pool = getattr(functional, f"{kind}_with_indices")
    kwargs = {key: each for key, each in call.kwargs.items() if key != "return_indices"}

    def with_places(values: Tensor) -> tuple[Tensor, Tensor]:
        pooled, places = pool(values, *call.args, **kwargs)
        return pooled, places

    rule = _MaxPool(with_places, int(kind[-2]), call.values.shape)
    pooled = evaluator.apply_rule(call.name, rule, call.values)
    with_indices = call.name != kind or call.kwargs.get("return_indices", False)
    return (pooled, with_places(call.values.detach())[1]) if with_indices else pooled


def _amax(evaluator: FunctionEvaluator, call: FunctionCall) -> Tensor | None:
    return _pooled(evaluator, call, _Largest())


def _max(evaluator: FunctionEvaluator, call: FunctionCall) -> Any:
    """`max` along one axis; without an axis, or of two tensors, it has no rule."""
    axis = call.option(0, "dim")
    if not isinstance(axis, int):
        return None
    largest = _pooled(evaluator, call, _Largest())
    if largest is None:
        return None
    places = call.values.detach().argmax(axis, keepdim=call.option(1, "keepdim", False))
    return torch.return_types.max((largest, places))


def _log_sum_exp(evaluator: FunctionEvaluator, call: FunctionCall) -> Tensor | None:
    return _pooled(evaluator, call, _LogSumExp())


def _pooled(evaluator: FunctionEvaluator, call: FunctionCall, rule: FunctionRule) -> Tensor | None:
    """Apply a rule to the pooled axes, merged into one; None where the batch axis is among them."""
    values = call.values
    given = call.option(0, "dim", ())
    chosen = (given,) if isinstance(given, int) else tuple(given)
    axes = sorted(axis % values.ndim for axis in chosen)
    if not axes or axes[0] == 0:
        return None
    rest = [axis for axis in range(values.ndim) if axis not in axes]
    pooled = evaluator.apply_rule(call.name, rule, values.permute(*rest, *axes).flatten(len(rest)))
    if not call.option(1, "keepdim", False):
        return pooled
    return pooled.reshape([1 if axis in axes else size for axis, size in enumerate(values.shape)])


def _top_values(evaluator: FunctionEvaluator, call: FunctionCall) -> Any:
    count, axis = call.option(0, "k"), call.option(1, "dim", -1)
    if axis % call.values.ndim == 0 or not call.option(2, "largest", True):
        return None
    rows = call.values.movedim(axis, -1)
    largest = evaluator.apply_rule(call.name, _Top(count), rows)
    places = rows.detach().topk(count).indices
    return torch.return_types.topk((largest.movedim(-1, axis), places.movedim(-1, axis)))


def _softmax(evaluator: FunctionEvaluator, call: FunctionCall) -> Tensor | None:
    logs = _log_softmax(evaluator, call)
    return None if logs is None else evaluator.apply_rule(call.name, _Pointwise(torch.exp, True), logs)


def _log_softmax(evaluator: FunctionEvaluator, call: FunctionCall) -> Tensor | None:
    """values - logsumexp(values), by the rule of log-sum-exp."""
    axis = call.option(0, "dim")
    if not isinstance(axis, int) or axis % call.values.ndim == 0:
        return None
    rows = call.values.movedim(axis, -1)
    return call.values - evaluator.apply_rule(call.name, _LogSumExp(), rows).unsqueeze(axis)


def _layer_norm(evaluator: FunctionEvaluator, call: FunctionCall) -> Tensor:
    """Centred values times one over their spread, by the rules of the square, the root and the product."""
    eps = call.option(3, "eps", 1e-5)
    axes = tuple(range(-len(call.option(0, "normalized_shape")), 0))
    centred = call.values - call.values.mean(axes, keepdim=True)
    squares = evaluator.apply_rule(call.name, _Pointwise(torch.square, True), centred)
    variance = squares.mean(axes, keepdim=True) + eps
    inverse = evaluator.apply_rule(call.name, _Pointwise(torch.rsqrt, True), variance)
    normed = evaluator.product(call.name, torch.mul, centred, inverse)
    weight, bias = call.option(1, "weight"), call.option(2, "bias")
    scaled = normed if weight is None else normed * weight
    return scaled if bias is None else scaled + bias


def _product(evaluator: FunctionEvaluator, call: FunctionCall) -> Tensor | None:
    factors = call.tensors()
    if len(factors) != 1 or len(call.args) + len(call.kwargs) != 1 or not factors[0].is_floating_point():
        return None
    return evaluator.product(call.name, PRODUCTS[call.name], call.values, factors[0])


def _quotient(evaluator: FunctionEvaluator, call: FunctionCall) -> Tensor | None:
    divisors = call.tensors()
    if len(divisors) != 1 or len(call.args) + len(call.kwargs) != 1 or not divisors[0].is_floating_point():
        return None
    inverse = evaluator.apply_rule(call.name, _Pointwise(torch.reciprocal, True), divisors[0])
    return evaluator.product(call.name, torch.mul, call.values, inverse)


PRODUCTS: Final[dict[str, Callable[..., Tensor]]] = {
    "mul": torch.mul, "multiply": torch.mul, "rmul": torch.mul, "matmul": torch.matmul, "bmm": torch.bmm,
}  # fmt: skip
FUNCTION_RULES: Final[dict[str, Callable[[FunctionEvaluator, FunctionCall], Any]]] = {
    "relu": _relu,
    **dict.fromkeys(SMOOTH, _smooth),
    **dict.fromkeys(KINKED, _kinked),
    **dict.fromkeys(POOLS, _max_pool),
    "amax": _amax,
    "layer_norm": _layer_norm,
    "max": _max,
    "logsumexp": _log_sum_exp,
    "topk": _top_values,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    **dict.fromkeys(PRODUCTS, _product),
    **dict.fromkeys(("div", "divide", "truediv"), _quotient),
}
