"""Write ONNX nodes and constants one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from torch import nn

__all__ = ["GraphWriter", "add_conv", "conv_arrays", "pair"]


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


def conv_arrays(layer: nn.Conv2d) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias of a convolution in float64."""
    weight = layer.weight.detach().double().numpy()
    return weight, np.zeros(len(weight)) if layer.bias is None else layer.bias.detach().double().numpy()


def add_conv(graph: GraphWriter, current: str, layer: nn.Conv2d, name: str) -> str:
    """Add a convolution of a head; returns the name of its output."""
    weight, bias = conv_arrays(layer)
    return graph.add(
        "Conv",
        current,
        graph.constant(weight, f"{name}_weight"),
        graph.constant(bias, f"{name}_bias"),
        kernel_shape=pair(layer.kernel_size),
    )


def pair(value: object) -> list[int]:
    """A layer's setting along rows and columns, from one number or two."""
    return [int(value), int(value)] if isinstance(value, int) else [int(v) for v in value]  # type: ignore[attr-defined]
