"""Activation maximisation: a known filter is recovered, neurons are independent of each other."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from steelsight.errors import BadInput, BadRecipe, UnknownLayer
from steelsight.inspection.neurons.maximise import maximise, to_bytes
from steelsight.inspection.neurons.priors import GRAY_STD, gray_range, to_channels
from steelsight.inspection.neurons.settings import GROWN, PLAIN, Ascent, Neuron
from steelsight.inspection.neurons.truncated import run_to
from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model
from steelsight.models.inputs import IMAGENET_STD, to_input

SIZE = (24, 32)
KERNEL = 7


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def filters(count: int = 3, *, bias: float = 0.0) -> nn.Sequential:
    """One convolution with random filters, a ReLU, and a layer that must not run."""
    net = nn.Sequential(nn.Conv2d(3, count, KERNEL), nn.ReLU(inplace=True), _Trap())
    with torch.no_grad():
        net[0].weight.copy_(torch.randn(net[0].weight.shape, generator=seeded(1)))
        net[0].bias.fill_(bias)
    return net


class _Trap(nn.Module):
    def forward(self, _images: Tensor) -> Tensor:
        raise AssertionError("a layer behind the named one ran")


def small(name: str = "adhoc") -> SheetClassifier:
    return build_model(ModelSpec(name=name, outputs=3, height=48, width=64))


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    a, b = first.ravel().astype(float), second.ravel().astype(float)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("layer", ["0", "1"])
@pytest.mark.parametrize("colour", [False, True])
def test_a_known_filter_is_recovered(layer: str, colour: bool) -> None:
    net = filters()
    neurons = [Neuron(layer, channel, (5, 9)) for channel in range(3)]
    found = maximise(net, neurons, replace(PLAIN, colour=colour), generator=seeded(), size=SIZE)
    for channel in range(3):
        weight = net[0].weight[channel].detach().numpy()
        if not colour:  # one gray moves all three channels, each by its own deviation
            weight = (weight / np.array(IMAGENET_STD)[:, None, None]).sum(0, keepdims=True)
        seen = found.images[channel][:, 5 : 5 + KERNEL, 9 : 9 + KERNEL]
        assert cosine(seen, weight) >= 0.99


def test_with_clipping_the_best_image_is_black_and_white() -> None:
    """Of a linear neuron over a box the maximum lies in the corner its weights point to."""
    net = filters()
    ascent = replace(PLAIN, clip=True)
    found = maximise(net, [Neuron("0", 1, (5, 9))], ascent, generator=seeded(), size=SIZE)
    low, high = (float(edge) for edge in gray_range(1))
    assert found.images.min() >= low - 1e-6
    assert found.images.max() <= high + 1e-6
    weight = (net[0].weight[1].detach().numpy() / np.array(IMAGENET_STD)[:, None, None]).sum(0)
    seen = found.images[0, 0, 5 : 5 + KERNEL, 9 : 9 + KERNEL]
    sure = np.abs(weight) > 0.2 * np.abs(weight).max()
    assert np.allclose(seen[sure], np.where(weight > 0, high, low)[sure], atol=1e-5)


def test_contrast_is_bounded_over_the_receptive_field() -> None:
    net = filters()
    neurons = [Neuron("0", 0, (5, 9)), Neuron("0", 1)]
    ascent = replace(PLAIN, contrast=1.5, noise=0.0, steps=64)
    found = maximise(net, neurons, ascent, generator=seeded(), size=SIZE)
    energy = (found.images.astype(float) ** 2).sum((1, 2, 3))
    assert math.sqrt(energy[0] / KERNEL**2) == pytest.approx(1.5, rel=1e-4)
    assert math.sqrt(energy[1] / (SIZE[0] * SIZE[1])) == pytest.approx(1.5, rel=1e-4)


@pytest.mark.parametrize("layer", ["features.1", "features.10", "head.relu1", "head"])
def test_the_image_has_a_higher_response_than_any_sheet(layer: str, rng: np.random.Generator) -> None:
    model = small()
    sheets = rng.integers(0, 256, (40, 48, 64), dtype=np.uint8)
    with run_to(model, layer) as run, torch.no_grad():
        output = run(to_input(torch.from_numpy(sheets)))
    answers = output.flatten(2).mean(2) if output.ndim == 4 else output
    channels = answers.amax(0).argsort(descending=True)[:3].tolist()
    found = maximise(
        model,
        [Neuron(layer, channel) for channel in channels],
        replace(PLAIN, clip=True, steps=60),
        generator=seeded(),
    )
    assert (found.values > answers.amax(0).numpy()[channels]).all()
    assert (found.values > found.starts).all()


def test_values_equal_the_models_responses_to_the_images() -> None:
    model = small("squeezenet_reduced").eval()
    neurons = [Neuron("features.4", 3), Neuron("features.1", 5, (2, 3)), Neuron("features.4", 9)]
    found = maximise(model, neurons, replace(PLAIN, steps=5), generator=seeded())
    with torch.no_grad():
        inputs = to_channels(torch.from_numpy(found.images))
        said = [
            model.features[:5](inputs[:1])[0, 3].mean(),
            model.features[:2](inputs[1:2])[0, 5, 2, 3],
            model.features[:5](inputs[2:])[0, 9].mean(),
        ]
    assert found.values == pytest.approx([float(value) for value in said], rel=1e-4)
    assert found.neurons == tuple(neurons)


def test_a_neurons_image_does_not_depend_on_its_batch() -> None:
    model = small()
    neurons = [Neuron("features.4", channel) for channel in range(5)]
    ascent = replace(PLAIN, steps=12, jitter=2, variation=0.1, chunk=2)
    together = maximise(model, neurons, ascent, generator=seeded())
    alone = maximise(model, neurons[3:4], ascent, generator=seeded())
    assert np.allclose(together.images[3], alone.images[0], atol=1e-4)
    again = maximise(model, neurons, ascent, generator=seeded())
    assert np.array_equal(together.images, again.images)


@pytest.mark.parametrize("broken", [False, True])
def test_the_model_is_left_as_found(broken: bool) -> None:
    model = small("squeezenet_reduced").train()
    model.features[3].eval()
    next(model.parameters()).requires_grad_(False)
    modes = [module.training for module in model.modules()]
    frozen = [parameter.requires_grad for parameter in model.parameters()]
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    neurons = [Neuron("features.4", 999 if broken else 0)]
    if broken:
        with pytest.raises(BadInput, match=r"neuron .*999.* channels, 0 to .*got 999"):
            maximise(model, neurons, replace(PLAIN, steps=2), generator=seeded())
    else:
        maximise(model, neurons, replace(PLAIN, steps=2), generator=seeded())
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == frozen
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


def test_an_inactive_neuron_is_optimised() -> None:
    """Behind a shut ReLU there is no gradient; the leak finds the way."""
    net = filters(bias=-8.0)
    found = maximise(net, [Neuron("1", 0)], replace(PLAIN, steps=60), generator=seeded(), size=SIZE)
    assert found.starts[0] == 0
    assert found.values[0] > 0


def test_a_dead_neuron_stays_at_zero_and_its_image_is_finite() -> None:
    net = filters(bias=-1e6)
    found = maximise(net, [Neuron("1", 0)], replace(PLAIN, steps=8), generator=seeded(), size=SIZE)
    assert found.values[0] == 0
    assert np.isfinite(found.images).all()


def test_the_leak_does_not_change_outputs() -> None:
    model = small("squeezenet_reduced")
    images = torch.randn(2, 3, 48, 64, generator=seeded())
    with run_to(model, "features.6") as run:
        plain = run(images)
        run.leaking = torch.tensor([True, False])
        leaf = images.clone().requires_grad_()
        leaky = run(leaf)
        gradient = torch.autograd.grad(leaky.sum(), leaf)[0]
        run.leaking = None
        other = images.clone().requires_grad_()
        expected = torch.autograd.grad(run(other).sum(), other)[0]
    assert torch.allclose(plain, leaky, atol=1e-5)
    assert torch.allclose(gradient[1], expected[1], atol=1e-5), "only the image that asked has a leak"
    assert not torch.allclose(gradient[0], expected[0], atol=1e-3)


def test_the_second_form_has_the_studys_sizes() -> None:
    assert GROWN.sizes((64, 400)) == [(64, 64), (90, 90), (125, 125), (176, 176), (246, 246)]
    assert (GROWN.steps, GROWN.every, GROWN.grow) == (250, 50, 1.4)
    assert (min(GROWN.kernels), max(GROWN.kernels)) == (3, 10)
    ascent = replace(GROWN, steps=6, every=2, kernels=(3, 8))
    model = small()
    found = maximise(model, [Neuron("features.4", c) for c in range(3)], ascent, generator=seeded())
    assert [stage.shape for stage in found.stages] == [(3, 1, n, n) for n in (64, 90, 125)]
    assert found.images.shape == (3, 1, 125, 125)
    assert set(found.kernels) <= {3, 8}


def test_the_largest_acceptable_kernel_is_used() -> None:
    model = small()
    neurons = [Neuron("features.4", channel) for channel in range(4)]
    base = replace(GROWN, steps=6, every=2)
    each = {k: maximise(model, neurons, replace(base, kernels=(k,)), generator=seeded()) for k in (3, 5, 10)}
    chosen = maximise(model, neurons, replace(base, kernels=(10, 3, 5)), generator=seeded())
    for row in range(4):
        values = {k: each[k].values[row] for k in each}
        best = max(values.values())
        good = max(k for k, value in values.items() if value >= best - 0.5 * abs(best))
        assert chosen.kernels[row] == good
        assert chosen.values[row] == pytest.approx(values[good], rel=1e-4)


def test_the_ascent_starts_from_a_real_sheet(rng: np.random.Generator) -> None:
    model = small()
    sheets = rng.integers(0, 256, (2, 48, 64), dtype=np.uint8)
    neurons = [Neuron("features.1", 0), Neuron("features.1", 0)]
    ascent = replace(PLAIN, steps=1, rate=1e-6, contrast=None)
    found = maximise(model, neurons, ascent, generator=seeded(), start=sheets)
    assert np.abs(found.shown(1)[..., 0].astype(int) - sheets[1]).max() <= 1
    with run_to(model, "features.1") as run, torch.no_grad():
        said = run(to_input(torch.from_numpy(sheets)))[:, 0].mean((1, 2))
    assert found.starts == pytest.approx(said.numpy(), rel=1e-3)
    with pytest.raises(BadInput, match="start: expected 1 sheet or 3, one a neuron, got 2"):
        maximise(model, [*neurons, neurons[0]], ascent, generator=seeded(), start=sheets)


@pytest.mark.parametrize(
    "prior", [{"jitter": 3}, {"variation": 0.2}, {"fourier": 0.5}, {"colour": True}, {"precision": "bf16"}]
)
def test_the_response_rises_under_each_regulariser(prior: dict) -> None:
    found = maximise(
        small(),
        [Neuron("features.4", 1)],
        replace(PLAIN, steps=20, clip=True, **prior),
        generator=seeded(),
    )
    assert found.values[0] > found.starts[0]
    assert found.images.shape[1] == (3 if prior.get("colour") else 1)


def test_gray_images_equal_the_input_of_gray_sheets(rng: np.random.Generator) -> None:
    sheet = rng.integers(0, 256, (1, 8, 9), dtype=np.uint8)
    mean = np.float32((0.485 + 0.456 + 0.406) / 3)
    gray = torch.from_numpy((sheet[:, None] / np.float32(255) - mean) / np.float32(GRAY_STD))
    assert torch.allclose(to_channels(gray), to_input(torch.from_numpy(sheet)), atol=1e-5)


def test_bytes_are_stretched_only_where_values_pass_black_or_white() -> None:
    low, high = (float(edge) for edge in gray_range(1))
    image = np.array([[[low, 0.0, high]]], dtype=np.float32)
    assert to_bytes(image)[0, :, 0].tolist() == [0, 114, 255]
    doubled = to_bytes(2 * image)
    assert doubled[0, :, 0].tolist() == [0, 114, 255]


@pytest.mark.parametrize(
    ("neuron", "error", "message"),
    [
        (Neuron("features.99", 0), UnknownLayer, "layer 'features.99': .* has none of that name; it has"),
        (Neuron("features.1", 32), BadInput, "neuron features.1:32: the layer has 32 channels, 0 to 31"),
        (Neuron("features.1", -1), BadInput, "the layer has 32 channels, 0 to 31, got -1"),
        (Neuron("features.1", 0, (46, 0)), BadInput, "the layer has 46 rows and 62 columns, .* got 46,0"),
        (Neuron("head.linear3", 0, (0, 1)), BadInput, "the layer has 1 rows and 1 columns"),
        (Neuron("head.dropout1", 300), BadInput, "the layer has 256 channels"),
    ],
)
def test_neurons_that_do_not_exist_are_refused(neuron: Neuron, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        maximise(small(), [neuron], replace(PLAIN, steps=1), generator=seeded())


def test_images_the_model_cannot_take_are_refused() -> None:
    model = small()
    with pytest.raises(BadInput, match="its linear layer is made for 48x64 images, got 64x64"):
        maximise(model, [Neuron("head", 0)], GROWN, generator=seeded())
    with pytest.raises(BadInput, match="expected images of at least 46x46, got 20x64"):
        maximise(model, [Neuron("features.1", 0)], PLAIN, generator=seeded(), size=(20, 64))
    with pytest.raises(BadInput, match="size: expected height and width for a model that does not state"):
        maximise(filters(), [Neuron("1", 0)], PLAIN, generator=seeded())
    with pytest.raises(BadInput, match="neurons: expected at least one, got none"):
        maximise(model, [], PLAIN, generator=seeded())
    cut = build_model(ModelSpec(name="adhoc", outputs=2, height=48, width=120, patches=2))
    with pytest.raises(BadInput, match="expected a model that sees whole sheets"):
        maximise(cut, [Neuron("features.1", 0)], PLAIN, generator=seeded())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps: expected at least 1, got 0"),
        ({"rate": 0.0}, "rate: expected a number above 0, got 0.0"),
        ({"rate": math.nan}, "rate: expected a number above 0, got nan"),
        ({"contrast": 0.0}, "contrast: expected above 0"),
        ({"variation": -1.0}, "variation: expected 0 or more, got -1.0"),
        ({"jitter": -1}, "jitter: expected at least 0, got -1"),
        ({"grow": 0.5}, "grow: expected a factor from 1 to 4, got 0.5"),
        ({"kernels": (3, 0)}, r"kernels: expected sides of at least 1, got \[3, 0\]"),
        ({"precision": "int8"}, "precision: expected fp32 or bf16, got 'int8'"),
        ({"start": (64, 64), "grow": 2.0, "every": 10}, "grow: the image would end .* more than 1024"),
    ],
)
def test_unknown_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(BadRecipe, match=message):
        Ascent(**settings)
