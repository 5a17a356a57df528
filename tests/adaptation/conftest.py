"""A tiny bundle whose own head knows little, and folders of sheets that a new head can tell apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from steelsight.runtime.bundle.card import BundleCard, GraphFacts  # noqa: E402
from steelsight.runtime.bundle.writer import describe_files, write_bundle  # noqa: E402
from steelsight.types import InputSpec  # noqa: E402

HEIGHT, WIDTH, GRID, CHANNELS = 16, 24, (4, 6), 12
NAMES = ("none", "bar", "block")


def tiny_graph(classes: int, *, mean: str = "GlobalAveragePool") -> bytes:
    """A random convolution of stride 4, ReLU, and a random direct head pooled by averages."""
    rng = np.random.default_rng(5)
    weights = {
        "axis": np.array([1]),
        "w": rng.normal(size=(CHANNELS, 1, 4, 4)).astype(np.float32) / 255,
        "b": rng.normal(size=CHANNELS).astype(np.float32) * 0.1,
        "hw": rng.normal(size=(classes, CHANNELS, 1, 1)).astype(np.float32),
        "hb": np.zeros(classes, dtype=np.float32),
        "flat": np.array([0, CHANNELS]),
        "places": np.array([1 / 24], dtype=np.float32),
    }
    pooled = (
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"])
        if mean == "GlobalAveragePool"
        else helper.make_node("ReduceMean", ["features"], ["pooled"], axes=[2, 3], keepdims=1)
    )
    nodes = [
        helper.make_node("Unsqueeze", ["images", "axis"], ["gray"]),
        helper.make_node("Cast", ["gray"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["float", "w", "b"], ["conv"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Relu", ["conv"], ["features"]),
        pooled,
        helper.make_node("Reshape", ["pooled", "flat"], ["embedding"]),
        helper.make_node("Conv", ["features", "hw", "hb"], ["evidence"], kernel_shape=[1, 1]),
        helper.make_node("ReduceMean", ["evidence"], ["logits"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["evidence", "places"], ["maps"]),
    ]
    outputs = {"logits": [classes], "maps": [classes, *GRID], "embedding": [CHANNELS]}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", HEIGHT, WIDTH])],
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, ["n", *v]) for k, v in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Path]:
    """Write a bundle; keywords replace fields of its card, `graph_content` its graph."""

    def make(name: str = "bundle", *, graph_content: bytes | None = None, **changes: Any) -> Path:
        names = changes.get("class_names", NAMES)
        files = {"model.onnx": graph_content or tiny_graph(len(names))}
        fields: dict[str, Any] = {
            "task": "multiclass",
            "class_names": names,
            "model": "tiny",
            "head": "direct, average",
            "input": InputSpec(HEIGHT, WIDTH),
            "graph": GraphFacts(opset=17, grid=GRID, embedding=CHANNELS),
            "precision": "f32",
            "files": describe_files(files),
        }
        write_bundle(tmp_path / name, BundleCard(**(fields | changes)), files)
        return tmp_path / name

    return make


def draw(kind: str, rng: np.random.Generator) -> np.ndarray:
    """A sheet of 16 x 24: noise, with a bright bar, a dark block or bright dots."""
    gray = rng.normal(110, 10, (HEIGHT, WIDTH))
    top, left = int(rng.integers(0, 8)), int(rng.integers(0, 16))
    if "bar" in kind:
        gray[:, left : left + 3] = 235
    if "block" in kind:
        gray[top : top + 8, left : left + 8] = 10
    if "dots" in kind:
        gray[rng.integers(0, HEIGHT, 30), rng.integers(0, WIDTH, 30)] = 250
    return np.clip(gray, 0, 255).astype(np.uint8)


@pytest.fixture
def make_data(tmp_path: Path) -> Callable[..., Path]:
    """Write class folders of so many drawn sheets each."""

    def make(
        counts: Mapping[str, int],
        name: str = "DATA",
        *,
        seed: int = 0,
        looks: Mapping[str, str] | None = None,
    ) -> Path:
        rng = np.random.default_rng([seed, 7])
        for kind, count in counts.items():
            (tmp_path / name / kind).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                gray = draw((looks or {}).get(kind, kind), rng)
                Image.fromarray(gray).save(tmp_path / name / kind / f"{seed}_{number}.png")
        return tmp_path / name

    return make
