"""Rules for operators that work on every number by itself: activations and arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from torch import fx

from steelsight.deploy.traced.writer import TracedWriter, arguments
from steelsight.errors import BadInput

__all__ = ["POINTWISE_RULES"]

Rule = Callable[[TracedWriter, fx.Node], None]
_LARGEST = float(np.finfo(np.float32).max)


def _plain(operator: str, writer: TracedWriter, node: fx.Node) -> None:
    writer.add(node, operator, writer.name(node.args[0]))


def _pass(writer: TracedWriter, node: fx.Node) -> None:
    """What changes no number in evaluation mode."""
    writer.names[node] = writer.name(node.args[0])


def _binary(operator: str, writer: TracedWriter, node: fx.Node) -> None:
    """First ∘ alpha · second."""
    facts = arguments(node)
    first, second = writer.name(facts["self"]), writer.name(facts["other"])
    if facts.get("alpha", 1) != 1:
        second = writer.graph.add("Mul", second, writer.name(facts["alpha"]))
    writer.add(node, operator, first, second)


def _plus_product(writer: TracedWriter, node: fx.Node) -> None:
    """First + value · second · third."""
    facts = arguments(node)
    product = writer.graph.add("Mul", writer.name(facts["tensor1"]), writer.name(facts["tensor2"]))
    if facts["value"] != 1:
        product = writer.graph.add("Mul", product, writer.name(facts["value"]))
    writer.add(node, "Add", writer.name(facts["self"]), product)


def _power(writer: TracedWriter, node: fx.Node) -> None:
    name = writer.name(node.args[0])
    if node.args[1] not in (2, 0.5):
        raise BadInput(f"export: {node.target}: expected a square or a square root, got {node.args[1]}")
    writer.add(node, *(("Mul", name, name) if node.args[1] == 2 else ("Sqrt", name)))


def _clip(low: str, high: str, writer: TracedWriter, node: fx.Node) -> None:
    facts = arguments(node)
    bounds = [
        bound if facts[key] is None else float(facts[key])
        for key, bound in ((low, -_LARGEST), (high, _LARGEST))
    ]
    writer.add(node, "Clip", writer.name(facts["self"]), *(writer.constant(np.array(b)) for b in bounds))


def _relu6(writer: TracedWriter, node: fx.Node) -> None:
    low, high = (writer.constant(np.array(bound)) for bound in (0.0, 6.0))
    writer.add(node, "Clip", writer.name(node.args[0]), low, high)


def _hard_sigmoid(writer: TracedWriter, node: fx.Node) -> None:
    writer.add(node, "HardSigmoid", writer.name(node.args[0]), alpha=1 / 6, beta=0.5)


def _times(gate: str, writer: TracedWriter, node: fx.Node) -> None:
    """x · gate(x): SiLU."""
    name = writer.name(node.args[0])
    writer.add(node, "Mul", name, writer.graph.add(gate, name))


def _mish(writer: TracedWriter, node: fx.Node) -> None:
    name = writer.name(node.args[0])
    gate = writer.graph.add("Tanh", writer.graph.add("Softplus", name))
    writer.add(node, "Mul", name, gate)


def _gelu(writer: TracedWriter, node: fx.Node) -> None:
    """x/2 (1 + erf(x / √2)), or its approximation by tanh."""
    name = writer.name(node.args[0])
    graph = writer.graph
    if arguments(node)["approximate"] == "tanh":
        cube = graph.add("Mul", graph.add("Mul", name, name), name)
        bent = graph.add("Add", name, graph.add("Mul", cube, writer.name(0.044715)))
        inner = graph.add("Tanh", graph.add("Mul", bent, writer.name(math.sqrt(2 / math.pi))))
    else:
        inner = graph.add("Erf", graph.add("Mul", name, writer.name(math.sqrt(0.5))))
    half = graph.add("Mul", name, writer.name(0.5))
    writer.add(node, "Mul", half, graph.add("Add", inner, writer.name(1.0)))


def _leaky(operator: str, argument: str, writer: TracedWriter, node: fx.Node) -> None:
    facts = arguments(node)
    writer.add(node, operator, writer.name(facts["self"]), alpha=float(facts[argument]))


POINTWISE_RULES: dict[str, Rule] = {
    "abs": partial(_plain, "Abs"),
    "add": partial(_binary, "Add"),
    "addcmul": _plus_product,
    "alias": _pass,
    "clamp": partial(_clip, "min", "max"),
    "clone": _pass,
    "contiguous": _pass,
    "detach": _pass,
    "div": partial(_binary, "Div"),
    "dropout": _pass,
    "elu": partial(_leaky, "Elu", "alpha"),
    "exp": partial(_plain, "Exp"),
    "gelu": _gelu,
    "hardsigmoid": _hard_sigmoid,
    "hardswish": partial(_plain, "HardSwish"),
    "hardtanh": partial(_clip, "min_val", "max_val"),
    "leaky_relu": partial(_leaky, "LeakyRelu", "negative_slope"),
    "mish": _mish,
    "mul": partial(_binary, "Mul"),
    "neg": partial(_plain, "Neg"),
    "pow": _power,
    "relu": partial(_plain, "Relu"),
    "relu6": _relu6,
    "sigmoid": partial(_plain, "Sigmoid"),
    "silu": partial(_times, "Sigmoid"),
    "softplus": partial(_plain, "Softplus"),
    "sqrt": partial(_plain, "Sqrt"),
    "sub": partial(_binary, "Sub"),
    "tanh": partial(_plain, "Tanh"),
    "to": _pass,
}
