"""Graphs: what is refused and why, and that engines read exactly what was checked."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import onnx
import openvino
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.runtime.bundle.graph_facts import assert_onnx_reads_the_same, assert_openvino_reads_the_same
from tests.runtime.bundle.mutated_graphs import HEIGHT, WIDTH, mutate, seed_graph

from steelsight.errors import BadBundle
from steelsight.runtime.bundle.graph.check import CheckedGraph, check_graph
from steelsight.runtime.bundle.graph.limits import GraphLimits

SEED = seed_graph()


def _seed() -> onnx.ModelProto:
    return onnx.load_from_string(SEED)


def _refused(content: bytes, message: str) -> None:
    with pytest.raises(BadBundle, match=message):
        check_graph(content, "model.onnx")


def test_independent_readers_read_what_was_checked() -> None:
    graph = check_graph(SEED, "model.onnx")
    encoded = graph.encode()
    assert check_graph(encoded, "model.onnx").encode() == encoded
    onnx.checker.check_model(onnx.load_from_string(encoded), full_check=True)
    assert_onnx_reads_the_same(graph, encoded)
    assert_openvino_reads_the_same(graph, encoded, openvino.Core())


def test_an_exported_graph_gives_the_same_outputs_after_it_was_written_again(graph_bytes: bytes) -> None:
    graph = check_graph(graph_bytes, "model.onnx")
    images = np.random.default_rng(0).integers(0, 256, (2, *graph.inputs[0].shape[1:]), dtype=np.uint8)
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    found = []
    for content in (graph_bytes, graph.encode()):
        outputs = core.compile_model(core.read_model(model=content), "CPU", settings)(images)
        found.append([np.array(outputs[name]) for name in ("logits", "maps", "embedding")])
    for before, after in zip(*found, strict=True):
        np.testing.assert_array_equal(before, after)


def test_shapes_are_those_of_onnx_shape_inference(graph_bytes: bytes) -> None:
    for content in (SEED, graph_bytes):
        graph = check_graph(content, "model.onnx")
        inferred = onnx.shape_inference.infer_shapes(onnx.load_from_string(content), strict_mode=True)
        wanted = {
            port.name: tuple(dim.dim_value for dim in port.type.tensor_type.shape.dim[1:])
            for port in inferred.graph.output
        }
        assert {port.name: port.shape[1:] for port in graph.outputs} == wanted


def _graph_twice() -> bytes:
    """A second graph field, whose nodes other parsers add to those of the first."""
    second = onnx.ModelProto()
    second.graph.node.append(helper.make_node("Loop", ["images"], ["endless"]))
    return SEED + second.SerializeToString()


def _outside(where: str) -> bytes:
    model = _seed()
    tensor = helper.make_tensor("outside", TensorProto.FLOAT, [1], [0.0])
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "secret"
    if where == "initializer":
        model.graph.initializer.append(tensor)
    elif where == "attribute":
        model.graph.node.insert(0, helper.make_node("Constant", [], ["c"], value=tensor))
    else:
        indices = helper.make_tensor("indices", TensorProto.INT64, [1], [0])
        sparse = helper.make_sparse_tensor(tensor, indices, [1])
        model.graph.node.insert(0, helper.make_node("Constant", [], ["c"], sparse_value=sparse))
    return bytes(model.SerializeToString())


def _with_nodes(*nodes: onnx.NodeProto, **constants: np.ndarray) -> bytes:
    model = _seed()
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(each, name) for name, each in constants.items())
    return bytes(model.SerializeToString())


def _selected(numbers: np.ndarray, axis: int = 2) -> bytes:
    return _with_nodes(helper.make_node("Gather", ["maps", "numbers"], ["r"], axis=axis), numbers=numbers)


def _doubled(times: int, start: str) -> bytes:
    names = [start, *(f"double{number}" for number in range(times))]
    return _with_nodes(
        *(helper.make_node("Concat", [before, before], [after], axis=1) for before, after in pairwise(names))
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_graph_twice(), "Model.graph twice"),
        (SEED + b"\x08\x08", "Model.ir_version twice"),
        (SEED + b"\xa0\x7d\x01", "a field 2004 that Model does not have"),
        (SEED + b"\x3a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", "cut off or too long"),
        (_outside("initializer"), "weights in other files are never read"),
        (_outside("attribute"), "weights in other files are never read"),
        (_outside("sparse"), "sparse tensors are not used"),
        (_doubled(40, "maps"), "elements, more than 1048576 allowed"),
        (_doubled(40, "w1"), "constants that grow to more than four times"),
        (
            _with_nodes(helper.make_node("Relu", ["nowhere"], ["r"])),
            "expected inputs that were computed before it, got 'nowhere'",
        ),
        (_with_nodes(helper.make_node("Relu", ["maps"], ["logits"])), "different names, got 'logits' twice"),
        (
            _with_nodes(helper.make_node("Relu", ["maps"], ["r"], body="x")),
            "attribute 'body' is not used by any export",
        ),
        (
            _with_nodes(
                helper.make_node("MaxPool", ["maps"], ["r"], kernel_shape=[2, 2], pads=[0, 0, 0, 10**9])
            ),
            "pads: expected 0 to 63",
        ),
        (
            _with_nodes(helper.make_node("Reshape", ["maps", "s"], ["r"]), s=np.array([1, -1])),
            None,
        ),
        (_selected(np.array([1, 0, 0])), None),
        (_selected(np.array([0, 10**9])), "numbers of places that there are"),
        (_selected(np.array([-1])), "numbers of places that there are"),
        (_selected(np.array([], dtype=np.int64)), "got shape"),
        (_selected(np.array([0]), axis=0), "places, and all sheets"),
        (_selected(np.array([0]), axis=-4), "places, and all sheets"),
        (_selected(np.array([[0]])), "expected a constant list of whole numbers"),
        (
            _selected(np.zeros(2**12 + 1, dtype=np.int64)),
            "places, and all sheets",
        ),
        (
            _with_nodes(helper.make_node("Mul", ["maps", "s"], ["r"]), s=np.array([np.inf], np.float32)),
            "finite numbers",
        ),
        (
            _with_nodes(helper.make_node("MatMul", ["t", "maps"], ["r"]), t=np.zeros((3, 5), np.float32)),
            "as many columns as rows",
        ),
    ],
)
def test_what_parsers_could_read_differently_or_exports_do_not_use(
    content: bytes, message: str | None
) -> None:
    if message is None:
        check_graph(content, "model.onnx")
    else:
        _refused(content, message)


def test_outputs_have_one_row_a_sheet_and_grow_in_proportion() -> None:
    model = _seed()
    model.graph.node.extend(
        [
            helper.make_node("Transpose", ["embedding"], ["turned"], perm=[1, 0]),
            helper.make_node("MatMul", ["embedding", "turned"], ["pairs"]),  # sheets x sheets
        ]
    )
    _refused(model.SerializeToString(), "sizes that grow in proportion to the number of sheets")
    model = _seed()
    model.graph.node.extend(
        [
            helper.make_node("ReduceMean", ["float"], ["average"], axes=[0]),  # one for all sheets
            helper.make_node("Transpose", ["embedding"], ["turned"], perm=[1, 0]),
            helper.make_node("MatMul", ["embedding", "turned"], ["pairs"]),
        ]
    )
    _refused(model.SerializeToString(), "sizes that grow in proportion .* got 'pairs' of 1 elements")
    model = _seed()
    model.graph.node.append(helper.make_node("Transpose", ["embedding"], ["turned"], perm=[1, 0]))
    model.graph.output.append(helper.make_tensor_value_info("turned", TensorProto.FLOAT, [4, "n"]))
    _refused(model.SerializeToString(), "output 'turned': expected one row a sheet")


def test_limits_can_be_changed() -> None:
    check_graph(SEED, "model.onnx")
    with pytest.raises(BadBundle, match="expected at most 5 operators, got 19"):
        check_graph(SEED, "model.onnx", GraphLimits(nodes=5))
    with pytest.raises(
        BadBundle, match=f"expected sheets of 1 to 100 pixels as input, got {HEIGHT} x {WIDTH}"
    ):
        check_graph(SEED, "model.onnx", GraphLimits(pixels=100))


def test_mutated_messages_are_refused_or_read_alike_by_every_reader() -> None:
    core = openvino.Core()
    refused, accepted = try_mutations(range(400), core)
    assert refused > 200
    assert accepted > 10


def try_mutations(cases: range, core: openvino.Core) -> tuple[int, int]:
    """Refused and accepted mutations; every accepted one is compared."""
    refused = accepted = 0
    for case in cases:
        content = mutate(SEED, random.Random(case))
        try:
            graph = check_graph(content, f"case {case}")
        except BadBundle:  # any other error fails the test
            refused += 1
            continue
        accepted += 1
        _compare(graph, core)
    return refused, accepted


def _compare(graph: CheckedGraph, core: openvino.Core) -> None:
    encoded = graph.encode()
    assert check_graph(encoded, "again").encode() == encoded
    assert_onnx_reads_the_same(graph, encoded)
    assert_openvino_reads_the_same(graph, encoded, core)
