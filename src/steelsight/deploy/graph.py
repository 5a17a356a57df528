"""Write a network as an ONNX graph: uint8 gray in; logits, maps of all classes and an embedding out.

Normalisation and the three equal channels are folded into the first convolution. Without padding there is one
gray channel: Σ_c W_c / (255 s_c), and the means go into the bias. With padding, zeros stand for the value 0
after normalisation, which no gray level has in all three channels, so a second, constant channel carries the
means: Σ_c -W_c m_c / s_c, and padding it with zeros is exact as well. BatchNorm folds into its convolution.

Grad-CAM of all classes comes out of the same pass, in closed form at the output of `features`, signed:

    direct       maps = (z - b) / P                     z the class map before pooling, whatever the pooling
    average+max  maps = (W_average + W_max) A / P
    study conv   maps = 1/P Σ_m W_cm o_m (z_m - b_m)    o_m the share of places where channel m is open
    linear       maps = 1/P Σ_k (W3 D2 W2 D1 S)_ck A_k  S: W1 summed over places, D: the open ReLUs
"""

from __future__ import annotations

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import nn
from torchvision.models.squeezenet import Fire

from steelsight.deploy.graph_heads import add_head
from steelsight.deploy.graph_writer import GraphWriter, add_conv, add_plain_conv, fold_norm, pair
from steelsight.errors import BadInput
from steelsight.models.catalog import SheetClassifier
from steelsight.models.inputs import IMAGENET_MEAN, IMAGENET_STD
from steelsight.version import __version__

__all__ = ["OPSET", "build_graph"]

OPSET = 17
IR_VERSION = 8  # of onnx files with that opset


def build_graph(model: SheetClassifier, *, maps: bool = True) -> onnx.ModelProto:
    """The graph of a trained network, computed in float64 and stored in float32.

    model   in evaluation mode; BatchNorm statistics and weights are read, nothing is changed
    maps    False leaves them out, to measure their cost
    raises  BadInput for a network evaluated by patches, or layers no rule is written for
    """
    model.refuse_patches("export")
    height, width = model.size
    with torch.no_grad():
        shape = model.features(torch.zeros(1, 3, height, width)).shape
    channels, grid = int(shape[1]), (int(shape[2]), int(shape[3]))
    graph = GraphWriter()
    features = _features(graph, model.features)
    graph.add(
        "Reshape",
        graph.add("GlobalAveragePool", features),
        graph.constant([0, channels], "embedding_shape"),
        name="embedding",
    )
    classes = add_head(graph, model.head, features, grid, maps)
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
    exported = helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="steelsight",
        producer_version=__version__,
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(exported, full_check=True)
    return exported


def _features(graph: GraphWriter, features: nn.Module) -> str:
    current = graph.add("Unsqueeze", "images", graph.constant(np.array([1]), "channel_axis"))
    current = graph.add("Cast", current, to=TensorProto.FLOAT)
    first = True
    layers = list(features.children())
    at = 0
    while at < len(layers):
        layer = layers[at]
        following = layers[at + 1] if at + 1 < len(layers) else None
        norm = following if isinstance(following, nn.BatchNorm2d) else None
        if isinstance(layer, nn.Conv2d):
            weight, bias = fold_norm(layer, norm)
            if first:
                current, weight, bias = _gray(graph, current, layer, weight, bias)
                first = False
            current = add_conv(graph, current, layer, weight, bias, f"features_{at}")
            at += 1 + (norm is not None)
            continue
        current = _layer(graph, layer, current, f"features_{at}")
        at += 1
    return current


def _layer(graph: GraphWriter, layer: nn.Module, current: str, name: str) -> str:
    if isinstance(layer, nn.ReLU):
        return graph.add("Relu", current)
    if isinstance(layer, nn.MaxPool2d):
        kernel, stride, pad = (pair(getattr(layer, key)) for key in ("kernel_size", "stride", "padding"))
        return graph.add(
            "MaxPool",
            current,
            kernel_shape=kernel,
            strides=stride,
            pads=[*pad, *pad],
            ceil_mode=int(layer.ceil_mode),
        )
    if isinstance(layer, Fire):
        squeezed = graph.add("Relu", add_plain_conv(graph, current, layer.squeeze, f"{name}_squeeze"))
        sides = [
            graph.add("Relu", add_plain_conv(graph, squeezed, getattr(layer, side), f"{name}_{side}"))
            for side in ("expand1x1", "expand3x3")
        ]
        return graph.add("Concat", *sides, axis=1)
    raise BadInput(
        f"export: no rule is written for layer {type(layer).__name__} of features; "
        "add it to deploy.graph with its oracle test"
    )


def _gray(
    graph: GraphWriter, current: str, layer: nn.Conv2d, weight: np.ndarray, bias: np.ndarray
) -> tuple[str, np.ndarray, np.ndarray]:
    """The first convolution on gray levels; see the module's head."""
    mean, std = np.array(IMAGENET_MEAN), np.array(IMAGENET_STD)
    gray = (weight / (255 * std)[None, :, None, None]).sum(1, keepdims=True)
    constant = -(weight * (mean / std)[None, :, None, None]).sum(1, keepdims=True)
    if not any(pair(layer.padding)):
        return current, gray, bias + constant.sum((1, 2, 3))
    zero = graph.add("Mul", current, graph.constant([0.0], "zero"))
    one = graph.add("Add", zero, graph.constant([1.0], "one"))
    both = graph.add("Concat", current, one, axis=1)
    return both, np.concatenate([gray, constant], axis=1), bias
