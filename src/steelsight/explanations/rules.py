"""Another backward rule for the same network: what guided backpropagation and DeepLift have in common.

Inside the `with`, the nonlinear functions a network calls are replaced by ones with the rule's own backward;
autograd does the rest. It is the call that is replaced, not the module: a ReLU module used twice, a functional
relu and an in-place one are all met, and the model itself is never touched. Tensor methods count as calls.
A nonlinear function without a rule keeps its gradient under the guided rule, and is refused under rescale,
which would lose completeness without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from steelsight.errors import BadInput

__all__ = ["GuidedRule", "RescaleRule"]

Call = Callable[..., Any]

RELUS: frozenset[Call] = frozenset(
    (functional.relu, functional.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_)
)
POINTWISE: frozenset[Call] = frozenset(
    (
        functional.leaky_relu, functional.elu, functional.gelu, functional.silu, functional.softplus,
        functional.hardtanh, functional.relu6, functional.hardswish, functional.hardsigmoid, functional.mish,
        functional.sigmoid, torch.sigmoid, Tensor.sigmoid, functional.tanh, torch.tanh, Tensor.tanh,
        torch.exp, Tensor.exp,
    )
)  # fmt: skip
MAX_POOLS: frozenset[Call] = frozenset((functional.max_pool2d, torch.max_pool2d))
LARGEST: frozenset[Call] = frozenset((torch.amax, Tensor.amax))
LOG_SUM_EXP: frozenset[Call] = frozenset((torch.logsumexp, Tensor.logsumexp))
TOP: frozenset[Call] = frozenset((torch.topk, Tensor.topk))
PRODUCTS: frozenset[Call] = frozenset(  # linear while one factor is constant
    (
        torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__, torch.bmm, torch.matmul, Tensor.__matmul__,
        torch.div, Tensor.div, Tensor.__truediv__,
    )
)  # fmt: skip
CURVED: frozenset[Call] = frozenset(
    (
        torch.max, Tensor.max, torch.softmax, functional.softmax, Tensor.softmax, functional.layer_norm,
        functional.instance_norm, functional.group_norm, functional.adaptive_max_pool2d, functional.prelu,
        functional.scaled_dot_product_attention, torch.abs, Tensor.abs, torch.sqrt, Tensor.sqrt, torch.pow,
        Tensor.pow, Tensor.__pow__, Tensor.__rtruediv__, torch.reciprocal, torch.log, Tensor.log,
    )
)  # fmt: skip


class GuidedRule(TorchFunctionMode):
    """ReLUs pass back positive gradients only.

    source  Springenberg et al. 2015, section 3.4
    """

    def __torch_function__(
        self, func: Call, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Replace ReLUs; everything else runs as it is."""
        kwargs = kwargs or {}
        if func in RELUS:
            (values,) = args[:1] or (kwargs["input"],)
            return _GuidedRelu.apply(values)
        return func(*args, **kwargs)


class RescaleRule(TorchFunctionMode):
    """Nonlinear functions pass back Δoutput / Δinput between image and reference, instead of the slope.

    The batch holds the images first and then as many references. Only the images' half carries multipliers.

    Max pooling: a window's Δ goes to the image's largest place where the window's maximum rose, and to the
    reference's where it fell; the multiplier is in 0..1 and, unlike in implementations that scatter without
    adding, overlapping windows add up. Log-sum-exp, the maximum over axes and the mean of the largest are
    convex: f(x) - f(r) = <λ ∇f(x) + (1-λ) ∇f(r), x - r> for one λ in 0..1, and that is their multiplier.
    raises  BadInput for products, norms and softmax of what depends on the image: no complete rule here
    source  Shrikumar et al. 2017, section 3.5.1; max pooling as in Lundberg's shap, summed over windows
    """

    def __init__(self, pairs: int) -> None:
        super().__init__()
        self.pairs = pairs

    def __torch_function__(
        self, func: Call, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Replace what is nonlinear; what is linear runs as it is."""
        kwargs = kwargs or {}
        if func in RELUS:
            (values,) = args[:1] or (kwargs["input"],)
            return _RescaledRelu.apply(values)
        if func in POINTWISE:
            kwargs.pop("inplace", None)
            values, *rest = args
            return _RescaledPointwise.apply(values, lambda z: func(z, *rest, **kwargs))
        if func in MAX_POOLS:
            return _rescaled_max_pool(*args, **kwargs)
        if func in LARGEST | LOG_SUM_EXP:
            return _rescaled_convex(func, *args, **kwargs)
        if func in TOP:
            return _rescaled_top(*args, **kwargs)
        if _carries(args, func):
            name = getattr(func, "__name__", str(func))
            raise BadInput(
                f"DeepLift: the model calls {name}, for which there is no complete rescale rule; "
                "use integrated_gradients, it takes any model"
            )
        return func(*args, **kwargs)


def _carries(args: tuple[Any, ...], func: Call) -> bool:
    """Whether the image enters a call in a way that no rule covers."""
    carrying = [isinstance(each, Tensor) and each.requires_grad for each in args]
    if func in PRODUCTS:
        divides = func in (torch.div, Tensor.div, Tensor.__truediv__)
        return sum(carrying) > 1 or (divides and len(carrying) > 1 and carrying[1])
    return func in CURVED and any(carrying)


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


class _RescaledRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        ctx.save_for_backward(values)
        return values.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (values,) = ctx.saved_tensors
        image, reference = values.chunk(2)
        half = grads[0].chunk(2)[0] * relu_multiplier(image, reference)
        return torch.cat([half, torch.zeros_like(half)])


class _RescaledPointwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, apply: Call) -> Tensor:
        out = apply(values)
        ctx.save_for_backward(values, out)
        ctx.apply_function = apply
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        values, out = ctx.saved_tensors
        (image, reference), (upper, lower) = values.chunk(2), out.chunk(2)
        with torch.enable_grad():
            middle = ((image + reference) / 2).detach().requires_grad_()
            slope = torch.autograd.grad(ctx.apply_function(middle).sum(), middle)[0]
        step = image - reference
        far = step.abs() > 1e-4  # nearer, the difference of outputs is rounding; the slope is exact enough
        multiplier = torch.where(far, (upper - lower) / torch.where(far, step, 1.0), slope)
        half = grads[0].chunk(2)[0] * multiplier
        return torch.cat([half, torch.zeros_like(half)]), None


def relu_multiplier(image: Tensor, reference: Tensor) -> Tensor:
    """Δrelu / Δ: exactly 1 where both are open and 0 where both are shut, without dividing small by small."""
    open_both = (image > 0) & (reference > 0)
    across = (image > 0) != (reference > 0)
    step = image - reference
    ratio = (image.clamp(min=0) - reference.clamp(min=0)) / torch.where(across, step, 1.0)
    return torch.where(across, ratio, open_both.to(image.dtype))


class _RescaledMaxPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, settings: dict[str, Any]) -> Tensor:
        pooled, places = functional.max_pool2d(values, **settings, return_indices=True)
        ctx.save_for_backward(values, pooled, places)
        return pooled

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        values, pooled, places = ctx.saved_tensors
        half = scatter_max(
            grads[0].chunk(2)[0], *values.chunk(2), *pooled.chunk(2), *places.chunk(2)
        )
        return torch.cat([half, torch.zeros_like(half)]), None


def scatter_max(
    grad: Tensor,
    image: Tensor,
    reference: Tensor,
    upper: Tensor,
    lower: Tensor,
    image_at: Tensor,
    reference_at: Tensor,
) -> Tensor:
    """Multipliers of max pooling, (n, k, h, w): each window's Δ at the place that made it.

    grad                     (n, k, ph, pw) multipliers of the pooled values
    image, reference         (n, k, h, w) what was pooled; upper, lower: their pooled values
    image_at, reference_at   (n, k, ph, pw) flat places of the maxima
    """
    rose = upper >= lower
    place = torch.where(rose, image_at, reference_at).flatten(2)
    step = (image - reference).flatten(2)
    given = ((upper - lower) * grad).flatten(2)
    at_place = step.gather(2, place)
    share = torch.where(at_place != 0, given / torch.where(at_place != 0, at_place, 1.0), grad.flatten(2))
    return torch.zeros_like(step).scatter_add_(2, place, share).reshape(image.shape)


def _rescaled_max_pool(
    values: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    if return_indices:
        raise BadInput("DeepLift: the model pools with return_indices, for which there is no rescale rule")
    settings = {
        "kernel_size": kernel_size,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "ceil_mode": ceil_mode,
    }
    pooled: Tensor = _RescaledMaxPool.apply(values, settings)
    return pooled


class _MeanValue(torch.autograd.Function):
    """A convex function of the last axis, with the multiplier of the mean-value form."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, convex: Call) -> Tensor:
        out = convex(values)
        ctx.save_for_backward(values, out)
        ctx.convex = convex
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        values, out = ctx.saved_tensors
        (image, reference), (upper, lower) = values.chunk(2), out.chunk(2)
        slopes = [_slope(ctx.convex, each) for each in (image, reference)]
        half = grads[0].chunk(2)[0][..., None] * mean_value(image - reference, upper - lower, *slopes)
        return torch.cat([half, torch.zeros_like(half)]), None


def mean_value(step: Tensor, rise: Tensor, slope: Tensor, reference_slope: Tensor) -> Tensor:
    """λ ∇f(x) + (1-λ) ∇f(r) with the λ in 0..1 that gives <multiplier, step> = rise; the last axis is summed."""
    ahead = (slope * step).sum(-1)  # at least the rise, since f is convex
    behind = (reference_slope * step).sum(-1)  # at most the rise
    spread = ahead - behind
    share = torch.where(spread > 0, (rise - behind) / torch.where(spread > 0, spread, 1.0), 1.0).clamp(0, 1)
    return share[..., None] * slope + (1 - share[..., None]) * reference_slope


def _slope(convex: Call, values: Tensor) -> Tensor:
    with torch.enable_grad():
        leaf = values.detach().requires_grad_()
        return torch.autograd.grad(convex(leaf).sum(), leaf)[0]


def _rescaled_convex(
    func: Call, values: Tensor, dim: int | tuple[int, ...] = (), keepdim: bool = False
) -> Tensor:
    axes = sorted(axis % values.ndim for axis in ((dim,) if isinstance(dim, int) else dim or range(values.ndim)))
    if not axes or 0 in axes:
        raise BadInput("DeepLift: the model pools over the batch axis; explain one that treats images alone")
    rest = [axis for axis in range(values.ndim) if axis not in axes]
    rows = values.permute(*rest, *axes).flatten(len(rest))
    out: Tensor = _MeanValue.apply(rows, lambda z: func(z, -1))
    return out.reshape([1 if axis in axes else size for axis, size in enumerate(values.shape)]) if keepdim else out


class _Top(NamedTuple):
    values: Tensor
    indices: Tensor


def _rescaled_top(
    values: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> _Top:
    """The sum of the k largest is convex; a mean of them, which is what pooling takes, follows."""
    if not largest or dim % values.ndim == 0:
        raise BadInput("DeepLift: topk has a rescale rule for the largest values of an image's own axis only")
    rows = values.movedim(dim, -1)
    total: Tensor = _MeanValue.apply(rows, lambda z: torch.topk(z, k, dim=-1, sorted=False).values.sum(-1))
    share = (total / k)[..., None].expand(*total.shape, k)
    return _Top(share.movedim(-1, dim), torch.topk(values.detach(), k, dim=dim).indices)
