"""Read the pooled features out of a bundle's graph, and write a linear head into it.

The last feature map A (n, k, gh, gw) is found behind the output `embedding`, its average over places. The new
head takes average and maximum over places, standardised and limited to T standard deviations:

    x = (mean A - m) / s,  y = (max A - m') / s',  z = clip(x) W + clip(y) W' + b

Grad-CAM of all classes is exact in closed form. The gradient of z_c with respect to A_k is W_kc / (s_k P) at
each of the P places where |x_k| < T, and W'_kc / s'_k more at the place of the maximum where |y_k| < T; a
limited feature has the gradient 0. Its mean over places gives

    maps = 1/P Σ_k ([|x_k| < T] W_kc / s_k + [|y_k| < T] W'_kc / s'_k) A_k

These maps do not sum to the logit, because the maximum is taken at one place. Only onnx is used.

The place head, where the graph has one, stays as it is: its classes are put in the new order, and a class
that it does not know has the largest evidence at each place, 0 where no type has any.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import onnx
from jaxtyping import Float32
from onnx import TensorProto, helper, numpy_helper

from steelsight.adaptation.head import AdaptedHead
from steelsight.errors import BadBundle

__all__ = ["KeptPlaces", "OwnClasses", "features_graph", "head_graph", "map_graph", "reorder_places"]

OwnClasses = Sequence[int | None]  # of each class of the new head, its number in the old one; None = new

_PASSING: Final = ("Reshape", "Flatten", "Squeeze", "Identity")  # between the average and `embedding`


class _Surgery:
    """A graph whose outputs are replaced; nodes and constants that no output needs are left out."""

    def __init__(self, graph: bytes, where: str, prefix: str) -> None:
        self.model = onnx.load_model_from_string(graph)
        self.where = where
        self.prefix = prefix  # of new names
        self.features = self._find_features()
        self.new: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def free_name(self, wanted: str) -> str:
        """A start that no name of the graph has; nodes that stay from an earlier adaptation keep theirs."""
        graph = self.model.graph
        taken = {name for node in graph.node for name in node.output} | {t.name for t in graph.initializer}
        found, number = wanted, 1
        while any(name.startswith((f"{found}_", f"{self.prefix}_{found}_")) for name in taken):
            number += 1
            found = f"{wanted}{number}"
        return found

    def _find_features(self) -> str:
        """The name of the last feature map."""
        makers = {name: node for node in self.model.graph.node for name in node.output}
        name = "embedding"
        while (node := makers.get(name)) is not None:
            if node.op_type == "GlobalAveragePool" or (node.op_type == "ReduceMean" and _over_places(node)):
                return str(node.input[0])
            if node.op_type not in _PASSING:
                break
            name = node.input[0]
        raise BadBundle(
            f"{self.where}: expected an embedding that is the average of a feature map over its places, "
            f"found {'no node' if node is None else node.op_type}; export the run again"
        )

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
        output = name or f"{self.prefix}_{operator.lower()}_{len(self.new)}"
        self.new.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, values: np.ndarray, name: str) -> str:
        """Add a constant, float64 as float32; returns its name. Of equal names the last counts."""
        array = values.astype(np.float32) if values.dtype == np.float64 else values
        self.constants = [each for each in self.constants if each.name != f"{self.prefix}_{name}"]
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), f"{self.prefix}_{name}"))
        return f"{self.prefix}_{name}"

    def finish(self, outputs: dict[str, list[int]]) -> bytes:
        """The graph with these outputs, (n, *shape) each, made by the added nodes first."""
        made = {name for node in self.new for name in node.output}
        old = [node for node in self.model.graph.node if not made & set(node.output)]
        nodes = _needed([*old, *self.new], set(outputs), self.where)
        read = {name for node in nodes for name in node.input}
        fresh = {tensor.name for tensor in self.constants}
        stored = [tensor for tensor in self.model.graph.initializer if tensor.name not in fresh]
        constants = [tensor for tensor in (*stored, *self.constants) if tensor.name in read]
        ports = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])
            for name, shape in outputs.items()
        ]
        graph = helper.make_graph(
            nodes, self.model.graph.name, list(self.model.graph.input), ports, initializer=constants
        )
        made_model = helper.make_model(
            graph,
            opset_imports=list(self.model.opset_import),
            producer_name=self.model.producer_name,
            producer_version=self.model.producer_version,
            ir_version=self.model.ir_version,
        )
        onnx.checker.check_model(made_model, full_check=True)
        return bytes(made_model.SerializeToString(deterministic=True))

    def pooled(self) -> str:
        """Average and maximum over places, (n, 2k)."""
        both = self.add(
            "Concat",
            self.add("GlobalAveragePool", self.features),
            self.add("GlobalMaxPool", self.features),
            axis=1,
        )
        return self.add("Flatten", both, axis=1)


def features_graph(graph: bytes, where: str, *, classes: int, grid: tuple[int, int], channels: int) -> bytes:
    """The same graph with average and maximum over places as `embedding`, (n, 2k).

    where   name of the graph in messages
    raises  BadBundle where no feature map is found behind `embedding`
    """
    surgery = _Surgery(graph, where, "pooled")
    pooled = surgery.pooled()
    for node in surgery.model.graph.node:  # the name is taken by the new output
        node.output[:] = ["old_embedding" if name == "embedding" else name for name in node.output]
    surgery.add("Identity", pooled, name="embedding")
    return surgery.finish({"logits": [classes], "maps": [classes, *grid], "embedding": [2 * channels]})


def map_graph(graph: bytes, where: str, *, grid: tuple[int, int], channels: int) -> bytes:
    """A graph of features alone: `maps` is the feature map, `logits` its average, `embedding` both poolings.

    raises  as `features_graph`
    """
    surgery = _Surgery(graph, where, "pooled")
    pooled = surgery.pooled()
    surgery.add("Flatten", surgery.add("GlobalAveragePool", surgery.features), axis=1, name="logits")
    surgery.add("Identity", surgery.features, name="maps")
    surgery.add("Identity", pooled, name="embedding")
    return surgery.finish({"logits": [channels], "maps": [channels, *grid], "embedding": [2 * channels]})


class KeptPlaces(NamedTuple):
    """The place head of the old graph, and what becomes of its classes."""

    grid: tuple[int, int]
    classes: int  # of the old graph
    own: OwnClasses  # of the new one


def head_graph(
    graph: bytes,
    where: str,
    head: AdaptedHead,
    *,
    grid: tuple[int, int],
    places: KeptPlaces | None = None,
) -> bytes:
    """The same graph with another head: new logits, and Grad-CAM of all classes for them.

    places  None = the graph has no place head
    raises  as `features_graph`
    """
    surgery = _Surgery(graph, where, "adapted")
    channels, classes = len(head.mean) // 2, head.weight.shape[1]
    parts = [
        _pooled_part(surgery, head, name, operator, rows, grid[0] * grid[1])
        for name, operator, rows in (
            ("average", "GlobalAveragePool", slice(0, channels)),
            ("maximum", "GlobalMaxPool", slice(channels, None)),
        )
    ]
    summed = surgery.add("Add", parts[0].logits, parts[1].logits)
    surgery.add("Add", summed, surgery.constant(head.bias[None], "bias"), name="logits")
    weights = surgery.add("Add", parts[0].gradient, parts[1].gradient)  # (n, c, k)
    flat = surgery.add(
        "Reshape",
        surgery.features,
        surgery.constant(np.array([0, channels, grid[0] * grid[1]]), "flat_shape"),
    )
    cam = surgery.add("MatMul", weights, flat)
    shape = surgery.constant(np.array([0, classes, *grid]), "map_shape")
    surgery.add("Reshape", cam, shape, name="maps")
    outputs = {"logits": [classes], "maps": [classes, *grid], "embedding": [channels]}
    if places is not None:
        _keep_places(surgery, places)
        outputs["places"] = [classes, *places.grid]
    return surgery.finish(outputs)


def reorder_places(places: Float32[np.ndarray, "n c h w"], own: OwnClasses) -> Float32[np.ndarray, "n d h w"]:
    """The evidence of a place head in another order of classes, with that of new ones."""
    strongest = places.max(axis=1, keepdims=True)
    extended = np.concatenate([places, strongest], axis=1)
    return extended[:, _with_new(own, places.shape[1])]


def _with_new(own: OwnClasses, classes: int) -> list[int]:
    """Numbers in the old classes followed by the strongest of them."""
    return [classes if number is None else number for number in own]


def _keep_places(surgery: _Surgery, places: KeptPlaces) -> None:
    """As `reorder_places`, in the graph."""
    start = surgery.free_name("places")
    old = f"{start}_old"
    for node in surgery.model.graph.node:  # the name is taken by the new output
        for names in (node.output, node.input):
            names[:] = [old if name == "places" else name for name in names]
    strongest = surgery.add("ReduceMax", old, axes=[1], keepdims=1, name=f"{start}_strongest")
    extended = surgery.add("Concat", old, strongest, axis=1, name=f"{start}_extended")
    numbers = np.array(_with_new(places.own, places.classes), dtype=np.int64)
    order = surgery.constant(numbers, f"{start}_order")
    surgery.add("Gather", extended, order, axis=1, name="places")


class _Part(NamedTuple):
    """Names of tensors of one pooling."""

    logits: str  # its share of them, (n, c)
    gradient: str  # of the logits with respect to the channels, averaged over places, (n, c, k)


def _pooled_part(
    surgery: _Surgery, head: AdaptedHead, name: str, operator: str, rows: slice, places: int
) -> _Part:
    """One pooling, standardised, limited and weighed. clip(x) = relu(x + T) - relu(x - T) - T."""
    scale, weight = head.scale[rows], head.weight[rows]
    limit = surgery.constant(np.array([head.limit]), "limit")
    below = surgery.constant(np.array([-head.limit]), "below")
    pooled = surgery.add("Flatten", surgery.add(operator, surgery.features), axis=1)
    centred = surgery.add("Sub", pooled, surgery.constant(head.mean[None, rows], f"{name}_mean"))
    standard = surgery.add("Mul", centred, surgery.constant(1 / scale[None], f"{name}_scale"))
    up = surgery.add("Relu", surgery.add("Add", standard, limit))
    down = surgery.add("Relu", surgery.add("Sub", standard, limit))
    limited = surgery.add("Sub", surgery.add("Sub", up, down), limit)
    logits = surgery.add("MatMul", limited, surgery.constant(weight, f"{name}_weight"))
    inside = [
        surgery.add("Cast", surgery.add("Greater", *pair), to=TensorProto.FLOAT)
        for pair in ((standard, below), (limit, standard))
    ]
    within = surgery.add("Unsqueeze", surgery.add("Mul", *inside), surgery.constant(np.array([1]), "axis"))
    each = surgery.constant((weight / scale[:, None] / places).T[None], f"{name}_gradient")  # (1, c, k)
    return _Part(logits, surgery.add("Mul", within, each))


def _over_places(node: onnx.NodeProto) -> bool:
    """Whether a mean is over rows and columns, by its attribute."""
    axes = [list(attribute.ints) for attribute in node.attribute if attribute.name == "axes"]
    return axes in ([[2, 3]], [[-2, -1]])


def _needed(nodes: list[onnx.NodeProto], wanted: set[str], where: str) -> list[onnx.NodeProto]:
    """The nodes that some tensors need, in an order in which every input is made before it is read.

    raises  BadBundle for a node that needs its own output
    """
    makers = {name: node for node in nodes for name in node.output}
    ordered: list[onnx.NodeProto] = []
    done: set[str] = set()
    open_nodes: set[str] = set()  # whose inputs are being followed
    stack = [(makers[name], False) for name in sorted(wanted, reverse=True)]
    while stack:
        node, ready = stack.pop()
        key = node.output[0]
        if key in done:
            continue
        if ready:
            done.add(key)
            ordered.append(node)
            continue
        if key in open_nodes:
            raise BadBundle(f"{where}: {key} needs its own output; export the run again")
        open_nodes.add(key)
        stack.append((node, True))
        stack += [(makers[name], False) for name in reversed(node.input) if name in makers]
    return ordered
