"""The graph with a new head against its formula and against a numerical gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tests.adaptation.conftest import CHANNELS, GRID, HEIGHT, WIDTH, tiny_graph

from steelsight.adaptation.features import read_features, reference_outputs
from steelsight.adaptation.graph import KeptPlaces, head_graph, map_graph, reorder_places
from steelsight.adaptation.head import LIMIT, AdaptedHead
from steelsight.errors import BadBundle
from steelsight.runtime.bundle.card import GraphFacts
from steelsight.runtime.bundle.open import Bundle, open_bundle
from steelsight.runtime.engine.engine import open_engine

PLACES = GRID[0] * GRID[1]


@pytest.fixture
def head(rng: np.random.Generator) -> AdaptedHead:
    return AdaptedHead(
        rng.normal(size=2 * CHANNELS),
        rng.uniform(0.5, 2, 2 * CHANNELS),
        rng.normal(size=(2 * CHANNELS, 4)),
        rng.normal(size=4),
        LIMIT,
    )


@pytest.fixture
def images(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (9, HEIGHT, WIDTH)).astype(np.uint8)


def with_head(bundle: Bundle, head: AdaptedHead) -> Bundle:
    names = tuple(f"class {number}" for number in range(head.weight.shape[1]))
    graph = head_graph(bundle.files["model.onnx"], "here", head, grid=bundle.card.graph.grid)
    card = bundle.card.model_copy(update={"class_names": names})
    return replace(bundle, card=card, files={"model.onnx": graph}, graphs={})


@pytest.mark.parametrize("mean", ["GlobalAveragePool", "ReduceMean"])
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_the_written_head_answers_as_its_formula(
    engine: str, mean: str, make_bundle: Callable[..., Path], head: AdaptedHead, images: np.ndarray
) -> None:
    bundle = open_bundle(make_bundle(graph_content=tiny_graph(3, mean=mean)))
    found = open_engine(with_head(bundle, head), engine, threads=1)(images)
    expected = reference_outputs(bundle, head, images, (0, 1, 2))
    np.testing.assert_allclose(found.logits, expected.logits, atol=2e-5)
    np.testing.assert_allclose(found.maps, expected.maps, atol=2e-6)
    np.testing.assert_allclose(found.embedding, expected.embedding, rtol=1e-5)
    features = read_features(bundle, images)
    np.testing.assert_allclose(head.logits(features.pooled), expected.logits, atol=2e-5)
    np.testing.assert_array_equal(features.logits, open_engine(bundle, threads=1)(images).logits)


def test_the_maps_are_grad_cam_by_numerical_gradients(head: AdaptedHead, rng: np.random.Generator) -> None:
    """Central differences of each logit at every place of every channel, averaged over the places."""
    features = rng.uniform(0.1, 2, (CHANNELS, PLACES))
    head = replace(head, mean=head.mean * 2)  # some features are limited, others are not
    pooled = np.concatenate([features.mean(1), features.max(1)])[None]
    assert 4 < (np.abs(head.standard(pooled)) < head.limit).sum() < 2 * CHANNELS - 4

    def logits(each: np.ndarray) -> np.ndarray:
        return head.logits(np.concatenate([each.mean(1), each.max(1)])[None])[0]

    alpha = np.zeros((4, CHANNELS))
    step = 1e-6
    for channel in range(CHANNELS):
        for place in range(PLACES):
            up, down = features.copy(), features.copy()
            up[channel, place] += step
            down[channel, place] -= step
            alpha[:, channel] += (logits(up) - logits(down)) / (2 * step) / PLACES
    np.testing.assert_allclose(head.map_weights(pooled, PLACES)[0], alpha, atol=1e-7)


def test_the_network_below_the_head_is_unchanged(
    make_bundle: Callable[..., Path], head: AdaptedHead, images: np.ndarray
) -> None:
    bundle = open_bundle(make_bundle())
    once = with_head(bundle, head)
    twice = with_head(once, head)
    assert twice.files["model.onnx"] == once.files["model.onnx"]
    before, after = (open_engine(each, threads=1)(images).embedding for each in (bundle, twice))
    np.testing.assert_array_equal(before, after)


def test_an_embedding_that_is_no_average_of_a_feature_map() -> None:
    import onnx

    model = onnx.load_model_from_string(tiny_graph(3))
    for node in model.graph.node:
        if "pooled" in node.output:
            node.op_type = "GlobalMaxPool"
    with pytest.raises(BadBundle, match=r"here: expected an embedding that is the average .* GlobalMaxPool"):
        map_graph(model.SerializeToString(), "here", grid=GRID, channels=CHANNELS)


def with_places(classes: int) -> bytes:
    """The tiny graph with another class map as the evidence of a place head."""
    model = onnx.load_model_from_string(tiny_graph(classes))
    model.graph.node.append(helper.make_node("Neg", ["evidence"], ["places"]))
    for node in model.graph.node:
        node.input[:] = ["scale" if name == "places" else name for name in node.input]
    next(each for each in model.graph.initializer if each.name == "places").name = "scale"
    port = helper.make_tensor_value_info("places", TensorProto.FLOAT, ["n", classes, *GRID])
    model.graph.output.append(port)
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize("own", [(0, 1, 2), (0, 2, 1), (0, 2, None), (0, None, 1, None)])
def test_the_place_head_is_kept_in_the_order_of_the_new_classes(
    own: tuple[int | None, ...],
    make_bundle: Callable[..., Path],
    images: np.ndarray,
    rng: np.random.Generator,
) -> None:
    facts = GraphFacts(opset=17, grid=GRID, embedding=CHANNELS, places=GRID)
    bundle = open_bundle(make_bundle(graph_content=with_places(3), graph=facts))
    before = open_engine(bundle, threads=1)(images)
    assert before.places is not None
    head = AdaptedHead(
        np.zeros(2 * CHANNELS),
        np.ones(2 * CHANNELS),
        rng.normal(size=(2 * CHANNELS, len(own))),
        np.zeros(len(own)),
        LIMIT,
    )
    graph = head_graph(bundle.files["model.onnx"], "here", head, grid=GRID, places=KeptPlaces(GRID, 3, own))
    names = tuple(f"class {number}" for number in range(len(own)))
    new = replace(
        bundle,
        card=bundle.card.model_copy(update={"class_names": names}),
        files={"model.onnx": graph},
        graphs={},
    )
    for engine in ("openvino", "onnxruntime"):
        found = open_engine(new, engine, threads=1)(images)
        assert found.places is not None
        for row, number in enumerate(own):
            wanted = before.places.max(axis=1) if number is None else before.places[:, number]
            np.testing.assert_allclose(found.places[:, row], wanted, rtol=1e-5, atol=1e-6)
    reference = reference_outputs(bundle, head, images, own)
    assert reference.places is not None
    np.testing.assert_allclose(found.places, reference.places, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found.where, found.places)
    assert read_features(bundle, images).pooled.shape == (len(images), 2 * CHANNELS)


def test_a_graph_with_a_place_head_can_be_adapted_again(
    make_bundle: Callable[..., Path], images: np.ndarray, rng: np.random.Generator
) -> None:
    facts = GraphFacts(opset=17, grid=GRID, embedding=CHANNELS, places=GRID)
    bundle = open_bundle(make_bundle(graph_content=with_places(3), graph=facts))
    first = open_engine(bundle, threads=1)(images).places
    assert first is not None
    graph, classes = bundle.files["model.onnx"], 3
    for own in ((0, 2, 1, None), (0, 3, None), (0, 1, 2, None)):
        head = AdaptedHead(
            rng.normal(size=2 * CHANNELS),
            rng.uniform(0.5, 2, 2 * CHANNELS),
            rng.normal(size=(2 * CHANNELS, len(own))),
            rng.normal(size=len(own)),
            LIMIT,
        )
        graph = head_graph(graph, "here", head, grid=GRID, places=KeptPlaces(GRID, classes, own))
        classes, first = len(own), reorder_places(first, own)
        card = bundle.card.model_copy(update={"class_names": tuple(f"class {n}" for n in range(classes))})
        expected = reference_outputs(bundle, head, images, own).logits
        for engine in ("openvino", "onnxruntime"):
            new = replace(bundle, card=card, files={"model.onnx": graph}, graphs={})
            found = open_engine(new, engine, threads=1)(images)
            np.testing.assert_allclose(found.places, first, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(found.logits, expected, atol=2e-5)


def test_a_node_that_needs_its_own_output_is_refused(head: AdaptedHead) -> None:
    model = onnx.load_model_from_string(tiny_graph(3))
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    relu.input[:] = ["features"]
    with pytest.raises(BadBundle, match="features needs its own output; export the run again"):
        head_graph(model.SerializeToString(), "here", head, grid=GRID)
