"""Capture: what layers say, what reaches them backward, and the model as it was."""

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from steelsight.errors import BadInput, UnknownLayer
from steelsight.models.capture import capture
from steelsight.models.catalog import MODELS, ModelSpec, SheetClassifier, build_model


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def build(name: str = "squeezenet_reduced") -> SheetClassifier:
    return build_model(ModelSpec(name=name, outputs=3, height=64, width=96))


def plain_twin(model: nn.Module) -> nn.Module:
    """The same network without in-place layers, whose intermediate values nothing can overwrite."""
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return model


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_agrees_with_a_network_without_inplace_layers(name: str, images: Tensor) -> None:
    layers = [layer for layer, module in build(name).named_modules() if not list(module.children())]
    with capture(build(name), layers) as tape:
        model = build(name).eval()
        assert not tape.activations, "nothing ran yet"
    model = build(name)
    with capture(model, layers) as tape:
        model(images)[:, 1].sum().backward()
    twin = plain_twin(build(name)).eval()
    outputs: dict[str, Tensor] = {}
    for layer in layers:

        def keep(_module: nn.Module, _inputs: object, output: Tensor, layer: str = layer) -> None:
            outputs[layer] = output

        twin.get_submodule(layer).register_forward_hook(keep)
    logits = twin(images)
    expected = torch.autograd.grad(logits[:, 1].sum(), list(outputs.values()))
    assert list(tape.activations) == list(outputs)
    for (layer, output), gradient in zip(outputs.items(), expected, strict=True):
        assert torch.allclose(tape.activations[layer], output, atol=1e-5), layer
        assert torch.allclose(tape.gradients[layer], gradient, atol=1e-5), layer


def test_the_graph_reaches_the_image_if_it_requires_gradients(images: Tensor) -> None:
    """Activation maximisation follows one layer's value back to the pixels."""
    model = build()
    images.requires_grad_()
    with capture(model, ["features.6"]) as tape:
        model(images)
        tape.activations["features.6"].mean().backward()
    (expected,) = torch.autograd.grad(model.eval().features[:7](images).mean(), images)
    assert torch.allclose(images.grad, expected, atol=1e-7)
    assert expected.abs().sum() > 0


def test_parameters_collect_no_gradient(images: Tensor) -> None:
    model = build()
    with capture(model, ["features.3"]) as tape:
        model(images).sum().backward()
    assert tape.gradients["features.3"].shape == tape.activations["features.3"].shape
    assert all(parameter.grad is None for parameter in model.parameters())


def test_without_gradients_follows_the_callers_mode(images: Tensor) -> None:
    model = build()
    with torch.no_grad(), capture(model, ["features", "head.conv"], gradients=False) as tape:
        logits = model(images)
    assert not tape.activations["features"].requires_grad
    assert tape.gradients == {}
    assert torch.equal(logits, model.eval()(images))


def test_second_pass_overwrites_the_first(images: Tensor) -> None:
    model = build()
    with capture(model, ["features"], gradients=False) as tape:
        model(images)
        model(images[:1])
    assert len(tape.activations["features"]) == 1


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_restored(name: str, fails: bool, images: Tensor) -> None:
    model = build(name).train()
    model.features.eval()
    model.features[0].train()
    model.features[0].weight.requires_grad_(False)
    modes = [module.training for module in model.modules()]
    frozen = [parameter.requires_grad for parameter in model.parameters()]
    state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    random_state = torch.get_rng_state()
    given = images[:, :1] if fails else images
    refusal = pytest.raises(BadInput, match="expected images of shape")
    with refusal if fails else nullcontext(), capture(model, ["features", "head"]):
        assert not any(module.training for module in model.modules())
        model(given).sum().backward()
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == frozen
    assert all(torch.equal(tensor, state[key]) for key, tensor in model.state_dict().items())
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())
    assert torch.equal(torch.get_rng_state(), random_state)


@pytest.mark.parametrize("layer", ["nope", "features.99", ""])
def test_unknown_layer_lists_the_names(layer: str) -> None:
    model = build()
    with (
        pytest.raises(
            UnknownLayer, match=r"has none of that name; it has features, features\.0, .*head\.linear"
        ),
        capture(model, ["features", layer]),
    ):
        pass
    assert not any(module._forward_hooks for module in model.modules())


def test_gradients_inside_no_grad_are_refused(images: Tensor) -> None:
    model = build()
    refused = pytest.raises(BadInput, match=r"gradients asked for inside torch\.no_grad")
    with torch.no_grad(), refused, capture(model, ["features"]):
        model(images)


def test_layer_that_gives_no_tensor_is_refused(images: Tensor) -> None:
    class Pair(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, x

    model = nn.Sequential(Pair())
    with pytest.raises(BadInput, match="expected a tensor as output, got tuple"), capture(model, ["0"]):
        model(images)
