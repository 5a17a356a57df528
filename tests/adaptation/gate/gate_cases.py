"""A bundle whose class evidence is known, in its graph and as a NumPy twin, and folders of sheets for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from tests.counterfactuals.proof_cases import HEIGHT, WIDTH, make_sheets, write_sheets  # noqa: E402

from steelsight.runtime.bundle.card import BundleCard, GraphFacts  # noqa: E402
from steelsight.runtime.bundle.writer import describe_files, write_bundle  # noqa: E402
from steelsight.types import GrayBatch, InputSpec, Logits  # noqa: E402

GRAY = np.array([[-1.0, 70.0], [1.0, -200.0]])  # relu(70 - gray): dark bars; relu(gray - 200): white stains


def head(white: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights (2, 2) and biases (2,): a bar is worth 12 logits for defect, a stain `white` for none."""
    bar, stain = 25 * 240 / (HEIGHT * WIDTH), 52 * 168 / (HEIGHT * WIDTH)
    return np.array([[0.0, white / stain], [12 / bar, 0.0]]), np.array([0.0, -6.0])


def twin(white: float) -> Callable[[GrayBatch], Logits]:
    """The graph's logits by NumPy in float64."""
    weights, biases = head(white)

    def predict(images: GrayBatch) -> Logits:
        parts = [np.maximum(slope * images.astype(np.float64) + level, 0) for slope, level in GRAY]
        return np.stack([part.mean((1, 2)) for part in parts], axis=1) @ weights.T + biases

    return predict


def graph_bytes(white: float) -> bytes:
    """A convolution of 1x1 with two channels, ReLU, and a direct head pooled by averages."""
    weights, biases = head(white)
    arrays = {
        "axis": np.array([1]),
        "w": GRAY[:, :1].reshape(2, 1, 1, 1).astype(np.float32),
        "b": GRAY[:, 1].astype(np.float32),
        "hw": weights.reshape(2, 2, 1, 1).astype(np.float32),
        "hb": biases.astype(np.float32),
        "flat": np.array([0, 2]),
        "places": np.array([1 / (HEIGHT * WIDTH)], dtype=np.float32),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["images", "axis"], ["gray"]),
        helper.make_node("Cast", ["gray"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["float", "w", "b"], ["conv"], kernel_shape=[1, 1]),
        helper.make_node("Relu", ["conv"], ["features"]),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
        helper.make_node("Reshape", ["pooled", "flat"], ["embedding"]),
        helper.make_node("Conv", ["features", "hw", "hb"], ["evidence"], kernel_shape=[1, 1]),
        helper.make_node("ReduceMean", ["evidence"], ["logits"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["evidence", "places"], ["maps"]),
    ]
    outputs = {"logits": [2], "maps": [2, HEIGHT, WIDTH], "embedding": [2]}
    graph = helper.make_graph(
        nodes,
        "known",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", HEIGHT, WIDTH])],
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, ["n", *v]) for k, v in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def known_bundle(folder: Path, *, white: float = 0.0, **changes: object) -> Path:
    """Write a bundle to which a stain is worth `white` logits for none; changes: of its card."""
    files = {"model.onnx": graph_bytes(white)}
    fields: dict[str, object] = {
        "task": "multiclass",
        "class_names": ("none", "defect"),
        "model": "known",
        "head": "direct, average",
        "input": InputSpec(HEIGHT, WIDTH),
        "graph": GraphFacts(opset=17, grid=(HEIGHT, WIDTH), embedding=2),
        "precision": "f32",
        "files": describe_files(files),
    }
    write_bundle(folder, BundleCard.model_validate(fields | changes), files)
    return folder


def known_data(folder: Path, count: int = 240, *, seed: int = 0, vary: bool = False) -> Path:
    """Class folders with masks: half of the defect-free sheets have a white stain.

    vary  cut the stains, which are 14 rows high, to 6 rows or more
    """
    sheets = make_sheets(count, seed=seed)
    for row in range(count if vary else 0):
        rows = np.flatnonzero((sheets.images[row] > 240).any(axis=1))
        cut = sheets.images[row][rows[6 + row // 2 % 9 :]] if rows.size else sheets.images[row][:0]
        cut[cut > 240] = 110
        if rows.size:
            sheets.images[row][rows[6 + row // 2 % 9 :]] = cut
    return write_sheets(sheets, folder)


def write_policy(folder: Path, text: str = "", *, name: str = "policy.toml") -> Path:
    """A policy file; without text a limit of 5 % on stains."""
    path = folder / name
    path.write_text(text or '[[shortcut]]\nnuisance = "stain"\nmost_flipped = 0.05\nmost_excess = 0.05\n')
    return path
