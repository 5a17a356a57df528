"""What independent readers report of a graph, against what the checker saw."""

from __future__ import annotations

import onnx
import openvino
from onnx import numpy_helper

from steelsight.runtime.bundle.graph.check import CheckedGraph
from steelsight.runtime.bundle.graph.values import BOOL, FLOAT, INT8, INT32, INT64, UINT8

NAMES = {FLOAT: "f32", UINT8: "u8", INT8: "i8", BOOL: "boolean", INT64: "i64", INT32: "i32"}


def assert_onnx_reads_the_same(graph: CheckedGraph, encoded: bytes) -> None:
    """Every operator, attribute, constant and port, by the parser of the library `onnx`."""
    model = onnx.load_from_string(encoded)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", graph.opset)]
    found = model.graph
    assert not found.sparse_initializer
    assert not found.value_info
    assert not model.functions
    assert [(node.op_type, tuple(node.input), tuple(node.output), node.domain) for node in found.node] == [
        (node.operator, node.inputs, node.outputs, "") for node in graph.nodes
    ]
    for node, seen in zip(found.node, graph.nodes, strict=True):
        assert {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute} == dict(
            seen.attributes
        )
    assert [each.name for each in found.initializer] == list(graph.constants)
    for each in found.initializer:
        assert each.data_location == onnx.TensorProto.DEFAULT
        seen_value = graph.constants[each.name]
        array = numpy_helper.to_array(each)
        assert array.shape == seen_value.shape
        assert array.tobytes() == seen_value.data.tobytes()
    ports = [
        (port.name, tuple(dim.dim_value for dim in port.type.tensor_type.shape.dim[1:]))
        for port in (*found.input, *found.output)
    ]
    assert ports == [(port.name, port.shape[1:]) for port in (*graph.inputs, *graph.outputs)]


def assert_openvino_reads_the_same(graph: CheckedGraph, encoded: bytes, core: openvino.Core) -> None:
    """Ports with their types and shapes for three sheets, and no operator that loops or branches."""
    model = core.read_model(model=encoded)
    model.reshape([3, *graph.inputs[0].shape[1:]])
    assert not {each.get_type_name() for each in model.get_ops()} & {"Loop", "If", "TensorIterator"}
    for ports, seen in ((model.inputs, graph.inputs), (model.outputs, graph.outputs)):
        assert len(ports) == len(seen)
        by_name = {name: port for port in ports for name in port.get_names()}
        for each in seen:
            port = by_name[each.name]
            assert list(port.get_shape()) == [3, *each.shape[1:]]
            assert port.get_element_type().get_type_name() == NAMES.get(
                each.dtype, port.get_element_type().get_type_name()
            )
