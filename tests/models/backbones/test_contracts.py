"""What holds for every network here, on three of another library: small, residual, and ConvNeXt-like."""

from __future__ import annotations

import copy
import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from steelsight.deploy.graph import build_graph
from steelsight.errors import BadInput
from steelsight.explanations.deeplift.api import deep_lift
from steelsight.explanations.gradcam import coarse_grad_cam, grad_cam_all
from steelsight.inspection.neurons.survey import survey, surveyed_layers
from steelsight.inspection.probes.layers import standard_layers
from steelsight.inspection.probes.outputs import read_layers
from steelsight.inspection.transplant.parts import chain_of, enter, leave, list_parts
from steelsight.models.card import Card
from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model
from steelsight.models.checkpoint import load_checkpoint, save_checkpoint
from steelsight.models.inputs import to_input
from steelsight.models.summary import summarise
from steelsight.runtime.bundle.graph.check import check_graph
from steelsight.training.loop.speed import fast_features
from steelsight.types import InputSpec

NAMES = ("efficientnet_lite0", "two_scales", "timm:resnet10t", "timm:convnext_atto")
SIZE = (64, 80)


@pytest.fixture(params=NAMES)
def model(request: pytest.FixtureRequest) -> SheetClassifier:
    return built(request.param)


def built(name: str, pooling: str = "lse") -> SheetClassifier:
    """Random weights; batch norms and layer scales as if they were trained. A copy of what is built once."""
    return copy.deepcopy(_built(name, pooling))


@functools.cache
def _built(name: str, pooling: str) -> SheetClassifier:
    spec = ModelSpec(name=name, outputs=3, head="direct", pooling=pooling, height=SIZE[0], width=SIZE[1])
    model = build_model(spec, generator=torch.Generator().manual_seed(1)).eval()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3, generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
            if isinstance(getattr(module, "gamma", None), nn.Parameter):
                module.gamma.uniform_(0.1, 0.5, generator=generator)
    return model


def sheets(count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *SIZE), dtype=np.uint8)


def inputs(count: int = 3) -> Tensor:
    return to_input(torch.from_numpy(sheets(count)))


def test_a_checkpoint_gives_the_same_logits(model: SheetClassifier, tmp_path: Path) -> None:
    spec = ModelSpec(name=model.name, outputs=3, head="direct", pooling="lse", height=SIZE[0], width=SIZE[1])
    card = Card(
        task="multiclass",
        class_names=("none", "a", "b"),
        model=spec,
        input=InputSpec(*SIZE),
        data_hash="0" * 64,
        seed=0,
    )
    save_checkpoint(tmp_path, model, card)
    again, _ = load_checkpoint(tmp_path)
    with torch.inference_mode():
        assert torch.equal(again(inputs()), model(inputs()))


@pytest.mark.parametrize("pooling", ["lse", "average+max"])
@pytest.mark.parametrize("name", NAMES)
def test_closed_form_grad_cam_equals_that_by_hooks(name: str, pooling: str) -> None:
    model = built(name, pooling)
    maps = grad_cam_all(model, inputs()).maps
    for target in range(3):
        hooked = coarse_grad_cam(model, inputs(), target)
        assert torch.allclose(maps[:, target], hooked, rtol=1e-3, atol=1e-5 * float(hooked.abs().max()))


def test_contributions_sum_to_the_difference_of_logits(model: SheetClassifier) -> None:
    """DeepLIFT's completeness; float32 cancels to about a thousandth of what is summed."""
    images, reference = inputs(2), to_input(torch.zeros(1, *SIZE, dtype=torch.uint8))
    maps = deep_lift(model, images, 1, baselines=reference).double()
    exact = model.double()
    with torch.no_grad():
        rise = exact(images.double())[:, 1] - exact(reference.double())[:, 1]
    assert ((maps.sum((1, 2)) - rise).abs() <= 1e-3 * maps.abs().sum((1, 2))).all()


def test_fast_features_are_the_features(model: SheetClassifier) -> None:
    gray = torch.from_numpy(sheets())
    with torch.no_grad():
        assert torch.equal(fast_features(model.features, gray), model.features(to_input(gray)))


def test_every_unit_is_read_and_surveyed(model: SheetClassifier) -> None:
    layers = standard_layers(model)
    assert len(layers) > 5
    found = read_layers(model, sheets(), layers)
    assert set(found) == {"input", *layers}
    surveyed = survey(model, sheets(), surveyed_layers(model))
    assert all(np.isfinite(each.maxima).all() for each in surveyed.values())
    assert "head" in surveyed


def test_the_parts_in_order_equal_the_network(model: SheetClassifier) -> None:
    if model.name == "two_scales":  # its two networks do not run one after the other
        with pytest.raises(BadInput, match="expected features as one sequence"):
            list_parts(model)
        return
    parts = list_parts(model)
    assert sorted(key for part in parts for key in part.keys) == sorted(model.state_dict())
    with torch.inference_mode():
        output = enter(model, inputs())
        for stage in chain_of(model):
            before = output.clone()
            output, given = stage(output), output
            assert torch.equal(given, before), "a stage modified its input"
        assert torch.equal(leave(model, output), model(inputs()))


def test_the_summary_counts_every_weight(model: SheetClassifier) -> None:
    rows = summarise(model, *SIZE)
    own = sum(parameter.numel() for parameter in model.parameters())
    assert 0.98 * own <= sum(row.parameters for row in rows) <= own  # layer scales belong to no layer


def test_the_graph_takes_gray_bytes_and_passes_the_checks_of_a_bundle(model: SheetClassifier) -> None:
    graph = check_graph(build_graph(model).SerializeToString(), model.name)
    assert graph.inputs[0].shape == (None, *SIZE)
    assert {port.name for port in graph.outputs} >= {"logits", "maps", "embedding"}
