"""Responses to real sheets: values, places, crops, dead channels, classes, filter agreement."""

import numpy as np
import pytest
import torch
from torch import nn

from steelsight.errors import BadInput, UnknownLayer
from steelsight.inspection.neurons.nature import (
    filter_agreement,
    fine_share,
    image_correlation,
    rank_correlation,
)
from steelsight.inspection.neurons.survey import (
    class_responses,
    class_variance_share,
    cut_crops,
    survey,
    surveyed_layers,
)
from steelsight.inspection.neurons.truncated import run_to
from steelsight.models.catalog import MODELS, ModelSpec, SheetClassifier, build_model
from steelsight.models.inputs import to_input
from steelsight.types import GrayBatch

SIZE = (48, 64)


@pytest.fixture
def sheets() -> GrayBatch:
    return np.random.default_rng(0).integers(0, 256, (11, *SIZE), dtype=np.uint8)


def small(name: str = "adhoc") -> SheetClassifier:
    return build_model(ModelSpec(name=name, outputs=2, height=SIZE[0], width=SIZE[1]))


def test_one_pass_over_all_layers_equals_a_pass_for_each(sheets: GrayBatch) -> None:
    model = small("squeezenet_reduced").train()
    layers = ["features.0", *surveyed_layers(model)]
    found = survey(model, sheets, layers, batch=4)
    assert model.training
    for layer in layers:
        with run_to(model, layer) as run, torch.no_grad():
            output = run(to_input(torch.from_numpy(sheets)))
        flat = output.flatten(2) if output.ndim == 4 else output[..., None]
        assert found[layer].grid == (tuple(output.shape[2:]) or (1, 1))
        assert np.allclose(found[layer].means, flat.mean(2), atol=1e-4), layer
        assert np.allclose(found[layer].maxima, flat.amax(2), atol=1e-4), layer
        at_places = flat.gather(2, torch.from_numpy(found[layer].places)[..., None])[..., 0]
        assert np.allclose(found[layer].maxima, at_places, atol=1e-4), layer


@pytest.mark.parametrize("name", MODELS)
def test_surveyed_layers_exist_and_end_with_the_logits(name: str) -> None:
    model = build_model(ModelSpec(name=name, outputs=2, height=64, width=96))
    layers = surveyed_layers(model)
    assert layers[-1] == "head"
    assert set(layers) <= dict(model.named_modules()).keys()
    expected = {
        "adhoc": ["features.1", "features.4", "features.7", "features.10", "head.relu1", "head.relu2"],
        "squeezenet_reduced": [
            *(f"features.{n}" for n in (1, 3, 4, 6, 7, 9)),
            "head.relu",
        ],
    }
    assert layers[:-1] == expected.get(name, layers[:-1])


def test_dead_channels_are_those_not_above_zero(sheets: GrayBatch) -> None:
    model = small()
    with torch.no_grad():
        model.features[0].bias[[3, 17]] = -1e4
    found = survey(model, sheets, ["features.0", "features.1"])
    assert {3, 17} <= set(found["features.1"].dead.tolist())
    for layer in found.values():
        assert layer.dead.tolist() == [c for c in range(32) if layer.maxima[:, c].max() <= 0]


def test_crops_contain_the_receptive_field(sheets: GrayBatch) -> None:
    """Whatever is done to the sheet outside the crop, the neuron's answer at that place stays."""
    model = small("squeezenet_reduced")
    found = survey(model, sheets, ["features.3"])["features.3"]
    channel = int(np.setdiff1d(np.arange(128), found.dead)[0])
    crops = cut_crops(found, channel, sheets, count=5)
    assert len({crop.sheet for crop in crops}) == 5
    assert [crop.value for crop in crops] == sorted(found.maxima[:, channel], reverse=True)[:5]
    for crop in crops:
        top, left, bottom, right = crop.box
        assert np.array_equal(crop.gray, sheets[crop.sheet][top:bottom, left:right])
        other = np.random.default_rng(1).integers(0, 256, SIZE, dtype=np.uint8)
        other[top:bottom, left:right] = crop.gray
        with run_to(model, "features.3") as run, torch.no_grad():
            flat = run(to_input(torch.from_numpy(other[None]))).flatten(2)
        place = int(found.places[crop.sheet, channel])
        assert float(flat[0, channel, place]) == pytest.approx(crop.value, rel=1e-4)


def test_fewer_sheets_than_crops(sheets: GrayBatch) -> None:
    found = survey(small(), sheets[:2], ["features.1"])["features.1"]
    assert len(cut_crops(found, 0, sheets[:2])) == 2


def test_responses_are_class_means_with_intervals_over_groups() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, -1], 40)
    values = np.stack([labels + rng.normal(0, 0.1, 120), rng.normal(0, 1, 120)], axis=1).astype(np.float32)
    names = ("none", "crack", "never seen")
    responses = class_responses(values, labels, names, rng=np.random.default_rng(1))
    assert [list(each) for each in responses] == [["none", "crack"]] * 2
    for column in range(2):
        for index, name in enumerate(names[:2]):
            interval = responses[column][name]
            own = values[labels == index, column].astype(float)
            assert interval.estimate == pytest.approx(own.mean(), abs=1e-6)
            half = 1.96 * own.std() / np.sqrt(own.size)
            assert interval.high - interval.low == pytest.approx(2 * half, rel=0.25)
    groups = [f"tile {row // 20}" for row in range(120)]
    wider = class_responses(values, labels, names, groups, rng=np.random.default_rng(1))
    assert not np.isnan(wider[0]["none"].low)
    single = class_responses(values, labels, names, ["one"] * 120, rng=np.random.default_rng(1))
    assert np.isnan(single[0]["none"].low)
    alone = class_responses(values[39:80], labels[39:80], names, rng=np.random.default_rng(1))
    assert np.isnan(alone[0]["none"].low), "of one sheet nothing is known but its answer"
    assert not np.isnan(alone[0]["crack"].low)


def test_class_variance_share_is_the_variance_between_classes() -> None:
    labels = np.array([0, 0, 1, 1, -1])
    values = np.array([[0, 5, 0], [0, 5, 1], [3, 5, 0], [3, 5, 1], [99, 7, 9]], dtype=np.float32)
    assert class_variance_share(values, labels).tolist() == [1.0, 0.0, 0.0]


def test_missing_sheets_unknown_layers_and_layers_without_channels_are_refused(sheets: GrayBatch) -> None:
    model = small()
    with pytest.raises(BadInput, match="expected sheets to show the model, got none"):
        survey(model, sheets[:0], ["features.1"])
    with pytest.raises(UnknownLayer, match="layer 'conv9': SheetClassifier has none of that name"):
        survey(model, sheets, ["conv9"])
    model.features[1] = nn.Sequential(nn.ReLU())
    model.features[1].append(_Odd())
    with pytest.raises(
        BadInput, match=r"layer 'features.1.1': expected an output of shape .* got \(11, 32\)?"
    ):
        survey(model, sheets, ["features.1.1"])
    assert not any(module._forward_hooks for module in model.modules())


class _Odd(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(2)


def test_the_first_layer_is_one_filter_and_later_layers_are_not(sheets: GrayBatch) -> None:
    model = small()
    found = survey(model, sheets, ["features.1", "features.10"])
    first, last = (
        filter_agreement(model, found[layer], np.setdiff1d(range(32), found[layer].dead)[:6].tolist(), sheets)
        for layer in found
    )
    assert np.allclose(first, 1, atol=1e-5)
    assert (last < 0.9).all()


def test_a_dead_neuron_has_no_filter_agreement(sheets: GrayBatch) -> None:
    model = small()
    with torch.no_grad():
        model.features[0].bias[3] = -1e4
    found = survey(model, sheets, ["features.1"])["features.1"]
    assert np.isnan(filter_agreement(model, found, [3], sheets)).all()


def test_correlations_against_numpy(rng: np.random.Generator) -> None:
    first, second = (rng.normal(size=(3, 1, 8, 9)).astype(np.float32) for _ in range(2))
    found = image_correlation(first, second)
    for i in range(3):
        for j in range(3):
            expected = np.corrcoef(first[i].ravel(), second[j].ravel())[0, 1]
            assert found[i, j] == pytest.approx(expected, abs=1e-6)
    assert image_correlation(first, np.ones_like(first)).tolist() == [[0.0] * 3] * 3


def test_fine_waves_and_coarse_waves() -> None:
    x = np.arange(64, dtype=np.float32)
    waves = np.stack([np.broadcast_to(np.sin(2 * np.pi * x / length), (16, 64)) for length in (4, 32)])
    flat = np.zeros((1, 1, 16, 64), dtype=np.float32)
    shares = fine_share(np.concatenate([waves[:, None], flat]).astype(np.float32))
    assert shares[:2] == pytest.approx([1.0, 0.0], abs=1e-6)
    assert np.isnan(shares[2])


def test_rank_correlation_of_constants_is_undefined() -> None:
    assert np.isnan(rank_correlation(np.ones(4), np.arange(4.0)))
