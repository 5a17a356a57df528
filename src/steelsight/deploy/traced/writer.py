"""The state while traced operators are written: names of results, their shapes, constants, the images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor, fx

from steelsight.deploy.graph_writer import GraphWriter
from steelsight.errors import BadInput

__all__ = ["BATCH", "TracedWriter", "arguments", "result_of"]

BATCH = 3  # images in the trace; a first axis of that size is the batch


@dataclass
class TracedWriter:
    """What has been written of a traced network.

    images  the node of the normalised images, (n, 3, h, w)
    gray    the ONNX name of the gray levels, (n, 1, h, w) float32
    levels  mean and deviation that normalise the three channels, on a scale of 0 to 1
    names   of the ONNX tensor that holds a node's result
    values  of nodes that are constants: weights and statistics
    parts   ONNX names of a result that is several tensors
    pads    zero padding that the convolution behind it takes over: its input, pads of (top, left, bottom,
            right)
    """

    graph: GraphWriter
    images: fx.Node
    gray: str
    levels: tuple[np.ndarray, np.ndarray]
    names: dict[fx.Node, str] = field(default_factory=dict)
    values: dict[fx.Node, Tensor] = field(default_factory=dict)
    parts: dict[fx.Node, list[str]] = field(default_factory=dict)
    pads: dict[fx.Node, tuple[fx.Node, list[int]]] = field(default_factory=dict)

    def add(self, node: fx.Node, operator: str, *inputs: str, **attributes: Any) -> None:
        """Add the ONNX node whose output is a traced node's result."""
        self.names[node] = self.graph.add(operator, *inputs, **attributes)

    def name(self, given: object) -> str:
        """The ONNX name of an operand: a result, a weight or a number."""
        if isinstance(given, fx.Node):
            if given is self.images and given not in self.names:
                self._normalise()
            if given in self.values:
                self.names[given] = self.constant(self.array(given))
            return self.names[given]
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise BadInput(f"export: expected a tensor or a number as operand, got {given!r}")
        return self.constant(np.array([float(given)]))

    def array(self, given: object) -> np.ndarray:
        """A constant operand, in float64; raises BadInput for one computed from the image."""
        if not isinstance(given, fx.Node) or given not in self.values:
            raise BadInput(f"export: expected a weight, got {given!r}, which is computed from the image")
        array: np.ndarray = self.values[given].detach().cpu().double().numpy()
        return array

    def constant(self, values: np.ndarray | list[int]) -> str:
        """A constant under a name of its own."""
        return self.graph.constant(values, f"features_constant_{len(self.graph.weights)}")

    def shape(self, node: fx.Node) -> list[int]:
        """Shape of a result, 0 for the batch: ONNX copies that axis.

        raises  BadInput where the batch is not the first axis alone
        """
        shape = [int(size) for size in result_of(node).shape]
        if not shape or shape[0] != BATCH:
            raise BadInput(f"export: {node.target}: expected the images along the first axis, got {shape}")
        return [0, *shape[1:]]

    def _normalise(self) -> None:
        """Write the normalised images, for a network whose first operator takes no folding."""
        mean, std = (values[None, :, None, None] for values in self.levels)
        scaled = self.graph.add("Mul", self.gray, self.constant(1 / (255 * std)))
        self.add(self.images, "Add", scaled, self.constant(-mean / std))


def arguments(node: fx.Node) -> dict[str, Any]:
    """An operator's arguments by name, with the defaults that the trace leaves out."""
    schema = node.target._schema.arguments  # type: ignore[union-attr]
    given = dict(zip((argument.name for argument in schema), node.args, strict=False)) | node.kwargs
    return {argument.name: given.get(argument.name, argument.default_value) for argument in schema}


def result_of(node: fx.Node) -> Tensor:
    """The tensor a node gives in the trace, with its shape."""
    value = node.meta["val"]
    if not isinstance(value, Tensor):
        raise BadInput(f"export: {node.target}: expected one tensor as result, got {type(value).__name__}")
    return value
