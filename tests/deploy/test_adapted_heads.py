"""A head can be written into the graph of every network, head and pooling that export writes."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from tests.deploy.test_graph import HEADS, _network

from steelsight.adaptation.graph import head_graph
from steelsight.adaptation.head import AdaptedHead
from steelsight.deploy.graph import build_graph
from steelsight.models.inputs import to_input
from steelsight.runtime.bundle.graph.check import check_graph

CASES = [
    *(("squeezenet_reduced", *each) for each in HEADS),
    ("adhoc", "study", "average"),
    ("efficientnet_lite0", "direct", "lse"),
]


@pytest.mark.parametrize(("name", "head", "pooling"), CASES, ids=["-".join(each) for each in CASES])
def test_the_new_head_on_the_networks_own_features(name: str, head: str, pooling: str) -> None:
    """Oracle: the network's features by torch, pooled and weighed by NumPy."""
    model = _network(name, head, pooling)
    height, width = model.size
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, height, width), dtype=np.uint8)
    with torch.inference_mode():
        features = model.features(to_input(torch.from_numpy(images))).double().numpy()
    pooled = np.concatenate([features.mean((2, 3)), features.max((2, 3))], axis=1)
    width_of_both = pooled.shape[1]
    new = AdaptedHead(
        pooled[0] + 0.1 * rng.normal(size=width_of_both) * pooled.std(),
        np.full(width_of_both, pooled.std()) * rng.uniform(0.05, 1, width_of_both),
        rng.normal(size=(width_of_both, 2)) / np.sqrt(width_of_both),
        rng.normal(size=2),
        2.0,
    )
    grid = (features.shape[2], features.shape[3])
    written = head_graph(build_graph(model).SerializeToString(), "here", new, grid=grid)
    checked = check_graph(written, "here").encode()
    session = onnxruntime.InferenceSession(checked, providers=["CPUExecutionProvider"])
    logits, maps, embedding = session.run(["logits", "maps", "embedding"], {"images": images})
    np.testing.assert_allclose(logits, new.logits(pooled), atol=2e-3)
    np.testing.assert_allclose(embedding, features.mean((2, 3)), atol=1e-4 * np.abs(features).max())
    expected = np.einsum("nck,nkhw->nchw", new.map_weights(pooled, grid[0] * grid[1]), features)
    assert np.corrcoef(maps.ravel(), expected.ravel())[0, 1] > 0.999
