"""The operators that are run: how many inputs and outputs they have, their attributes, and their shapes.

An attribute has a kind and bounds. An operator or an attribute that is not listed is refused, because no
export writes it. The rules are those of opsets 13 to 17; from 18 on, engines pass over some attributes here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from steelsight.runtime.bundle.graph import shapes
from steelsight.runtime.bundle.graph.shapes import Rule

__all__ = ["OPERATORS", "Attribute", "Operator"]


@dataclass(frozen=True)
class Attribute:
    """What an attribute may hold."""

    kind: Literal["i", "f", "ints"]  # a whole number, a float, a list of at most eight whole numbers
    low: int
    high: int


@dataclass(frozen=True)
class Operator:
    """One operator of ONNX."""

    rule: Rule
    inputs: tuple[int, int]  # at least, at most
    attributes: dict[str, Attribute] = field(default_factory=dict)
    outputs: int = 1


_FLAG: Final = Attribute("i", 0, 1)
_AXIS: Final = Attribute("i", -6, 6)
_AXES: Final = Attribute("ints", -6, 6)
_FACTOR: Final = Attribute("f", -1_000_000, 1_000_000)
_WINDOW: Final = {
    "kernel_shape": Attribute("ints", 1, 64),
    "strides": Attribute("ints", 1, 64),
    "pads": Attribute("ints", 0, 63),
    "dilations": Attribute("ints", 1, 64),
}
_REDUCE: Final = {"axes": _AXES, "keepdims": _FLAG}
_MANY: Final = 64  # inputs of Concat

OPERATORS: Final[dict[str, Operator]] = {
    "Abs": Operator(shapes.unary, (1, 1)),
    "Add": Operator(shapes.elementwise, (2, 2)),
    "AveragePool": Operator(shapes.pool, (1, 1), _WINDOW | {"ceil_mode": _FLAG, "count_include_pad": _FLAG}),
    "BatchNormalization": Operator(
        shapes.normalise, (5, 5), {"epsilon": Attribute("f", 0, 1), "momentum": Attribute("f", 0, 1)}
    ),
    "Cast": Operator(shapes.cast, (1, 1), {"to": Attribute("i", 1, 1)}),
    "Clip": Operator(shapes.clip, (3, 3)),
    "Concat": Operator(shapes.concatenate, (1, _MANY), {"axis": _AXIS}),
    "Conv": Operator(shapes.convolve, (2, 3), _WINDOW | {"group": Attribute("i", 1, 4096)}),
    "DequantizeLinear": Operator(shapes.dequantise, (3, 3), {"axis": _AXIS}),
    "Div": Operator(shapes.elementwise, (2, 2)),
    "Elu": Operator(shapes.unary, (1, 1), {"alpha": _FACTOR}),
    "Erf": Operator(shapes.unary, (1, 1)),
    "Exp": Operator(shapes.unary, (1, 1)),
    "Flatten": Operator(shapes.flatten, (1, 1), {"axis": _AXIS}),
    "Gather": Operator(shapes.select, (2, 2), {"axis": _AXIS}),
    "Gemm": Operator(
        shapes.multiply_add, (2, 3), {"alpha": _FACTOR, "beta": _FACTOR, "transA": _FLAG, "transB": _FLAG}
    ),
    "GlobalAveragePool": Operator(shapes.pool_all, (1, 1)),
    "GlobalMaxPool": Operator(shapes.pool_all, (1, 1)),
    "Greater": Operator(shapes.compare, (2, 2)),
    "HardSigmoid": Operator(shapes.unary, (1, 1), {"alpha": _FACTOR, "beta": _FACTOR}),
    "HardSwish": Operator(shapes.unary, (1, 1)),
    "Identity": Operator(shapes.identity, (1, 1)),
    "LayerNormalization": Operator(
        shapes.normalise_layer, (3, 3), {"axis": _AXIS, "epsilon": Attribute("f", 0, 1)}
    ),
    "LeakyRelu": Operator(shapes.unary, (1, 1), {"alpha": _FACTOR}),
    "Log": Operator(shapes.unary, (1, 1)),
    "MatMul": Operator(shapes.multiply, (2, 2)),
    "MaxPool": Operator(shapes.pool, (1, 1), _WINDOW | {"ceil_mode": _FLAG}),
    "Mul": Operator(shapes.elementwise, (2, 2)),
    "Neg": Operator(shapes.unary, (1, 1)),
    "QuantizeLinear": Operator(shapes.quantise, (3, 3), {"axis": _AXIS}),
    "ReduceMax": Operator(shapes.reduce, (1, 1), _REDUCE),
    "ReduceMean": Operator(shapes.reduce, (1, 1), _REDUCE),
    "ReduceSum": Operator(shapes.reduce, (1, 2), {"keepdims": _FLAG}),
    "Relu": Operator(shapes.unary, (1, 1)),
    "Reshape": Operator(shapes.reshape, (2, 2)),
    "Sigmoid": Operator(shapes.unary, (1, 1)),
    "Slice": Operator(shapes.cut, (5, 5)),
    "Softmax": Operator(shapes.normalise_exponents, (1, 1), {"axis": _AXIS}),
    "Softplus": Operator(shapes.unary, (1, 1)),
    "Sqrt": Operator(shapes.unary, (1, 1)),
    "Squeeze": Operator(shapes.squeeze, (2, 2)),
    "Sub": Operator(shapes.elementwise, (2, 2)),
    "Tanh": Operator(shapes.unary, (1, 1)),
    "TopK": Operator(
        shapes.top, (2, 2), {"axis": _AXIS, "largest": Attribute("i", 1, 1), "sorted": _FLAG}, outputs=2
    ),
    "Transpose": Operator(shapes.transpose, (1, 1), {"perm": _AXES}),
    "Unsqueeze": Operator(shapes.unsqueeze, (2, 2)),
}
