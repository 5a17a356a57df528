"""Shapes of an operator's outputs from those of its inputs, and the multiplications it takes.

Each rule takes the inputs and the attributes, and gives the outputs with the number of multiplications. It
raises WrongNode for what the operator does not allow. No rule runs anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from steelsight.runtime.bundle.graph.values import BOOL, FLOAT, INT8, INT32, INT64, UINT8, Value, WrongNode

__all__ = ["Outcome", "Rule"]

Attributes = Mapping[str, Any]
Outcome = tuple[list[Value], int]  # outputs, multiplications
Rule = Callable[[Sequence[Value], Attributes], Outcome]
MOST_AXES: Final = 6
MOST_PLACES: Final = 2**12  # that are selected along an axis


def elementwise(inputs: Sequence[Value], _: Attributes) -> Outcome:
    """Two float tensors, broadcast."""
    _expect(all(each.dtype == FLOAT for each in inputs), "two float tensors")
    shape = _broadcast(*inputs)
    return [Value(FLOAT, shape)], math.prod(shape)


def compare(inputs: Sequence[Value], attributes: Attributes) -> Outcome:
    """Two float tensors, broadcast and compared."""
    (value,), count = elementwise(inputs, attributes)
    return [Value(BOOL, value.shape)], count


def unary(inputs: Sequence[Value], _: Attributes) -> Outcome:
    """One float tensor of the same shape."""
    _expect(inputs[0].dtype == FLOAT, "a float tensor")
    return [Value(FLOAT, inputs[0].shape)], inputs[0].size


def clip(inputs: Sequence[Value], attributes: Attributes) -> Outcome:
    """One float tensor and its bounds, single numbers."""
    _expect(all(each.dtype == FLOAT and each.shape == () for each in inputs[1:]), "bounds of one number each")
    return unary(inputs[:1], attributes)


def normalise_layer(inputs: Sequence[Value], attributes: Attributes) -> Outcome:
    """One float tensor, normalised over its last axes, with a scale and a shift of each place there."""
    (axis,) = _axes([attributes.get("axis", -1)], len(inputs[0].shape))
    behind = inputs[0].shape[axis:]
    _expect(all(each.dtype == FLOAT and each.shape == behind for each in inputs[1:]), "a scale of each place")
    return unary(inputs[:1], attributes)


def normalise_exponents(inputs: Sequence[Value], attributes: Attributes) -> Outcome:
    """One float tensor, positive and of sum 1 along an axis."""
    _axes([attributes.get("axis", -1)], len(inputs[0].shape))
    return unary(inputs, attributes)


def cut(inputs: Sequence[Value], _: Attributes) -> Outcome:
    """Every step-th place of some axes from a start to an end; starts, ends, axes and steps are constants."""
    value = inputs[0]
    starts, ends, numbers, steps = (_numbers(each) for each in inputs[1:])
    axes = _axes(numbers, len(value.shape))
    _expect(len(starts) == len(ends) == len(axes) == len(steps), "a start, an end and a step of each axis")
    _expect(min(steps, default=1) >= 1, "steps forward")
    shape = list(value.shape)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        shape[axis] = len(range(*slice(start, end, step).indices(shape[axis])))
    _expect(0 not in axes and min(shape) >= 1, "at least one place, and all sheets")
    return [Value(value.dtype, tuple(shape))], math.prod(shape)


def select(inputs: Sequence[Value], attributes: Attributes) -> Outcome:
    """Places of one axis by their numbers, which are constants; not of the axis of the sheets."""
    value, numbers = inputs
    axis = _axes([attributes.get("axis", 0)], len(value.shape))[0]
    if numbers.data is None or numbers.dtype != INT64 or len(numbers.shape) != 1:
        raise WrongNode("expected a constant list of whole numbers")
    _expect(axis != 0 and 1 <= numbers.size <= MOST_PLACES, f"1 to {MOST_PLACES} places, and all sheets")
    low, high = int(numbers.data.min()), int(numbers.data.max())
    _expect(low >= 0 and high < value.shape[axis], "numbers of places that there are")
    shape = (*value.shape[:axis], numbers.size, *value.shape[axis + 1 :])
    return [Value(value.dtype, shape)], math.prod(shape)


def identity(inputs: Sequence[Value], _: Attributes) -> Outcome:
    """The same tensor."""
    return [Value(inputs[0].dtype, inputs[0].shape)], inputs[0].size


def cast(inputs: Sequence[Value], attributes: Attributes) -> Outcome:
    """The same shape with another element type."""
    _expect(attributes.get("to") == FLOAT, "a cast to float")
    return [Value(FLOAT, inputs[0].shape)], inputs[0].size


def convolve(inputs: Sequence[Value], attributes: Attributes) -> Outcome:
    """Images (n, c, h, w), weights (o, c / group, kh, kw) and a bias (o)."""
    images, weights = inputs[0], inputs[1]
    group = attributes.get("group", 1)
    _expect(all(each.dtype == FLOAT for each in inputs), "float tensors")
    _expect(len(images.shape) == len(weights.shape) == 4, "images and weights of four axes")
    outputs, channels, *kernel = weights.shape
    _expect(images.shape[1] == channels * group and outputs % group == 0, "as many channels as weights")
    _expect(list(attributes.get("kernel_shape", kernel)) == kernel, "the kernel's shape")
    _expect(len(inputs) < 3 or inputs[2].shape == (outputs,), "a bias of each output")
    size = _window(images.shape[2:], kernel, attributes)
    shape = (images.shape[0], outputs, *size)
    return [Value(FLOAT, shape)], math.prod(shape) * channels * math.prod(kernel)


def pool(inputs: Sequence[Value], attributes: Attributes) -> Outcome:
    """Images (n, c, h, w) pooled by windows."""
    images, kernel = inputs[0], list(attributes.get("kernel_shape", ()))
    _expect(images.dtype in (FLOAT, UINT8, INT8) and len(images.shape) == 4, "images of four axes")
    shape = (*images.shape[:2], *_window(images.shape[2:], kernel, attributes))
    return [Value(images.dtype, shape)], math.prod(shape) * math.prod(kernel)


def pool_all(inputs: Sequence[Value], _: Attributes) -> Outcome:
    """Images (n, c, h, w) pooled to one place."""
    images = inputs[0]
    _expect(images.dtype == FLOAT and len(images.shape) == 4, "images of four axes")
    return [Value(FLOAT, (*images.shape[:2], 1, 1))], images.size


def normalise(inputs: Sequence[Value], attributes: Attributes) -> Outcome:
    """Images (n, c, ...) with scale, shift, mean and variance (c)."""
    (outcome,), count = unary(inputs, attributes)
    channels = inputs[0].shape[1:2]
    _expect(
        all(each.dtype == FLOAT and each.shape == channels for each in inputs[1:]), "four of each channel"
    )
    return [outcome], count


def reduce(inputs: Sequence[Value], attributes: Attributes) -> Outcome:
    """A tensor reduced over the axes of an attribute or of a second input."""
    value = inputs[0]
    _expect(value.dtype == FLOAT, "a float tensor")
    axes = _axes(inputs[1] if len(inputs) == 2 else attributes.get("axes"), len(value.shape))
    if attributes.get("keepdims", 1):
        shape = [1 if axis in axes else length for axis, length in enumerate(value.shape)]
    else:
        shape = [length for axis, length in enumerate(value.shape) if axis not in axes]
    return [Value(FLOAT, tuple(shape))], value.size


def reshape(inputs: Sequence[Value], _: Attributes) -> Outcome:
    """Another shape of the same size: 0 keeps a length, one -1 is computed."""
    value, wanted = inputs[0], _numbers(inputs[1])
    _expect(len(wanted) <= MOST_AXES and wanted.count(-1) <= 1 and min(wanted, default=0) >= -1, "a shape")
    _expect(all(length or axis < len(value.shape) for axis, length in enumerate(wanted)), "a shape")
    shape = [value.shape[axis] if length == 0 else length for axis, length in enumerate(wanted)]
    if -1 in shape:
        known = math.prod(length for length in shape if length != -1)
        _expect(known > 0 and value.size % known == 0, "a shape of the same size")
        shape[shape.index(-1)] = value.size // known
    _expect(math.prod(shape) == value.size, "a shape of the same size")
    return [Value(value.dtype, tuple(shape))], 0


def flatten(inputs: Sequence[Value], attributes: Attributes) -> Outcome:
    """A matrix: the axes before one, and the others."""
    shape, axis = inputs[0].shape, attributes.get("axis", 1)
    _expect(0 <= axis <= len(shape), "an axis of the tensor")
    return [Value(inputs[0].dtype, (math.prod(shape[:axis]), math.prod(shape[axis:])))], 0


def squeeze(inputs: Sequence[Value], _: Attributes) -> Outcome:
    """Without some axes of length 1."""
    shape = inputs[0].shape
    axes = _axes(inputs[1], len(shape))
    _expect(all(shape[axis] == 1 for axis in axes), "axes of length 1")
    kept = tuple(length for axis, length in enumerate(shape) if axis not in axes)
    return [Value(inputs[0].dtype, kept)], 0


def unsqueeze(inputs: Sequence[Value], _: Attributes) -> Outcome:
    """With more axes of length 1."""
    shape = list(inputs[0].shape)
    for axis in sorted(_axes(inputs[1], len(shape) + inputs[1].size)):
        shape.insert(axis, 1)
    return [Value(inputs[0].dtype, tuple(shape))], 0


def transpose(inputs: Sequence[Value], attributes: Attributes) -> Outcome:
    """The same axes in another order."""
    shape = inputs[0].shape
    order = list(attributes.get("perm", reversed(range(len(shape)))))
    _expect(sorted(order) == list(range(len(shape))), "every axis once")
    return [Value(inputs[0].dtype, tuple(shape[axis] for axis in order))], inputs[0].size


def concatenate(inputs: Sequence[Value], attributes: Attributes) -> Outcome:
    """Tensors side by side along an axis."""
    first = inputs[0]
    (axis,) = _axes([attributes.get("axis", len(first.shape))], len(first.shape))
    rest = [(*each.shape[:axis], *each.shape[axis + 1 :]) for each in inputs]
    same = all(len(each.shape) == len(first.shape) and each.dtype == first.dtype for each in inputs)
    _expect(same and len(set(rest)) == 1, "tensors that differ along one axis")
    along = sum(each.shape[axis] for each in inputs)
    shape = (*first.shape[:axis], along, *first.shape[axis + 1 :])
    return [Value(first.dtype, shape)], math.prod(shape)


def multiply(inputs: Sequence[Value], _: Attributes) -> Outcome:
    """Matrices, of which axes before the last two are broadcast."""
    first, second = inputs
    _expect(first.dtype == second.dtype == FLOAT, "two float tensors")
    _expect(min(len(first.shape), len(second.shape)) >= 2, "matrices")
    _expect(first.shape[-1] == second.shape[-2], "as many columns as rows")
    before = _broadcast(Value(FLOAT, first.shape[:-2]), Value(FLOAT, second.shape[:-2]))
    shape = (*before, first.shape[-2], second.shape[-1])
    return [Value(FLOAT, shape)], math.prod(shape) * first.shape[-1]


def multiply_add(inputs: Sequence[Value], attributes: Attributes) -> Outcome:
    """Two matrices, each transposed or not, and what is added."""
    _expect(all(len(each.shape) == 2 for each in inputs[:2]), "two matrices")
    turned = [attributes.get(name, 0) for name in ("transA", "transB")]
    matrices = [
        Value(each.dtype, each.shape[::-1] if turn else each.shape)
        for each, turn in zip(inputs, turned, strict=False)
    ]
    (product,), count = multiply(matrices, attributes)
    if len(inputs) == 3:
        _expect(_broadcast(product, inputs[2]) == product.shape, "an addend of the product's shape")
    return [product], count


def top(inputs: Sequence[Value], attributes: Attributes) -> Outcome:
    """The k largest along an axis, and where they are."""
    value, kept = inputs[0], _numbers(inputs[1])
    _expect(value.dtype == FLOAT and len(kept) == 1, "a float tensor and one number")
    (axis,) = _axes([attributes.get("axis", -1)], len(value.shape))
    _expect(1 <= kept[0] <= value.shape[axis], "as many as there are at most")
    shape = (*value.shape[:axis], kept[0], *value.shape[axis + 1 :])
    return [Value(FLOAT, shape), Value(INT64, shape)], value.size


def quantise(inputs: Sequence[Value], attributes: Attributes) -> Outcome:
    """Floats as bytes, by a scale and a zero of the tensor or of each place along an axis."""
    _expect(inputs[0].dtype == FLOAT, "a float tensor")
    zero = _scale(inputs, attributes)
    return [Value(zero, inputs[0].shape)], inputs[0].size


def dequantise(inputs: Sequence[Value], attributes: Attributes) -> Outcome:
    """Bytes as floats, by a scale and a zero of the tensor or of each place along an axis."""
    zero = _scale(inputs, attributes)
    _expect(inputs[0].dtype == zero, "bytes of the type of their zero")
    return [Value(FLOAT, inputs[0].shape)], inputs[0].size


def _scale(inputs: Sequence[Value], attributes: Attributes) -> int:
    """Element type of the zero; scale and zero are numbers, or as many as the axis is long."""
    value, scale, zero = inputs
    _expect(scale.dtype == FLOAT and zero.dtype in (UINT8, INT8, INT32), "a float scale and a zero of bytes")
    _expect(scale.shape == zero.shape and len(scale.shape) <= 1, "a zero of each scale")
    if scale.shape and scale.size > 1:
        (axis,) = _axes([attributes.get("axis", 1)], len(value.shape))
        _expect(value.shape[axis] == scale.size, "a scale of each place along the axis")
    return zero.dtype


def _window(size: Sequence[int], kernel: Sequence[int], attributes: Attributes) -> tuple[int, int]:
    """Height and width of what a sliding window gives."""
    strides, dilations = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    pads = attributes.get("pads", [0] * 4)
    _expect(len(kernel) == len(strides) == len(dilations) == 2 and len(pads) == 4, "a window of two axes")
    found = []
    for axis in (0, 1):
        reach = dilations[axis] * (kernel[axis] - 1) + 1
        before, after = pads[axis], pads[axis + 2]
        _expect(max(before, after) < reach, "a border narrower than the window")
        room = size[axis] + before + after - reach
        _expect(room >= 0, "a window within the image")
        steps, rest = divmod(room, strides[axis])
        if rest and attributes.get("ceil_mode", 0):
            steps += 1
            inside = steps * strides[axis] < size[axis] + before
            _expect(inside, "a last window that begins within the image")  # elsewhere engines differ
        found.append(steps + 1)
    return found[0], found[1]


def _broadcast(*values: Value) -> tuple[int, ...]:
    try:
        shape = np.broadcast_shapes(*(each.shape for each in values))
    except ValueError as error:
        raise WrongNode("shapes that do not fit together") from error
    _expect(len(shape) <= MOST_AXES, f"at most {MOST_AXES} axes")
    return shape


def _axes(given: Value | Sequence[int] | None, axes: int) -> list[int]:
    """Different axes as numbers from 0; None = all."""
    if given is None:
        return list(range(axes))
    numbers = _numbers(given) if isinstance(given, Value) else list(given)
    _expect(axes <= MOST_AXES and all(-axes <= axis < axes for axis in numbers), "axes of the tensor")
    found = [axis % axes for axis in numbers]
    _expect(len(set(found)) == len(found), "different axes")
    return found


def _numbers(value: Value) -> list[int]:
    """Whole numbers of a constant."""
    if value.data is None or value.dtype != INT64 or len(value.shape) != 1 or value.size > MOST_AXES:
        raise WrongNode(f"expected a constant of at most {MOST_AXES} whole numbers")
    return [int(number) for number in value.data.tolist()]


def _expect(right: bool, what: str) -> None:
    if not right:
        raise WrongNode(f"expected {what}")
