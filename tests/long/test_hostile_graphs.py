"""Twenty thousand hostile graphs: each is refused, or read alike by every reader and run in time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import numpy as np
import onnxruntime
import openvino
import pytest
from tests.runtime.bundle.graph_facts import assert_onnx_reads_the_same, assert_openvino_reads_the_same
from tests.runtime.bundle.mutated_graphs import HEIGHT, WIDTH, mutate, seed_graph

from steelsight.errors import BadBundle
from steelsight.runtime.bundle.graph.check import CheckedGraph, check_graph

pytestmark = pytest.mark.long

CASES = 20_000
PATIENCE_S = 10.0  # of processor time, for one case: a hang, not a busy machine
EVERY = 10  # of the accepted graphs, one is compiled and run in both engines


def test_mutated_messages_are_refused_or_read_alike(record_attack: Callable[..., None]) -> None:
    core, seed = openvino.Core(), seed_graph()
    counts = {"refused": 0, "read alike": 0, "run in both engines": 0}
    for case in range(CASES):
        start = time.process_time()
        content = mutate(seed, random.Random(case))
        try:
            graph = check_graph(content, f"case {case}")
        except BadBundle:  # any other error fails the test
            counts["refused"] += 1
        else:
            counts["read alike"] += 1
            encoded = graph.encode()
            assert check_graph(encoded, "again").encode() == encoded, f"case {case}"
            assert_onnx_reads_the_same(graph, encoded)
            assert_openvino_reads_the_same(graph, encoded, core)
            if counts["read alike"] % EVERY == 0:
                _run(graph, encoded, core)
                counts["run in both engines"] += 1
        assert time.process_time() - start < PATIENCE_S, f"case {case}"
    assert counts["refused"] > CASES // 2
    assert counts["read alike"] > CASES // 50
    outcome = (
        f"{counts['refused']:,} refused; {counts['read alike']:,} read alike by the checker, onnx, OpenVINO; "
        f"{counts['run in both engines']:,} of them run in OpenVINO and ONNX Runtime; 0 differences, 0 hangs"
    )
    record_attack(
        "bundles", "graph: fields doubled, moved, renumbered, grafted, unknown, at limits", CASES, outcome
    )


def _run(graph: CheckedGraph, encoded: bytes, core: openvino.Core) -> None:
    """Outputs of the shapes that the checker found, in both engines."""
    images = np.random.default_rng(0).integers(0, 256, (2, HEIGHT, WIDTH), dtype=np.uint8)
    if graph.inputs[0].shape[1:] != images.shape[1:]:
        images = np.zeros((2, *(length or 1 for length in graph.inputs[0].shape[1:])), dtype=np.uint8)
    names = [port.name for port in graph.outputs]
    compiled = core.compile_model(core.read_model(model=encoded), "CPU", {"INFERENCE_NUM_THREADS": 1})
    found = compiled(images)
    session = onnxruntime.InferenceSession(encoded, providers=["CPUExecutionProvider"])
    others = session.run(names, {graph.inputs[0].name: images})
    for port, other in zip(graph.outputs, others, strict=True):
        shape = (2, *(length or 1 for length in port.shape[1:]))
        assert found[port.name].shape == other.shape == shape
