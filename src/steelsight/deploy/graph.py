"""Write a network as an ONNX graph: uint8 gray in; logits, maps of all classes and an embedding out.

A network with a place head has its evidence as a fourth output, `places`.

Normalisation and the three equal channels are folded into the first convolution. Without padding there is one
gray channel: Σ_c W_c / (255 s_c), and the means go into the bias. With padding, zeros stand for the value 0
after normalisation. Where all channels have one mean and deviation, the gray levels are normalised first and
the convolution takes Σ_c W_c. Otherwise no gray level is 0 in all three channels, so a second, constant
channel carries the means: Σ_c -W_c m_c / s_c, and padding it with zeros is exact as well. Features whose
images do not go into one convolution get them normalised by nodes of the graph. BatchNorm folds into its
convolution.

Grad-CAM of all classes comes out of the same pass, in closed form at the output of `features`, signed:

    direct       maps = (z - b) / P                     z the class map before pooling, whatever the pooling
    average+max  maps = (W_average + W_max) A / P
    study conv   maps = 1/P Σ_m W_cm o_m (z_m - b_m)    o_m the share of places where channel m is open
    linear       maps = 1/P Σ_k (W3 D2 W2 D1 S)_ck A_k  S: W1 summed over places, D: the open ReLUs
"""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from steelsight.deploy.graph_heads import add_head
from steelsight.deploy.graph_writer import GraphWriter
from steelsight.deploy.traced.features import write_features
from steelsight.models.catalog import SheetClassifier
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
    model.eval()
    channels, grid, fine = model.map_shapes()
    graph = GraphWriter()
    features, places = write_features(graph, model.features, model.size, model.places if maps else None)
    graph.add(
        "Reshape",
        graph.add("GlobalAveragePool", features),
        graph.constant([0, channels], "embedding_shape"),
        name="embedding",
    )
    classes = add_head(graph, model.head, features, grid, maps)
    if places is not None:
        graph.add("Identity", places, name="places")
    outputs = {"logits": [classes]}
    if maps:
        outputs["maps"] = [classes, *grid]
    outputs["embedding"] = [channels]
    if places is not None and fine is not None:
        outputs["places"] = [classes, *fine]
    made = helper.make_graph(
        graph.nodes,
        model.name,
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", *model.size])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])
            for name, shape in outputs.items()
        ],
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
