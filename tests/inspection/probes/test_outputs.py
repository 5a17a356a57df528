"""Reading layers: equal to a pass over the raw outputs for every layer of every network; no hooks left."""

import numpy as np
import pytest
import torch
from torch import nn

from steelsight.errors import BadInput, UnknownLayer
from steelsight.inspection.probes.layers import INPUT, choose_layers, kind_of, standard_layers
from steelsight.inspection.probes.outputs import (
    MOST_POOLED,
    PROJECTED,
    pooled_grid,
    read_layers,
)
from steelsight.inspection.probes.projection import draw_sketch
from steelsight.models.capture import capture, watch
from steelsight.models.catalog import MODELS, ModelSpec, SheetClassifier, build_model
from steelsight.models.inputs import to_input


def build(name: str = "squeezenet_reduced", **changes: object) -> SheetClassifier:
    return build_model(ModelSpec(name=name, outputs=3, height=64, width=96, **changes))


@pytest.fixture
def images(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (5, 64, 96), dtype=np.uint8)


@pytest.mark.parametrize("name", MODELS)
def test_both_inputs_equal_those_of_the_raw_outputs(name: str, images: np.ndarray) -> None:
    model = build(name)
    layers = standard_layers(model)
    found = read_layers(model, images, layers, seed=3)
    assert list(found) == [INPUT, *layers]
    with torch.no_grad(), capture(model, layers, gradients=False) as tape:
        model(to_input(torch.from_numpy(images)))
    for layer in layers:
        raw = tape.activations[layer]
        output = found[layer]
        assert output.shape == tuple(raw.shape[1:])
        assert output.pooled.shape[1] <= MOST_POOLED
        pooled = raw
        if raw.ndim == 4:
            pooled = nn.functional.adaptive_avg_pool2d(raw, pooled_grid(*raw.shape[1:]))
        scale = float(raw.abs().max())  # tolerance: float32 sums in another order
        assert np.allclose(output.pooled, pooled.flatten(1), atol=1e-5 * scale), layer
        flat = (raw.permute(0, 2, 3, 1) if raw.ndim == 4 else raw).flatten(1)
        if flat.shape[1] > PROJECTED:
            flat = draw_sketch(flat.shape[1], PROJECTED, seed=3).project(flat)
        assert output.projected.shape == (5, flat.shape[1])
        assert np.allclose(output.projected, flat, atol=1e-4 * scale), layer


def test_the_sheet_itself_comes_first(images: np.ndarray) -> None:
    output = read_layers(build(), images, ["features.0"])[INPUT]
    assert output.shape == (1, 64, 96)
    grid = pooled_grid(1, 64, 96)
    pooled = nn.functional.adaptive_avg_pool2d(torch.from_numpy(images)[:, None].float(), grid)
    assert np.allclose(output.pooled, pooled.flatten(1), atol=1e-3)


def test_batch_size_does_not_change_outputs(images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build()
    layers = ("features.3", "head.linear")
    whole = read_layers(model, images, layers)
    monkeypatch.setattr("steelsight.inspection.probes.outputs.LARGEST_BATCH", 2)
    done: list[int] = []
    parts = read_layers(model, images, layers, say=done.append)
    assert done == [2, 4, 5]
    for layer in layers:
        assert np.allclose(whole[layer].pooled, parts[layer].pooled, atol=1e-5)
        assert np.allclose(whole[layer].projected, parts[layer].projected, atol=1e-4)


def test_a_large_layer_shrinks_the_batch(images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steelsight.inspection.probes.outputs.BATCH_BYTES", 1)
    done: list[int] = []
    read_layers(build(), images, ["features.0"], say=done.append)
    assert done == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", MODELS)
def test_model_is_left_as_found(name: str, images: np.ndarray) -> None:
    model = build(name).train()
    model.features[0].weight.requires_grad_(False)
    modes = [module.training for module in model.modules()]
    frozen = [parameter.requires_grad for parameter in model.parameters()]
    state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    drawn = torch.get_rng_state()
    read_layers(model, images, standard_layers(model))
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == frozen
    assert all(torch.equal(tensor, state[key]) for key, tensor in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
    assert torch.equal(torch.get_rng_state(), drawn)


def test_hooks_are_gone_after_an_error() -> None:
    model = build()

    def fail(name: str, output: torch.Tensor) -> None:
        raise RuntimeError(name)

    with pytest.raises(RuntimeError, match=r"features\.0"), watch(model, ["features.0"], fail):
        model(torch.zeros(1, 3, 64, 96))
    assert not any(module._forward_hooks for module in model.modules())
    assert model.training


@pytest.mark.parametrize("changes", [{}, {"head": "direct"}, {"head": "direct", "pooling": "average+max"}])
@pytest.mark.parametrize("name", MODELS)
def test_standard_layers_run_in_the_order_of_the_signal(
    name: str, changes: dict[str, str], images: np.ndarray
) -> None:
    model = build(name, **changes)
    seen: list[str] = []
    with torch.no_grad(), watch(model, standard_layers(model), lambda layer, _: seen.append(layer)):
        model(to_input(torch.from_numpy(images[:1])))
    assert tuple(seen) == standard_layers(model)
    with torch.no_grad(), capture(model, [seen[-1]], gradients=False) as tape:
        logits = model(to_input(torch.from_numpy(images[:1])))
    assert torch.equal(tape.activations[seen[-1]].flatten(1), logits)


def test_named_layers_come_in_the_networks_order() -> None:
    model = build()
    assert choose_layers(
        model, ["head.conv", "features.3", "features", "features.3.squeeze", "features.0"]
    ) == (
        "features.0",
        "features.3.squeeze",
        "features.3",
        "features",
        "head.conv",
    )
    assert choose_layers(model) == standard_layers(model)
    assert [kind_of(model, layer) for layer in (INPUT, "features.0", "features.3")] == [
        "sheet",
        "conv",
        "Fire",
    ]


def test_an_unknown_layer_is_refused_with_the_names() -> None:
    with pytest.raises(UnknownLayer, match=r"layer 'features\.77'.*it has features, features\.0"):
        choose_layers(build(), ["features.0", "features.77"])
    with pytest.raises(BadInput, match="expected names joined by commas, got none"):
        choose_layers(build(), [])


def test_a_network_with_non_finite_outputs_is_refused(images: np.ndarray) -> None:
    model = build()
    with torch.no_grad():
        model.features[3].squeeze.weight.fill_(float("nan"))
    with pytest.raises(BadInput, match=r"layer 'features\.3': expected finite outputs, got NaN or infinity"):
        read_layers(model, images, ["features.0", "features.3"])


def test_missing_sheets_and_patches_are_refused(images: np.ndarray) -> None:
    with pytest.raises(BadInput, match="expected at least one sheet, got none"):
        read_layers(build(), images[:0], ["features.0"])
    with pytest.raises(BadInput, match="expected a model that sees whole sheets"):
        read_layers(build(patches=2), images, ["features.0"])


@pytest.mark.parametrize(
    ("channels", "height", "width"), [(1, 64, 400), (64, 31, 199), (384, 3, 24), (1000, 3, 24), (4000, 3, 3)]
)
def test_pooled_grids_use_the_allowed_number_of_features(channels: int, height: int, width: int) -> None:
    rows, columns = pooled_grid(channels, height, width)
    assert 1 <= rows <= height
    assert 1 <= columns <= width
    assert channels * rows * columns <= max(MOST_POOLED, channels)
    assert (
        channels * rows * columns > 0.75 * min(MOST_POOLED, channels * height * width)
        or channels > MOST_POOLED
    )
