"""Writes a network as an ONNX graph by hand: uint8 gray in; logits, maps of all classes and an embedding out.

Normalisation and the three equal channels are folded into the first convolution. Without padding there is one
gray channel: Σ_c W_c / (255 s_c), the means go into the bias. With padding zeros stand for the normalised
value 0, which no gray level has in all three channels, so a second, constant channel carries the means:
Σ_c -W_c m_c / s_c, and padding it with zeros is exact as well. BatchNorm folds into its convolution.

Grad-CAM of all classes comes out of the same pass, in closed form at the output of `features`, signed:

    direct       maps = (z - b) / P                     z the class map before pooling, whatever the pooling
    average+max  maps = (W_average + W_max) A / P
    study conv   maps = 1/P Σ_m W_cm o_m (z_m - b_m)    o_m the share of places where channel m is open
    linear       maps = 1/P Σ_k (W3 D2 W2 D1 S)_ck A_k  S: W1 summed over places, D: the open ReLUs
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torchvision.models.squeezenet import Fire

from steelsight.errors import BadInput
from steelsight.models.catalog import SheetClassifier
from steelsight.models.heads import AverageMaxHead, ConvHead, DirectHead, LinearHead
from steelsight.models.inputs import IMAGENET_MEAN, IMAGENET_STD
from steelsight.version import __version__

__all__ = ["OPSET", "build_graph"]

OPSET = 17
IR_VERSION = 8  # of onnx files with that opset


class _Graph:
    """Nodes and weights as they are written."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, onnx.TensorProto] = {}

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """One node; returns the name of its output."""
        output = name or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def hold(self, values: np.ndarray | list[float] | list[int], name: str) -> str:
        """A constant; float64 becomes float32."""
        array = np.asarray(values)
        array = array.astype(np.float32) if array.dtype == np.float64 else np.ascontiguousarray(array)
        self.weights[name] = numpy_helper.from_array(array, name)
        return name


def build_graph(model: SheetClassifier, *, maps: bool = True) -> onnx.ModelProto:
    """The graph of a trained network, computed in float64 and stored in float32.

    model   in evaluation mode; BatchNorm statistics and weights are read, nothing is changed
    maps    False leaves them out: to measure what they cost
    raises  BadInput for a network judged by patches, or layers no rule is written for
    """
    model.refuse_patches("export")
    height, width = model.size
    with torch.no_grad():
        shape = model.features(torch.zeros(1, 3, height, width)).shape
    channels, grid = int(shape[1]), (int(shape[2]), int(shape[3]))
    graph = _Graph()
    features = _features(graph, model.features)
    graph.add(
        "Reshape", _mean(graph, features), graph.hold([0, channels], "embedding_shape"), name="embedding"
    )
    classes = _head(graph, model.head, features, grid, maps)
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", classes]),
        helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["n", classes, *grid]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", channels]),
    ]
    made = helper.make_graph(
        graph.nodes,
        model.name,
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", height, width])],
        outputs if maps else [outputs[0], outputs[2]],
        list(graph.weights.values()),
    )
    whole = helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="steelsight",
        producer_version=__version__,
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(whole, full_check=True)
    return whole


def _features(graph: _Graph, features: nn.Module) -> str:
    current = graph.add("Unsqueeze", "images", graph.hold(np.array([1]), "channel_axis"))
    current = graph.add("Cast", current, to=TensorProto.FLOAT)
    first = True
    layers = list(features.children())
    at = 0
    while at < len(layers):
        layer = layers[at]
        following = layers[at + 1] if at + 1 < len(layers) else None
        norm = following if isinstance(following, nn.BatchNorm2d) else None
        if isinstance(layer, nn.Conv2d):
            weight, bias = _folded(layer, norm)
            if first:
                current, weight, bias = _gray(graph, current, layer, weight, bias)
                first = False
            current = _conv(graph, current, layer, weight, bias, f"features_{at}")
            at += 1 + (norm is not None)
            continue
        current = _layer(graph, layer, current, f"features_{at}")
        at += 1
    return current


def _layer(graph: _Graph, layer: nn.Module, current: str, name: str) -> str:
    if isinstance(layer, nn.ReLU):
        return graph.add("Relu", current)
    if isinstance(layer, nn.MaxPool2d):
        kernel, stride, pad = (_pair(getattr(layer, key)) for key in ("kernel_size", "stride", "padding"))
        return graph.add(
            "MaxPool",
            current,
            kernel_shape=kernel,
            strides=stride,
            pads=[*pad, *pad],
            ceil_mode=int(layer.ceil_mode),
        )
    if isinstance(layer, Fire):
        squeezed = graph.add("Relu", _plain_conv(graph, current, layer.squeeze, f"{name}_squeeze"))
        sides = [
            graph.add("Relu", _plain_conv(graph, squeezed, getattr(layer, side), f"{name}_{side}"))
            for side in ("expand1x1", "expand3x3")
        ]
        return graph.add("Concat", *sides, axis=1)
    raise BadInput(
        f"export: no rule is written for layer {type(layer).__name__} of features; "
        "add it to deploy.graph with its oracle test"
    )


def _gray(
    graph: _Graph, current: str, layer: nn.Conv2d, weight: np.ndarray, bias: np.ndarray
) -> tuple[str, np.ndarray, np.ndarray]:
    """The first convolution on gray levels; see the module's head."""
    mean, std = np.array(IMAGENET_MEAN), np.array(IMAGENET_STD)
    gray = (weight / (255 * std)[None, :, None, None]).sum(1, keepdims=True)
    constant = -(weight * (mean / std)[None, :, None, None]).sum(1, keepdims=True)
    if not any(_pair(layer.padding)):
        return current, gray, bias + constant.sum((1, 2, 3))
    zero = graph.add("Mul", current, graph.hold([0.0], "zero"))
    one = graph.add("Add", zero, graph.hold([1.0], "one"))
    both = graph.add("Concat", current, one, axis=1)
    return both, np.concatenate([gray, constant], axis=1), bias


def _folded(layer: nn.Conv2d, norm: nn.BatchNorm2d | None) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias in float64, with the BatchNorm that follows."""
    weight = layer.weight.detach().double().numpy()
    bias = np.zeros(len(weight)) if layer.bias is None else layer.bias.detach().double().numpy()
    if norm is None:
        return weight, bias
    if norm.running_mean is None or norm.running_var is None:
        raise BadInput("export: BatchNorm without running statistics cannot be folded; train it with them")
    scale, shift = norm.weight.detach().double().numpy(), norm.bias.detach().double().numpy()
    factor = scale / np.sqrt(norm.running_var.double().numpy() + norm.eps)
    return weight * factor[:, None, None, None], (bias - norm.running_mean.double().numpy()) * factor + shift


def _plain_conv(graph: _Graph, current: str, layer: nn.Conv2d, name: str) -> str:
    return _conv(graph, current, layer, *_folded(layer, None), name)


def _conv(
    graph: _Graph, current: str, layer: nn.Conv2d, weight: np.ndarray, bias: np.ndarray, name: str
) -> str:
    pad = _pair(layer.padding)
    return graph.add(
        "Conv",
        current,
        graph.hold(weight, f"{name}_weight"),
        graph.hold(bias, f"{name}_bias"),
        kernel_shape=_pair(layer.kernel_size),
        strides=_pair(layer.stride),
        pads=[*pad, *pad],
    )


def _pair(value: object) -> list[int]:
    return [int(value), int(value)] if isinstance(value, int) else [int(v) for v in value]  # type: ignore[attr-defined]


def _mean(graph: _Graph, current: str) -> str:
    return graph.add("GlobalAveragePool", current)


def _head(graph: _Graph, head: nn.Module, features: str, grid: tuple[int, int], maps: bool) -> int:
    """Write logits and maps; returns the number of classes."""
    for kind, write in _HEADS.items():
        if isinstance(head, kind):
            return write(graph, head, features, grid, maps)
    raise BadInput(f"export: no rule is written for {type(head).__name__}; add it to deploy.graph")


def _direct(graph: _Graph, head: DirectHead, features: str, grid: tuple[int, int], maps: bool) -> int:
    weight, bias = _folded(head.conv, None)
    classes, places = len(weight), grid[0] * grid[1]
    evidence = _plain_conv(graph, features, head.conv, "head")
    flat = graph.add("Reshape", evidence, graph.hold(np.array([0, classes, places]), "flat_shape"))
    pooling = head.pooling
    if pooling.kind == "average":
        graph.add("ReduceMean", flat, axes=[2], keepdims=0, name="logits")
    elif pooling.kind == "max":
        graph.add("ReduceMax", flat, axes=[2], keepdims=0, name="logits")
    elif pooling.kind == "top":
        kept = graph.hold(np.array([max(1, math.ceil(pooling.top_share * places))]), "kept")
        graph.nodes.append(
            helper.make_node(
                "TopK", [flat, kept], ["strongest", "strongest_at"], axis=2, sorted=0, name="topk"
            )
        )
        graph.add("ReduceMean", "strongest", axes=[2], keepdims=0, name="logits")
    else:  # (1/r) log mean exp(r z), the peak taken out so that nothing overflows
        peak = graph.add("ReduceMax", flat, axes=[2], keepdims=1)
        sharp = graph.hold([float(pooling.sharpness)], "sharpness")
        risen = graph.add("Exp", graph.add("Mul", graph.add("Sub", flat, peak), sharp))
        mean = graph.add("ReduceMean", risen, axes=[2], keepdims=1)
        soft = graph.add("Add", peak, graph.add("Div", graph.add("Log", mean), sharp))
        graph.add("Squeeze", soft, graph.hold(np.array([2]), "last_axis"), name="logits")
    if maps:
        bias_map = graph.hold(bias[None, :, None, None], "head_bias_map")
        scale = graph.hold([1.0 / places], "one_place")
        graph.add("Mul", graph.add("Sub", evidence, bias_map), scale, name="maps")
    return classes


def _average_max(
    graph: _Graph, head: AverageMaxHead, features: str, grid: tuple[int, int], maps: bool
) -> int:
    weight, bias = _folded(head.conv, None)
    flat, channels = weight[:, :, 0, 0], weight.shape[1] // 2  # (c, 2k)
    both = graph.add("Concat", _mean(graph, features), graph.add("GlobalMaxPool", features), axis=1)
    described = graph.add("Flatten", both, axis=1)
    product = graph.add("MatMul", described, graph.hold(flat.T.copy(), "head_weight"))
    graph.add("Add", product, graph.hold(bias, "head_bias"), name="logits")
    if maps:
        summed = (weight[:, :channels] + weight[:, channels:]) / (grid[0] * grid[1])
        graph.add("Conv", features, graph.hold(summed, "map_weight"), kernel_shape=[1, 1], name="maps")
    return len(flat)


def _study(graph: _Graph, head: ConvHead, features: str, grid: tuple[int, int], maps: bool) -> int:
    places = grid[0] * grid[1]
    _, before_bias = _folded(head.conv, None)
    concepts = len(before_bias)
    outer = head.linear.weight.detach().double().numpy()  # (c, m)
    classes = len(outer)
    before = _plain_conv(graph, features, head.conv, "head")
    pooled = graph.add("Flatten", _mean(graph, graph.add("Relu", before)), axis=1)
    product = graph.add("MatMul", pooled, graph.hold(outer.T.copy(), "linear_weight"))
    bias = graph.hold(head.linear.bias.detach().double().numpy(), "linear_bias")
    graph.add("Add", product, bias, name="logits")
    if maps:
        flat = graph.add("Reshape", before, graph.hold(np.array([0, concepts, places]), "concept_shape"))
        is_open = graph.add(
            "Cast", graph.add("Greater", flat, graph.hold([0.0], "nothing")), to=TensorProto.FLOAT
        )
        share = graph.add("ReduceMean", is_open, axes=[2], keepdims=1)  # (n, m, 1)
        unbiased = graph.add("Sub", flat, graph.hold(before_bias[None, :, None], "concept_bias"))
        weighed = graph.add("Mul", unbiased, share)
        cam = graph.add("MatMul", graph.hold(outer[None] / places, "map_weight"), weighed)  # (n, c, p)
        graph.add("Reshape", cam, graph.hold(np.array([0, classes, *grid]), "map_shape"), name="maps")
    return classes


def _linear(graph: _Graph, head: LinearHead, features: str, grid: tuple[int, int], maps: bool) -> int:
    places = grid[0] * grid[1]
    first = _pooled_weight(head, grid)  # (256, k * p)
    channels = first.shape[1] // places
    layers = [(first, head.linear1.bias), (_weight(head.linear2), head.linear2.bias)]
    current = graph.add("Flatten", features, axis=1)
    opened = []
    for number, (weight, bias) in enumerate(layers, start=1):
        current = _affine(graph, current, weight, bias, f"linear{number}")
        if maps:
            is_open = graph.add("Greater", current, graph.hold([0.0], "nothing"))
            opened.append(graph.add("Cast", is_open, to=TensorProto.FLOAT))
        current = graph.add("Relu", current)
    last = _weight(head.linear3)  # (c, 32)
    classes = len(last)
    _affine(graph, current, last, head.linear3.bias, "linear3", name="logits")
    if maps:
        axis = graph.hold(np.array([1]), "class_axis")
        open1, open2 = (graph.add("Unsqueeze", each, axis) for each in opened)  # (n, 1, 256), (n, 1, 32)
        back = graph.add("Mul", graph.hold(last[None], "back3"), open2)  # (n, c, 32)
        back = graph.add("MatMul", back, graph.hold(_weight(head.linear2), "back2"))  # (n, c, 256)
        back = graph.add("Mul", back, open1)
        summed = first.reshape(len(first), channels, places).sum(2) / places  # (256, k)
        alpha = graph.add("MatMul", back, graph.hold(summed, "back1"))  # (n, c, k)
        flat = graph.add("Reshape", features, graph.hold(np.array([0, channels, places]), "feature_shape"))
        cam = graph.add("MatMul", alpha, flat)
        graph.add("Reshape", cam, graph.hold(np.array([0, classes, *grid]), "map_shape"), name="maps")
    return classes


def _pooled_weight(head: LinearHead, grid: tuple[int, int]) -> np.ndarray:
    """The first linear layer on features of this grid, their adaptive average folded in."""
    weight = _weight(head.linear1)
    if isinstance(head.pool, nn.Identity):
        return weight
    places = grid[0] * grid[1]
    spots = torch.eye(places, dtype=torch.float64).reshape(places, 1, *grid)
    pooled = head.pool(spots).reshape(places, -1).numpy()  # (p, q): what each place gives to each pooled one
    wide = weight.reshape(len(weight), -1, pooled.shape[1]) @ pooled.T  # (256, k, p)
    folded: np.ndarray = wide.reshape(len(weight), -1)
    return folded


def _weight(layer: nn.Linear) -> np.ndarray:
    weight: np.ndarray = layer.weight.detach().double().numpy()
    return weight


def _affine(
    graph: _Graph, current: str, weight: np.ndarray, bias: torch.Tensor, prefix: str, name: str = ""
) -> str:
    product = graph.add("MatMul", current, graph.hold(weight.T.copy(), f"{prefix}_weight"))
    return graph.add("Add", product, graph.hold(bias.detach().double().numpy(), f"{prefix}_bias"), name=name)


_HEADS: dict[type[nn.Module], Callable[..., int]] = {
    DirectHead: _direct,
    AverageMaxHead: _average_max,
    ConvHead: _study,
    LinearHead: _linear,
}
