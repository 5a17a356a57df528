"""Write the heads of the networks as ONNX nodes: logits, and Grad-CAM of all classes in closed form.

The formulas are at the head of `deploy.graph`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from onnx import TensorProto, helper
from torch import nn

from steelsight.deploy.graph_writer import GraphWriter, add_conv, conv_arrays
from steelsight.errors import BadInput
from steelsight.models.heads import AverageMaxHead, ConvHead, DirectHead, LinearHead

__all__ = ["add_head"]


def add_head(graph: GraphWriter, head: nn.Module, features: str, grid: tuple[int, int], maps: bool) -> int:
    """Write a head's logits and, if `maps`, its maps.

    features  name of the tensor of features, (n, k, gh, gw)
    grid      (gh, gw)
    returns   number of classes
    raises    BadInput for a head no rule is written for
    """
    for kind, write in _HEADS.items():
        if isinstance(head, kind):
            return write(graph, head, features, grid, maps)
    raise BadInput(f"export: no rule is written for {type(head).__name__}; add it to deploy.graph_heads")


def _direct(graph: GraphWriter, head: DirectHead, features: str, grid: tuple[int, int], maps: bool) -> int:
    weight, bias = conv_arrays(head.conv)
    classes, places = len(weight), grid[0] * grid[1]
    evidence = add_conv(graph, features, head.conv, "head")
    flat = graph.add("Reshape", evidence, graph.constant(np.array([0, classes, places]), "flat_shape"))
    pooling = head.pooling
    if pooling.kind == "average":
        graph.add("ReduceMean", flat, axes=[2], keepdims=0, name="logits")
    elif pooling.kind == "max":
        graph.add("ReduceMax", flat, axes=[2], keepdims=0, name="logits")
    elif pooling.kind == "top":
        kept = graph.constant(np.array([max(1, math.ceil(pooling.top_share * places))]), "kept")
        graph.nodes.append(
            helper.make_node(
                "TopK", [flat, kept], ["strongest", "strongest_at"], axis=2, sorted=0, name="topk"
            )
        )
        graph.add("ReduceMean", "strongest", axes=[2], keepdims=0, name="logits")
    else:  # (1/r) log mean exp(r z), the peak taken out so that nothing overflows
        peak = graph.add("ReduceMax", flat, axes=[2], keepdims=1)
        sharp = graph.constant([float(pooling.sharpness)], "sharpness")
        risen = graph.add("Exp", graph.add("Mul", graph.add("Sub", flat, peak), sharp))
        mean = graph.add("ReduceMean", risen, axes=[2], keepdims=1)
        soft = graph.add("Add", peak, graph.add("Div", graph.add("Log", mean), sharp))
        graph.add("Squeeze", soft, graph.constant(np.array([2]), "last_axis"), name="logits")
    if maps:
        bias_map = graph.constant(bias[None, :, None, None], "head_bias_map")
        scale = graph.constant([1.0 / places], "one_place")
        graph.add("Mul", graph.add("Sub", evidence, bias_map), scale, name="maps")
    return classes


def _average_max(
    graph: GraphWriter, head: AverageMaxHead, features: str, grid: tuple[int, int], maps: bool
) -> int:
    weight, bias = conv_arrays(head.conv)
    flat, channels = weight[:, :, 0, 0], weight.shape[1] // 2  # (c, 2k)
    both = graph.add(
        "Concat", graph.add("GlobalAveragePool", features), graph.add("GlobalMaxPool", features), axis=1
    )
    described = graph.add("Flatten", both, axis=1)
    product = graph.add("MatMul", described, graph.constant(flat.T.copy(), "head_weight"))
    graph.add("Add", product, graph.constant(bias, "head_bias"), name="logits")
    if maps:
        summed = (weight[:, :channels] + weight[:, channels:]) / (grid[0] * grid[1])
        graph.add("Conv", features, graph.constant(summed, "map_weight"), kernel_shape=[1, 1], name="maps")
    return len(flat)


def _study(graph: GraphWriter, head: ConvHead, features: str, grid: tuple[int, int], maps: bool) -> int:
    places = grid[0] * grid[1]
    _, before_bias = conv_arrays(head.conv)
    concepts = len(before_bias)
    outer = head.linear.weight.detach().double().numpy()  # (c, m)
    classes = len(outer)
    before = add_conv(graph, features, head.conv, "head")
    pooled = graph.add("Flatten", graph.add("GlobalAveragePool", graph.add("Relu", before)), axis=1)
    product = graph.add("MatMul", pooled, graph.constant(outer.T.copy(), "linear_weight"))
    bias = graph.constant(head.linear.bias.detach().double().numpy(), "linear_bias")
    graph.add("Add", product, bias, name="logits")
    if maps:
        flat = graph.add("Reshape", before, graph.constant(np.array([0, concepts, places]), "concept_shape"))
        is_open = graph.add(
            "Cast", graph.add("Greater", flat, graph.constant([0.0], "nothing")), to=TensorProto.FLOAT
        )
        share = graph.add("ReduceMean", is_open, axes=[2], keepdims=1)  # (n, m, 1)
        unbiased = graph.add("Sub", flat, graph.constant(before_bias[None, :, None], "concept_bias"))
        weighed = graph.add("Mul", unbiased, share)
        cam = graph.add("MatMul", graph.constant(outer[None] / places, "map_weight"), weighed)  # (n, c, p)
        graph.add("Reshape", cam, graph.constant(np.array([0, classes, *grid]), "map_shape"), name="maps")
    return classes


def _linear(graph: GraphWriter, head: LinearHead, features: str, grid: tuple[int, int], maps: bool) -> int:
    places = grid[0] * grid[1]
    first = _pooled_weight(head, grid)  # (256, k * p)
    channels = first.shape[1] // places
    layers = [(first, head.linear1.bias), (_weight(head.linear2), head.linear2.bias)]
    current = graph.add("Flatten", features, axis=1)
    open_units = []
    for number, (weight, bias) in enumerate(layers, start=1):
        current = _affine(graph, current, weight, bias, f"linear{number}")
        if maps:
            is_open = graph.add("Greater", current, graph.constant([0.0], "nothing"))
            open_units.append(graph.add("Cast", is_open, to=TensorProto.FLOAT))
        current = graph.add("Relu", current)
    last = _weight(head.linear3)  # (c, 32)
    classes = len(last)
    _affine(graph, current, last, head.linear3.bias, "linear3", name="logits")
    if maps:
        axis = graph.constant(np.array([1]), "class_axis")
        open1, open2 = (graph.add("Unsqueeze", each, axis) for each in open_units)  # (n, 1, 256), (n, 1, 32)
        back = graph.add("Mul", graph.constant(last[None], "back3"), open2)  # (n, c, 32)
        back = graph.add("MatMul", back, graph.constant(_weight(head.linear2), "back2"))  # (n, c, 256)
        back = graph.add("Mul", back, open1)
        summed = first.reshape(len(first), channels, places).sum(2) / places  # (256, k)
        alpha = graph.add("MatMul", back, graph.constant(summed, "back1"))  # (n, c, k)
        flat = graph.add(
            "Reshape", features, graph.constant(np.array([0, channels, places]), "feature_shape")
        )
        cam = graph.add("MatMul", alpha, flat)
        graph.add("Reshape", cam, graph.constant(np.array([0, classes, *grid]), "map_shape"), name="maps")
    return classes


def _pooled_weight(head: LinearHead, grid: tuple[int, int]) -> np.ndarray:
    """The first linear layer on features of this grid, their adaptive average folded in."""
    weight = _weight(head.linear1)
    if isinstance(head.pool, nn.Identity):
        return weight
    places = grid[0] * grid[1]
    spots = torch.eye(places, dtype=torch.float64).reshape(places, 1, *grid)
    pooled = head.pool(spots).reshape(places, -1).numpy()  # (p, q): weight of each place in each pooled one
    wide = weight.reshape(len(weight), -1, pooled.shape[1]) @ pooled.T  # (256, k, p)
    folded: np.ndarray = wide.reshape(len(weight), -1)
    return folded


def _weight(layer: nn.Linear) -> np.ndarray:
    weight: np.ndarray = layer.weight.detach().double().numpy()
    return weight


def _affine(
    graph: GraphWriter, current: str, weight: np.ndarray, bias: torch.Tensor, prefix: str, name: str = ""
) -> str:
    product = graph.add("MatMul", current, graph.constant(weight.T.copy(), f"{prefix}_weight"))
    return graph.add(
        "Add", product, graph.constant(bias.detach().double().numpy(), f"{prefix}_bias"), name=name
    )


_HEADS: dict[type[nn.Module], Callable[..., int]] = {
    DirectHead: _direct,
    AverageMaxHead: _average_max,
    ConvHead: _study,
    LinearHead: _linear,
}
