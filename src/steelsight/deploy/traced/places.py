"""Rules for operators across places and channels: pooling, means, layer norms, reshaping, matrix products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from torch import fx

from steelsight.deploy.graph_writer import pair
from steelsight.deploy.traced.writer import TracedWriter, arguments, result_of
from steelsight.errors import BadInput

__all__ = ["PLACE_RULES"]

Rule = Callable[[TracedWriter, fx.Node], None]
_END = 2**31 - 1  # of an axis, however long


def _pool(operator: str, writer: TracedWriter, node: fx.Node) -> None:
    facts = arguments(node)
    kernel = pair(facts["kernel_size"])
    pad = pair(facts["padding"])
    if facts.get("divisor_override") is not None or pair(facts.get("dilation", 1)) != [1, 1]:
        raise BadInput(f"export: {node.target}: expected no dilation and no divisor of its own")
    kind: dict[str, Any] = {}
    if operator == "AveragePool":
        kind = {"count_include_pad": int(facts["count_include_pad"])}
    writer.add(
        node,
        operator,
        writer.name(facts["self"]),
        kernel_shape=kernel,
        strides=pair(facts["stride"]) if facts["stride"] else kernel,
        pads=[*pad, *pad],
        ceil_mode=int(facts["ceil_mode"]),
        **kind,
    )


def _whole_average(writer: TracedWriter, node: fx.Node) -> None:
    facts = arguments(node)
    if pair(facts["output_size"]) != [1, 1]:
        raise BadInput(f"export: adaptive average: expected one place, got {facts['output_size']}")
    writer.add(node, "GlobalAveragePool", writer.name(facts["self"]))


def _reduce(operator: str, writer: TracedWriter, node: fx.Node) -> None:
    facts = arguments(node)
    axes = _axes(facts["dim"], node)
    writer.add(node, operator, writer.name(facts["self"]), axes=axes, keepdims=int(facts["keepdim"]))


def _sum(writer: TracedWriter, node: fx.Node) -> None:
    """Its axes are an operand from opset 13 on."""
    facts = arguments(node)
    axes = writer.constant(_axes(facts["dim"], node))
    writer.add(node, "ReduceSum", writer.name(facts["self"]), axes, keepdims=int(facts["keepdim"]))


def _axes(dim: object, node: fx.Node) -> list[int]:
    if isinstance(dim, int):
        return [dim]
    if not isinstance(dim, Sequence) or not dim:
        raise BadInput(f"export: {node.target}: expected the axes by number, got {dim!r}")
    return [int(axis) for axis in dim]


def _layer_norm(writer: TracedWriter, node: fx.Node) -> None:
    facts = arguments(node)
    sizes = [int(size) for size in facts["normalized_shape"]]
    weight, bias = (
        np.full(sizes, start) if facts[key] is None else writer.array(facts[key])
        for key, start in (("weight", 1.0), ("bias", 0.0))
    )
    writer.add(
        node,
        "LayerNormalization",
        writer.name(facts["input"]),
        writer.constant(weight),
        writer.constant(bias),
        axis=-len(sizes),
        epsilon=float(facts["eps"]),
    )


def _group_norm(writer: TracedWriter, node: fx.Node) -> None:
    """Each group of channels is normalised over its channels and places."""
    facts, graph = arguments(node), writer.graph
    shape = writer.shape(node)
    groups = writer.constant([0, int(facts["num_groups"]), -1])
    flat = graph.add("Reshape", writer.name(facts["input"]), groups)
    centred = graph.add("Sub", flat, graph.add("ReduceMean", flat, axes=[2], keepdims=1))
    variance = graph.add("ReduceMean", graph.add("Mul", centred, centred), axes=[2], keepdims=1)
    spread = graph.add("Sqrt", graph.add("Add", variance, writer.name(float(facts["eps"]))))
    current = graph.add("Reshape", graph.add("Div", centred, spread), writer.constant(shape))
    axes = (1,) * (len(shape) - 2)
    for operator, key in (("Mul", "weight"), ("Add", "bias")):
        if facts[key] is not None:
            values = writer.array(facts[key]).reshape(-1, *axes)
            current = graph.add(operator, current, writer.constant(values))
    writer.names[node] = current


def _reshape(writer: TracedWriter, node: fx.Node) -> None:
    writer.add(node, "Reshape", writer.name(node.args[0]), writer.constant(writer.shape(node)))


def _permute(writer: TracedWriter, node: fx.Node) -> None:
    writer.add(node, "Transpose", writer.name(node.args[0]), perm=_positive(node.args[1], node))


def _transpose(writer: TracedWriter, node: fx.Node) -> None:
    order = list(range(result_of(node).ndim))
    first, second = _positive(node.args[1:3], node)
    order[first], order[second] = order[second], order[first]
    writer.add(node, "Transpose", writer.name(node.args[0]), perm=order)


def _positive(axes: Any, node: fx.Node) -> list[int]:
    count = result_of(node).ndim
    return [int(axis) % count for axis in axes]


def _concatenate(writer: TracedWriter, node: fx.Node) -> None:
    facts = arguments(node)
    writer.add(node, "Concat", *(writer.name(part) for part in facts["tensors"]), axis=int(facts["dim"]))


def _split(writer: TracedWriter, node: fx.Node) -> None:
    """Parts along an axis, one after the other."""
    name, start = writer.name(node.args[0]), 0
    axis = int(arguments(node)["dim"])
    names = []
    for part in node.meta["val"]:
        end = start + int(part.shape[axis])
        names.append(_cut(writer, name, axis, start, end))
        start = end
    writer.parts[node] = names


def _slice(writer: TracedWriter, node: fx.Node) -> None:
    facts = arguments(node)
    start, end = int(facts["start"] or 0), facts["end"]
    last = _END if end is None else min(int(end), _END)
    name = writer.name(facts["self"])
    whole = start == 0 and last == _END and facts["step"] == 1
    axis = int(facts["dim"])
    writer.names[node] = name if whole else _cut(writer, name, axis, start, last, int(facts["step"]))


def _cut(writer: TracedWriter, name: str, axis: int, start: int, end: int, step: int = 1) -> str:
    return writer.graph.add("Slice", name, *(writer.constant([each]) for each in (start, end, axis, step)))


def _select(writer: TracedWriter, node: fx.Node) -> None:
    """Places along an axis by constant numbers."""
    facts = arguments(node)
    numbers = writer.constant(writer.array(facts["index"]).astype(np.int64))
    writer.add(node, "Gather", writer.name(facts["self"]), numbers, axis=int(facts["dim"]))


def _linear(writer: TracedWriter, node: fx.Node) -> None:
    facts = arguments(node)
    weight = writer.constant(writer.array(facts["weight"]).T.copy())
    product = writer.graph.add("MatMul", writer.name(facts["input"]), weight)
    writer.names[node] = product
    if facts["bias"] is not None:
        writer.add(node, "Add", product, writer.constant(writer.array(facts["bias"])))


def _matmul(writer: TracedWriter, node: fx.Node) -> None:
    writer.add(node, "MatMul", writer.name(node.args[0]), writer.name(node.args[1]))


def _softmax(writer: TracedWriter, node: fx.Node) -> None:
    facts = arguments(node)
    writer.add(node, "Softmax", writer.name(facts["self"]), axis=int(facts["dim"]))


def _length(writer: TracedWriter, node: fx.Node) -> None:
    """Euclidean length along axes."""
    facts = arguments(node)
    if facts["ord"] != 2:
        raise BadInput(f"export: {node.target}: expected the Euclidean length, got order {facts['ord']}")
    name, axes = writer.name(facts["self"]), writer.constant(_axes(facts["dim"], node))
    squared = writer.graph.add("Mul", name, name)
    total = writer.graph.add("ReduceSum", squared, axes, keepdims=int(facts["keepdim"]))
    writer.add(node, "Sqrt", total)


PLACE_RULES: dict[str, Rule] = {
    "adaptive_avg_pool2d": _whole_average,
    "amax": partial(_reduce, "ReduceMax"),
    "avg_pool2d": partial(_pool, "AveragePool"),
    "cat": _concatenate,
    "chunk": _split,
    "flatten": _reshape,
    "group_norm": _group_norm,
    "index_select": _select,
    "layer_norm": _layer_norm,
    "linalg_vector_norm": _length,
    "linear": _linear,
    "matmul": _matmul,
    "max_pool2d": partial(_pool, "MaxPool"),
    "mean": partial(_reduce, "ReduceMean"),
    "permute": _permute,
    "reshape": _reshape,
    "slice": _slice,
    "softmax": _softmax,
    "split": _split,
    "split_with_sizes": _split,
    "squeeze": _reshape,
    "sum": _sum,
    "transpose": _transpose,
    "unflatten": _reshape,
    "unsqueeze": _reshape,
    "view": _reshape,
}
