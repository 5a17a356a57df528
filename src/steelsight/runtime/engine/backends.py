"""OpenVINO and ONNX Runtime behind one interface; what they refuse becomes a BadBundle."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import openvino
from jaxtyping import UInt8

from steelsight.errors import BadBundle, BadInput, is_out_of_memory
from steelsight.runtime.bundle.card import BundleCard
from steelsight.runtime.bundle.graph.check import CheckedGraph
from steelsight.runtime.engine.deadline import Deadline

__all__ = ["Pass", "Run", "prepare_onnxruntime", "prepare_openvino"]

Pass = UInt8[np.ndarray, "b h w"]  # the sheets of one call of the engine
Run = Callable[[Pass], tuple[np.ndarray, ...]]
Prepared = tuple[Callable[[int], Run], str]  # compiles the graph for a size of pass; the engine's version


def prepare_openvino(graph: CheckedGraph, card: BundleCard, threads: int) -> Prepared:
    """Prepare OpenVINO: compiled once for each size of pass, because fixed shapes run faster than free ones.

    threads  0 = the engine's own choice
    raises   BadBundle where the engine refuses the graph
    """
    names = tuple(card.output_shapes)
    core = openvino.Core()
    deadline = Deadline(card.graph_file, "OpenVINO")
    with _refuse(card, "OpenVINO"):
        model = deadline.within("reading", lambda: core.read_model(model=graph.encode()))
    hint = "bf16" if card.precision == "bf16" else "f32"
    settings: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": hint,
        "ENABLE_CPU_PINNING": False,  # pinning puts every process of a scan on the same first core
    }
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads

    def compile_for(size: int) -> Run:
        with _refuse(card, "OpenVINO"):
            shaped = model.clone()
            shaped.reshape([size, card.input.height, card.input.width])
            compiled = deadline.within("compiling", lambda: core.compile_model(shaped, "CPU", settings))
            request = compiled.create_infer_request()

        def run(images: Pass) -> tuple[np.ndarray, ...]:
            with _refuse(card, "OpenVINO"):
                request.infer([openvino.Tensor(images, shared_memory=True)])
                return tuple(request.get_tensor(name).data for name in names)

        return deadline.first_within("the first pass", run)

    return compile_for, str(openvino.__version__).split("-")[0]


def prepare_onnxruntime(graph: CheckedGraph, card: BundleCard, threads: int) -> Prepared:
    """Prepare ONNX Runtime: one session for every size of pass.

    threads  0 = the engine's own choice
    raises   BadInput where it is not installed, or for bf16; BadBundle where it refuses the graph
    """
    if importlib.util.find_spec("onnxruntime") is None:
        raise BadInput("engine onnxruntime: it is not installed; pip install 'steelsight[onnxruntime]'")
    if card.precision == "bf16":
        raise BadInput("engine onnxruntime: bf16 is a mode of OpenVINO; choose f32 or int8")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads:
        options.intra_op_num_threads = threads
    deadline = Deadline(card.graph_file, "ONNX Runtime")

    def open_session() -> Any:
        return onnxruntime.InferenceSession(graph.encode(), options, providers=["CPUExecutionProvider"])

    with _refuse(card, "ONNX Runtime"):
        session = deadline.within("compiling", open_session)

    names = list(card.output_shapes)

    def run(images: Pass) -> tuple[np.ndarray, ...]:
        with _refuse(card, "ONNX Runtime"):
            return tuple(session.run(names, {"images": images}))

    return lambda _: deadline.first_within("the first pass", run), str(onnxruntime.__version__)


@contextmanager
def _refuse(card: BundleCard, engine: str) -> Iterator[None]:
    """Native code raises errors of any class for a graph it cannot run; all become BadBundle.

    raises  MemoryError for lack of memory, which is not the graph's fault
    """
    try:
        yield
    except (BadBundle, BadInput):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise MemoryError(f"{card.graph_file}: {engine} needs more memory than there is") from error
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        what = (lines or [type(error).__name__])[-1][:160]
        raise BadBundle(f"{card.graph_file}: {engine} refuses it ({what}); export it again") from error
