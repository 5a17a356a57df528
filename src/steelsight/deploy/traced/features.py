"""Write the features of a network as ONNX nodes, from the operators that torch runs for an image.

The trace is of evaluation mode and of one image size. BatchNorm folds into the convolution before it in
float64, zero padding into the convolution behind it. The normalisation of the gray levels folds into a
convolution that takes the images; for every other operator it is written as nodes.
"""

from __future__ import annotations

import operator
from typing import NamedTuple

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor, fx, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.node import map_arg

from steelsight.deploy.graph_writer import GraphWriter
from steelsight.deploy.traced.convolutions import CONVOLUTION_RULES
from steelsight.deploy.traced.places import PLACE_RULES
from steelsight.deploy.traced.pointwise import POINTWISE_RULES
from steelsight.deploy.traced.writer import BATCH, TracedWriter
from steelsight.errors import BadInput
from steelsight.models.backbones.rescale import Rescale, normalisation_of
from steelsight.models.backbones.sequence import Wrapped
from steelsight.models.places import PlaceHead, run_tapped

__all__ = ["Written", "write_features"]

RULES = CONVOLUTION_RULES | PLACE_RULES | POINTWISE_RULES


class Written(NamedTuple):
    """Names of the tensors that were written."""

    features: str  # the feature map
    places: str | None  # evidence of the place head; None = there is no such head


def write_features(
    graph: GraphWriter, features: nn.Module, size: tuple[int, int], places: PlaceHead | None = None
) -> Written:
    """Nodes from the input `images` to the feature map, and to the evidence of the place head.

    features  in evaluation mode, as is the place head
    size      height and width of the images
    raises    BadInput for an operator no rule is written for
    """
    traced = _trace(features, places, size)
    images, *nodes, output = traced.graph.nodes
    gray = graph.add("Unsqueeze", "images", graph.constant(np.array([1]), "channel_axis"))
    gray = graph.add("Cast", gray, to=TensorProto.FLOAT)
    mean, std = (np.array(values) for values in normalisation_of(features))
    writer = TracedWriter(graph, images, gray, (mean, std))
    writer.values.update(_constants(traced))
    for node in nodes:
        if node in writer.values:
            continue
        if node.target is operator.getitem:
            writer.names[node] = writer.parts[node.args[0]][node.args[1]]
        else:
            _write(writer, node)
    found = [writer.name(result) for result in output.args[0]]
    return Written(found[0], found[1] if places is not None else None)


def _constants(traced: fx.GraphModule) -> dict[fx.Node, Tensor]:
    """The values of all nodes that do not depend on the images: weights, and what is computed from them."""
    values: dict[fx.Node, Tensor] = {}
    for node in traced.graph.nodes:
        if node.op == "get_attr":
            values[node] = getattr(traced, str(node.target))
        elif (
            node.op == "call_function" and node.all_input_nodes and values.keys() >= set(node.all_input_nodes)
        ):
            with torch.no_grad():
                values[node] = node.target(*map_arg(node.args, values.get), **node.kwargs)
    return values


def _behind_rescale(features: nn.Module) -> nn.Module:
    """What follows the rescaling of the input, which the normalisation of the gray levels includes."""
    if isinstance(features, Wrapped):
        return features.net
    if isinstance(features, nn.Sequential) and len(features) and isinstance(features[0], Rescale):
        return features[1:]
    return features


def _trace(features: nn.Module, places: PlaceHead | None, size: tuple[int, int]) -> fx.GraphModule:
    """The operators from normalised images to the feature map, then to the evidence of the place head."""
    net = _behind_rescale(features)
    taps = () if places is None else places.taps

    def run(images: Tensor) -> tuple[Tensor, ...]:
        last, maps = run_tapped(features, taps, images, net=net)
        return (last,) if places is None else (last, places(maps))

    with torch.no_grad():
        traced: fx.GraphModule = make_fx(run, pre_dispatch=True)(torch.zeros(BATCH, 3, *size))
    return traced


def _write(writer: TracedWriter, node: fx.Node) -> None:
    kind = str(getattr(node.target, "overloadpacket", node.target)).removeprefix("aten.")
    rule = RULES.get(kind.removesuffix("_"))
    if rule is None:
        raise BadInput(
            f"export: no rule is written for operator {kind} of features; "
            "add it to deploy.traced with its oracle test"
        )
    rule(writer, node)
    if kind.endswith("_") and isinstance(node.args[0], fx.Node):  # in place: the operand is changed too
        writer.names[node.args[0]] = writer.names[node]
