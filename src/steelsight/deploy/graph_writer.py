"""Write ONNX nodes and constants one by one, and convolutions with the BatchNorm that follows."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from torch import nn

from steelsight.errors import BadInput

__all__ = ["GraphWriter", "add_conv", "add_plain_conv", "fold_norm", "pair"]


class GraphWriter:
    """The nodes and constants of a graph, in the order they are added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, onnx.TensorProto] = {}

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add one node; returns the name of its output, `name` or one of its own."""
        output = name or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, values: np.ndarray | list[float] | list[int], name: str) -> str:
        """Add a constant, float64 as float32; returns its name."""
        array = np.asarray(values)
        array = array.astype(np.float32) if array.dtype == np.float64 else np.ascontiguousarray(array)
        self.weights[name] = numpy_helper.from_array(array, name)
        return name


def fold_norm(layer: nn.Conv2d, norm: nn.BatchNorm2d | None) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias in float64, with the BatchNorm that follows folded in.

    raises  BadInput for a BatchNorm without running statistics
    """
    weight = layer.weight.detach().double().numpy()
    bias = np.zeros(len(weight)) if layer.bias is None else layer.bias.detach().double().numpy()
    if norm is None:
        return weight, bias
    if norm.running_mean is None or norm.running_var is None:
        raise BadInput("export: BatchNorm without running statistics cannot be folded; train it with them")
    scale, shift = norm.weight.detach().double().numpy(), norm.bias.detach().double().numpy()
    factor = scale / np.sqrt(norm.running_var.double().numpy() + norm.eps)
    return weight * factor[:, None, None, None], (bias - norm.running_mean.double().numpy()) * factor + shift


def add_plain_conv(graph: GraphWriter, current: str, layer: nn.Conv2d, name: str) -> str:
    """Add a convolution without BatchNorm; returns the name of its output."""
    return add_conv(graph, current, layer, *fold_norm(layer, None), name)


def add_conv(
    graph: GraphWriter, current: str, layer: nn.Conv2d, weight: np.ndarray, bias: np.ndarray, name: str
) -> str:
    """Add a convolution with the layer's geometry and these weights, (o, i, kh, kw) and (o,)."""
    pad = pair(layer.padding)
    return graph.add(
        "Conv",
        current,
        graph.constant(weight, f"{name}_weight"),
        graph.constant(bias, f"{name}_bias"),
        kernel_shape=pair(layer.kernel_size),
        strides=pair(layer.stride),
        pads=[*pad, *pad],
    )


def pair(value: object) -> list[int]:
    """A layer's setting along rows and columns, from one number or two."""
    return [int(value), int(value)] if isinstance(value, int) else [int(v) for v in value]  # type: ignore[attr-defined]
