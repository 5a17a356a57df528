"""A small bundle of a random network, and sheets for it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steelsight.files import pack_arrays
from steelsight.runtime.bundle.card import BundleCard, Familiarity, GraphFacts
from steelsight.runtime.bundle.writer import describe_files, write_bundle
from steelsight.types import InputSpec

HEIGHT, WIDTH = 64, 96
NAMES = ("none", "type 1", "type 2")


@pytest.fixture(scope="session")
def graph_bytes() -> bytes:
    """Reduced SqueezeNet with the direct head, random weights, three classes."""
    return _graph_bytes()


@functools.cache  # several rooms have the fixture, each its own
def _graph_bytes() -> bytes:
    torch = pytest.importorskip("torch")
    from steelsight.deploy.graph import build_graph
    from steelsight.models.catalog import ModelSpec, build_model

    spec = ModelSpec(name="squeezenet_reduced", outputs=3, head="direct", height=HEIGHT, width=WIDTH)
    model = build_model(spec, generator=torch.Generator().manual_seed(3)).eval()
    with torch.no_grad():
        model.head.conv.weight.mul_(40)  # verdicts that differ from sheet to sheet
    content: bytes = build_graph(model).SerializeToString()
    return content


@pytest.fixture
def make_bundle(tmp_path: Path, graph_bytes: bytes) -> Callable[..., Path]:
    """Write a bundle of that network; keywords replace fields of its card."""

    def make(name: str = "bundle", **changes: Any) -> Path:
        rng = np.random.default_rng(0)
        statistics = {
            "means": rng.normal(size=(3, 384)).astype(np.float32),
            "whitening": np.eye(384, dtype=np.float32),
        }
        files = {"model.onnx": graph_bytes, "familiarity.npz": pack_arrays(statistics)}
        fields: dict[str, Any] = {
            "task": "multiclass",
            "class_names": NAMES,
            "model": "squeezenet_reduced",
            "head": "direct",
            "input": InputSpec(HEIGHT, WIDTH),
            "graph": GraphFacts(opset=17, grid=(3, 5), embedding=384),
            "precision": "f32",
            "files": describe_files(files),
            "familiarity": Familiarity(limit=1e6, kept=0.99),
        }
        folder = tmp_path / name
        write_bundle(folder, BundleCard(**(fields | changes)), files)
        return folder

    return make


@pytest.fixture
def sheets() -> np.ndarray:
    """Ten gray sheets of the bundle's size; the last is black."""
    rng = np.random.default_rng(1)
    grain = rng.normal(110, 25, (10, HEIGHT, WIDTH))
    grain[::2, 10:40, 20:50] += 90
    grain[-1] = 0
    return np.clip(grain, 0, 255).astype(np.uint8)
