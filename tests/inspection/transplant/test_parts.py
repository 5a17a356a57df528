"""Parts: together they equal the network bit for bit, and every weight belongs to exactly one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from steelsight.errors import BadInput
from steelsight.inspection.transplant.parts import chain_of, enter, fit_parts, leave, list_parts
from steelsight.models.catalog import MODELS, SheetClassifier
from steelsight.models.heads import DirectHead, Pooling
from steelsight.models.inputs import to_input

VARIANTS = [
    *[(name, {"head": head}) for name in MODELS for head in ("study", "direct")],
    ("squeezenet_reduced", {"head": "direct", "pooling": "average+max"}),
    ("squeezenet_reduced", {"head": "direct", "pooling": "lse"}),
    ("adhoc", {"head": "direct", "width": 100, "patches": 2}),
]


@pytest.mark.parametrize(("name", "spec"), VARIANTS)
def test_the_parts_in_order_equal_the_network(build, name, spec, sheets) -> None:
    model = build(name, **spec)
    images = to_input(torch.randint(0, 256, (3, 48, spec.get("width", 64)), dtype=torch.uint8))
    with torch.inference_mode():
        output = enter(model, images)
        for stage in chain_of(model):
            before = output.clone()
            output, given = stage(output), output
            assert torch.equal(given, before), "a stage modified its input"
        assert torch.equal(leave(model, output), model(images))


@pytest.mark.parametrize(("name", "spec"), VARIANTS)
def test_every_number_belongs_to_one_part(build, name, spec) -> None:
    model = build(name, **spec)
    parts = list_parts(model)
    keys = [key for part in parts for key in part.keys]
    assert sorted(keys) == sorted(model.state_dict())
    assert len(keys) == len(set(keys))
    learnt = [key for part in parts for key in part.learnt]
    assert sorted(learnt) == sorted(name for name, _ in model.named_parameters())
    areas = [part.area for part in parts]
    assert areas == sorted(areas, reverse=True), "features come before the classifier"
    assert len({part.name for part in parts}) == len(parts)
    assert len(chain_of(model)) == len(parts)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("squeezenet_reduced", "conv 1, fire 1, fire 2, fire 3, fire 4, fire 5, head conv, head linear"),
        ("adhoc", "conv 1, conv 2, conv 3, conv 4, head linear1, head linear2, head linear3"),
    ],
)
def test_neurons_are_named_by_layer_channel_and_place(build, name, names) -> None:
    assert ", ".join(part.name for part in list_parts(build(name))) == names


def test_batch_normalisation_belongs_to_its_convolution(build) -> None:
    first = list_parts(build("vgg16_bn"))[0]
    ends = [key.rsplit(".", 1)[-1] for key in first.keys]
    assert ends == ["weight", "bias", "weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert len(first.learnt) == 4
    assert len(list_parts(build("vgg16_bn"))) == 16


def test_a_last_layer_of_other_classes_is_left_out_with_a_reason(build) -> None:
    fitting = fit_parts(build(outputs=5), build(outputs=2))
    assert fitting.taken == (0, 1, 2, 3, 4, 5)
    assert fitting.left_out == {
        "head linear3": "head.linear3.weight is 5x32 here and 2x32 in the donor",
    }
    assert fit_parts(build(outputs=5), build(outputs=5, seed=9)).left_out == {}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"name": "squeezenet"}, "got adhoc with a LinearHead and squeezenet with a ConvHead"),
        ({"head": "direct"}, "got adhoc with a LinearHead and adhoc with a DirectHead"),
    ],
)
def test_another_architecture_is_refused(build, other, message) -> None:
    with pytest.raises(BadInput, match=f"expected two models of one architecture, {message}; train"):
        fit_parts(build(), build(**other))


def test_full_and_reduced_networks_do_not_fit(build) -> None:
    with pytest.raises(BadInput, match="got squeezenet with a ConvHead and squeezenet_reduced"):
        fit_parts(build("squeezenet"), build("squeezenet_reduced"))


def _own(features: nn.Module, channels: int) -> SheetClassifier:
    head = DirectHead(channels, 2 + channels, 0.0, Pooling("average"))
    return SheetClassifier(features, head, name="mine", size=(48, 64), smallest=3)


def test_models_without_a_common_part_are_refused() -> None:
    small, large = (_own(nn.Sequential(nn.Conv2d(3, count, 3), nn.ReLU()), count) for count in (4, 5))
    with pytest.raises(BadInput, match=r"no part of the donor fits: features\.0\.weight is 4x3x3x3 here"):
        fit_parts(small, large)


def test_features_that_are_no_sequence_are_refused() -> None:
    with pytest.raises(BadInput, match="model mine: expected features as one sequence, got Conv2d"):
        list_parts(_own(nn.Conv2d(3, 4, 3), 4))
    with pytest.raises(BadInput, match=r"expected a layer with weights first, got features\.0"):
        list_parts(_own(nn.Sequential(nn.ReLU(), nn.Conv2d(3, 4, 3)), 4))
