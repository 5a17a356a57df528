"""The exported graph against the network it was written from: every model, head and pooling, both engines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
import torch
from torch import nn

from steelsight.deploy.graph import build_graph
from steelsight.errors import BadInput
from steelsight.explanations.gradcam import coarse_grad_cam, grad_cam_all
from steelsight.models.catalog import MODELS, ModelSpec, SheetClassifier, build_model
from steelsight.models.inputs import to_input
from steelsight.models.places import run_tapped
from steelsight.runtime.bundle.graph.check import check_graph
from steelsight.runtime.parity.compare import draw_edge_sheets, map_cosines

HEADS = [
    ("study", "average"),
    *(("direct", kind) for kind in ("average", "max", "lse", "top", "average+max")),
]
SIZES = {
    "adhoc": (64, 96),
    "squeezenet": (64, 80),
    "squeezenet_reduced": (64, 80),
    "vgg16_bn": (48, 64),
    "efficientnet_lite0": (65, 95),  # odd: TensorFlow's padding is uneven at some stages and even at others
    "two_scales": (68, 95),
}

Run = Callable[[np.ndarray], tuple[np.ndarray, ...]]


def _network(name: str, head: str, pooling: str) -> SheetClassifier:
    """Random weights; BatchNorm as if it had seen other data, so that a fold that forgot it shows."""
    height, width = SIZES[name]
    spec = ModelSpec(name=name, outputs=4, head=head, pooling=pooling, height=height, width=width)
    generator = torch.Generator().manual_seed(1)
    model = build_model(spec, generator=generator).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3, generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.bias.normal_(0, 0.2, generator=generator)
    return model


def _onnxruntime(graph: bytes) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return lambda images: tuple(session.run(["logits", "maps", "embedding"], {"images": images}))


def _openvino(graph: bytes) -> Run:
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = core.compile_model(core.read_model(model=graph), "CPU", settings)

    def run(images: np.ndarray) -> tuple[np.ndarray, ...]:
        found = compiled(images)
        return tuple(found[name] for name in ("logits", "maps", "embedding"))

    return run


@pytest.mark.parametrize(("head", "pooling"), HEADS, ids=[f"{h}-{p}" for h, p in HEADS])
@pytest.mark.parametrize("name", [*MODELS, "efficientnet_lite0", "two_scales"])
def test_graph_and_network_give_the_same_outputs(name: str, head: str, pooling: str) -> None:
    model = _network(name, head, pooling)
    height, width = model.size
    rng = np.random.default_rng(0)
    images = np.concatenate(
        [draw_edge_sheets(height, width)[:11], rng.integers(0, 256, (3, height, width), dtype=np.uint8)]
    )
    inputs = to_input(torch.from_numpy(images))
    with torch.inference_mode():
        wanted = grad_cam_all(model, inputs)
        features = model.features(inputs).mean((2, 3)).numpy()
    logits, maps = wanted.logits.numpy(), wanted.maps.numpy()
    graph = build_graph(model).SerializeToString()
    for run in (_onnxruntime(graph), _openvino(graph)):
        found = run(images)
        # Rounding alone: the naive fold of a padded convolution errs by a tenth of the logits at the border.
        assert np.abs(found[0] - logits).max() <= 1e-5 * np.ptp(logits)
        # The study head's maps jump where a concept within rounding of 0 opens at another place.
        far, cosine = (
            (5e-2, 0.999)
            if (name in ("efficientnet_lite0", "two_scales") and head == "study")
            else (1e-4, 0.9999)
        )
        assert np.abs(found[1] - maps).max() <= far * np.abs(maps).max()
        assert map_cosines(maps, found[1]).min() > cosine
        assert np.abs(found[2] - features).max() <= 1e-4 * np.abs(features).max()


@pytest.mark.parametrize("name", ["adhoc", "squeezenet_reduced", "efficientnet_lite0", "two_scales"])
@pytest.mark.parametrize("pooling", ["lse", "average+max"])
def test_the_place_head_is_in_the_graph(name: str, pooling: str) -> None:
    plain = _network(name, "direct", pooling)
    spec = ModelSpec(
        name=name,
        outputs=4,
        head="direct",
        pooling=pooling,
        height=plain.size[0],
        width=plain.size[1],
        places=6,
    )
    model = build_model(spec).eval()
    model.load_state_dict(plain.state_dict(), strict=False)
    images = np.random.default_rng(4).integers(0, 256, (3, *model.size), dtype=np.uint8)
    inputs = to_input(torch.from_numpy(images))
    with torch.no_grad():
        _, maps = run_tapped(model.features, model.places.taps, inputs)
    torch.manual_seed(0)
    model.places.start(maps)
    with torch.no_grad():
        wanted = model.place_map(inputs).numpy()
    graph = build_graph(model).SerializeToString()
    outline = check_graph(graph, name)
    assert outline.outputs[-1].name == "places"
    assert outline.outputs[-1].shape == (None, *wanted.shape[1:])
    session = onnxruntime.InferenceSession(outline.encode(), providers=["CPUExecutionProvider"])
    by_onnxruntime = session.run(["places"], {"images": images})[0]
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    by_openvino = core.compile_model(core.read_model(model=outline.encode()), "CPU", settings)(images)[
        "places"
    ]
    for places in (by_onnxruntime, by_openvino):
        assert np.abs(places - wanted).max() <= 1e-3 * np.abs(wanted).max()
    assert _onnxruntime(graph)(images)[0] == pytest.approx(
        _onnxruntime(build_graph(plain).SerializeToString())(images)[0], rel=1e-5, abs=1e-6
    )
    assert [each.name for each in build_graph(model, maps=False).graph.output] == ["logits", "embedding"]


def test_maps_equal_those_by_autograd() -> None:
    model = _network("squeezenet_reduced", "study", "average")
    images = np.random.default_rng(2).integers(0, 256, (2, *model.size), dtype=np.uint8)
    _, maps, _ = _onnxruntime(build_graph(model).SerializeToString())(images)
    for target in range(4):
        hooked = coarse_grad_cam(model, to_input(torch.from_numpy(images)), target).numpy()
        assert maps[:, target] == pytest.approx(hooked, rel=1e-3, abs=1e-6)


def test_every_graph_passes_the_checks_of_a_bundle() -> None:
    for name in MODELS:
        for head, pooling in HEADS if name == "adhoc" else HEADS[:2]:
            graph = build_graph(_network(name, head, pooling))
            outline = check_graph(graph.SerializeToString(), name)
            assert check_graph(outline.encode(), name).encode() == outline.encode()
            assert {port.name for port in outline.outputs} == {"logits", "maps", "embedding"}
            assert outline.inputs[0].shape == (None, *SIZES[name])
            assert [node.operator for node in outline.nodes] == [node.op_type for node in graph.graph.node]


def test_a_graph_without_maps_has_the_other_outputs() -> None:
    graph = build_graph(_network("adhoc", "direct", "average"), maps=False)
    assert [output.name for output in graph.graph.output] == ["logits", "embedding"]


def test_unknown_layers_and_patch_models_are_refused() -> None:
    spec = ModelSpec(name="adhoc", outputs=2, height=64, width=400, patches=2)
    with pytest.raises(BadInput, match="expected a model that sees whole sheets, got one that judges 2"):
        build_graph(build_model(spec).eval())
    strange = _network("adhoc", "direct", "average")
    strange.features.add_module("odd", nn.PixelShuffle(2))
    with pytest.raises(BadInput, match="no rule is written for operator pixel_shuffle"):
        build_graph(strange)


def test_any_batch_size_gives_the_same_outputs() -> None:
    model = _network("squeezenet_reduced", "direct", "lse")
    graph = build_graph(model)
    onnx.checker.check_model(graph, full_check=True)
    run = _onnxruntime(graph.SerializeToString())
    images = np.random.default_rng(3).integers(0, 256, (5, *model.size), dtype=np.uint8)
    whole = run(images)
    for row in range(5):
        for together, alone in zip(whole, run(images[row : row + 1]), strict=True):
            assert together[row] == pytest.approx(alone[0], rel=1e-4, abs=1e-5)
