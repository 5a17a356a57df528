"""The summary against torch's own counters and the figures of the design."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from steelsight.errors import BadInput
from steelsight.models.catalog import MODELS, ModelSpec, build_model
from steelsight.models.summary import summarise


@pytest.mark.parametrize(("head", "megamacs"), [("study", 113.1), ("direct", 85.6)])
def test_cost_of_the_reduced_squeezenet(head: str, megamacs: float) -> None:
    model = build_model(ModelSpec(name="squeezenet_reduced", head=head, outputs=5))
    assert sum(row.macs for row in summarise(model, 64, 400)) / 1e6 == pytest.approx(megamacs, abs=0.05)


@pytest.mark.parametrize("head", ["study", "direct"])
@pytest.mark.parametrize("name", MODELS)
def test_counts_agree_with_torch(name: str, head: str) -> None:
    model = build_model(ModelSpec(name=name, head=head, outputs=3, height=64, width=96)).eval()
    rows = summarise(model, 64, 96)
    assert sum(row.parameters for row in rows) == sum(p.numel() for p in model.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, 64, 96))
    assert 2 * sum(row.macs for row in rows) == counter.get_total_flops()  # a multiply and an add each


def test_pooled_features_are_a_row_of_their_own() -> None:
    spec = ModelSpec(name="squeezenet_reduced", head="direct", pooling="average+max", outputs=6)
    rows = {row.name: row for row in summarise(build_model(spec), 64, 400)}
    assert rows["head.pooling"].output_shape == (768, 1, 1)
    assert (rows["head.conv"].macs, rows["head.conv"].parameters) == (768 * 6, 768 * 6 + 6)


def test_study_figures_of_the_adhoc_network() -> None:
    rows = {row.name: row for row in summarise(build_model(ModelSpec(name="adhoc", outputs=2)), 64, 400)}
    assert rows["features.11"].output_shape == (32, 2, 23)
    assert rows["head.flatten"].output_shape == (1472,)
    assert rows["head.linear1"].parameters == 1472 * 256 + 256


def test_fire_modules_in_one_row() -> None:
    model = build_model(ModelSpec(name="squeezenet_reduced", outputs=2))
    rows, whole = summarise(model, 64, 400), summarise(model, 64, 400, whole_fires=True)
    assert [row.output_shape for row in whole if row.kind == "Fire"] == [
        (128, 15, 99),
        (128, 15, 99),
        (256, 7, 49),
        (256, 7, 49),
        (384, 3, 24),
    ]
    assert sum(row.macs for row in whole) == sum(row.macs for row in rows)
    assert sum(row.parameters for row in whole) == sum(row.parameters for row in rows)
    assert [row.name for row in whole][:4] == ["features.0", "features.1", "features.2", "features.3"]


def test_the_model_is_not_changed() -> None:
    model = build_model(ModelSpec(name="adhoc", outputs=2)).train()
    summarise(model, 64, 400)
    assert all(module.training and not module._forward_hooks for module in model.modules())
    assert all(parameter.device.type == "cpu" for parameter in model.parameters())


def test_refuses_a_size_the_network_cannot_take() -> None:
    with pytest.raises(BadInput, match="at least 17x17, got 16x400"):
        summarise(build_model(ModelSpec(name="squeezenet", outputs=2)), 16, 400)
