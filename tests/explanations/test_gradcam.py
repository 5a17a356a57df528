"""Grad-CAM: closed form against hooks, hooks against Captum, and bad input."""

import itertools

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from steelsight.errors import BadInput, UnknownLayer
from steelsight.explanations.gradcam import class_maps, grad_cam, grad_cam_all, upsample
from steelsight.models.catalog import MODELS, ModelSpec, SheetClassifier, build_model
from steelsight.models.heads import DirectHead, Pooling
from steelsight.models.inputs import to_input

SIZE = (64, 96)
POOLINGS = ("average", "max", "lse", "top")
CASES = [(name, "study", "average") for name in MODELS] + [
    (name, "direct", pooling) for name, pooling in itertools.product(MODELS, (*POOLINGS, "average+max"))
]


def build(name: str, head: str, pooling: str, outputs: int = 3) -> SheetClassifier:
    spec = ModelSpec(name=name, head=head, pooling=pooling, outputs=outputs, height=SIZE[0], width=SIZE[1])
    return build_model(spec, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def images() -> Tensor:
    gray = torch.randint(0, 256, (3, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    return to_input(gray)


def relative_error(actual: Tensor, expected: Tensor) -> float:
    actual, expected = actual.detach(), expected.detach()
    return float((actual - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize(("name", "head", "pooling"), CASES)
def test_closed_form_agrees_with_hooks(name: str, head: str, pooling: str, images: Tensor) -> None:
    model = build(name, head, pooling)
    logits, maps = grad_cam_all(model, images)
    model.eval()
    assert torch.allclose(logits, model(images), rtol=1e-5, atol=1e-6)
    assert maps.shape[:2] == (3, 3)
    for target in range(3):
        assert relative_error(upsample(maps[:, target], SIZE), grad_cam(model, images, target)) < 1e-5


@pytest.mark.parametrize(("name", "head", "pooling"), CASES)
def test_closed_form_agrees_with_autograd_in_double(
    name: str, head: str, pooling: str, images: Tensor
) -> None:
    """In float64 only a wrong formula can differ: single precision cannot hide it."""
    model = build(name, head, pooling).double().eval()
    features = model.features(images.double()).detach().requires_grad_()
    logits, maps = class_maps(model.head, features)
    for target in range(3):
        (gradient,) = torch.autograd.grad(model.head(features)[:, target].sum(), features)
        expected = (gradient.mean((2, 3), keepdim=True) * features).sum(1)
        assert relative_error(maps[:, target], expected) < 1e-12
    assert relative_error(logits, model.head(features)) < 1e-12


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("head", ["study", "direct"])
def test_hook_form_agrees_with_captum(name: str, head: str, images: Tensor) -> None:
    model = build(name, head, "average").eval()
    ours = grad_cam(model, images, 1).flatten().numpy()
    maps = LayerGradCam(model, model.features).attribute(images, target=1)[:, 0]
    captums = upsample(maps.detach(), SIZE).flatten().numpy()
    cosine = np.dot(ours, captums) / (np.linalg.norm(ours) * np.linalg.norm(captums))
    assert cosine >= 0.999


@pytest.mark.parametrize("layer", ["features.3.squeeze", "features.4", "features.7.expand3x3", "head.conv"])
def test_any_layer_of_an_inplace_network_agrees_with_captum(layer: str, images: Tensor) -> None:
    """SqueezeNet's ReLUs work in place; Captum gets copies of the network whose ReLUs do not."""
    model = build("squeezenet_reduced", "study", "average").eval()
    ours = grad_cam(model, images, 2, layer=layer)
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    maps = LayerGradCam(model, model.get_submodule(layer)).attribute(images, target=2)[:, 0]
    assert relative_error(ours, upsample(maps.detach(), SIZE)) < 1e-5


@given(
    kind=st.sampled_from(POOLINGS),
    sharpness=st.floats(0.1, 50),
    top_share=st.floats(0.01, 1),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=60)
def test_pooling_gradient_sums_to_one(kind: str, sharpness: float, top_share: float, seed: int) -> None:
    """The property behind α = W / P, from pool(z + c) = pool(z) + c."""
    evidence = torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    pool = Pooling(kind, sharpness=sharpness, top_share=top_share)
    evidence.requires_grad_()
    pooled = pool(evidence)
    (gradient,) = torch.autograd.grad(pooled.sum(), evidence)
    assert torch.allclose(gradient.sum((2, 3)), torch.ones(2, 3, dtype=torch.float64))
    assert torch.allclose(pool(evidence + 7.5), pooled + 7.5)


def test_direct_head_weights_do_not_depend_on_the_image(images: Tensor) -> None:
    model = build("squeezenet_reduced", "direct", "max").eval()
    features = model.features(images)
    head = model.head
    assert isinstance(head, DirectHead)
    places = features.shape[2] * features.shape[3]
    expected = (model.class_map(images) - head.conv.bias[:, None, None]) / places
    assert torch.allclose(class_maps(head, features).maps, expected, atol=1e-7)


@pytest.mark.parametrize("name", MODELS)
def test_maps_follow_the_batch_order(name: str, images: Tensor) -> None:
    model = build(name, "study", "average")
    order = torch.tensor([2, 0, 1])
    targets = torch.tensor([0, 1, 2])
    together = grad_cam(model, images, targets)
    assert together.shape == (3, *SIZE)
    assert torch.allclose(
        grad_cam(model, images[order], targets[order]), together[order], rtol=1e-4, atol=1e-7
    )
    alone = torch.cat([grad_cam(model, images[i : i + 1], [i]) for i in range(3)])
    assert relative_error(alone, together) < 1e-4  # another batch size takes another summation order


def test_maps_are_signed_and_class_specific(images: Tensor) -> None:
    maps = grad_cam_all(build("squeezenet_reduced", "direct", "average"), images).maps
    assert maps.min() < 0 < maps.max()
    assert not torch.allclose(maps[:, 0], maps[:, 1])


@pytest.mark.parametrize("fails", [False, True])
def test_model_is_left_as_found(fails: bool, images: Tensor) -> None:
    model = build("vgg16_bn", "study", "average").train()
    model.features[0].eval()
    model.head.linear1.weight.requires_grad_(False)
    model.head.linear2.weight.grad = torch.ones_like(model.head.linear2.weight)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    random_state = torch.get_rng_state()
    if fails:
        with pytest.raises(BadInput, match="got 99"):
            grad_cam(model, images, 99)
    else:
        grad_cam(model, images, 0)
        grad_cam_all(model, images)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert [name for name, p in model.named_parameters() if not p.requires_grad] == ["head.linear1.weight"]
    assert [name for name, p in model.named_parameters() if p.grad is not None] == ["head.linear2.weight"]
    assert not any(module._forward_hooks for module in model.modules())
    assert torch.equal(torch.get_rng_state(), random_state)


def test_maps_are_computed_without_grad_mode(images: Tensor) -> None:
    model = build("adhoc", "study", "average")
    expected = grad_cam(model, images, 1)
    with torch.no_grad():
        assert torch.equal(grad_cam(model, images, 1), expected)
    with torch.inference_mode():
        assert torch.allclose(grad_cam(model, images.clone(), 1), expected)


def test_any_torch_model_is_explained() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    assert grad_cam(model, torch.rand(2, 1, 9, 12), [0, 1], layer="0").shape == (2, 9, 12)


def test_closed_form_survives_export(images: Tensor) -> None:
    """Exported graphs carry the maps, so the closed form must trace without looking at values."""

    class Explained(nn.Module):
        def __init__(self, model: SheetClassifier) -> None:
            super().__init__()
            self.model = model

        def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
            return tuple(class_maps(self.model.head, self.model.features(images)))

    model = build("squeezenet_reduced", "study", "average").eval()
    exported = torch.export.export(Explained(model), (images,), strict=False)
    logits, maps = exported.module()(images)
    expected = grad_cam_all(model, images)
    assert relative_error(maps, expected.maps) < 1e-5
    assert relative_error(logits, expected.logits) < 1e-5


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (3, "class index from 0 to 2, got 3"),
        (-1, "class index from 0 to 2, got -1"),
        ([0, 1, 7], "got 7"),
        ([0, 1], "expected 3 class indices, one an image, got 2"),
        (torch.tensor([0.5, 1, 2]), "whole class indices"),
        (torch.zeros(3, 1, dtype=torch.int64), r"of shape \(3,\)"),
    ],
)
def test_bad_targets_are_refused(target: object, message: str, images: Tensor) -> None:
    with pytest.raises(BadInput, match=message):
        grad_cam(build("adhoc", "study", "average"), images, target)


def test_bad_images_are_refused(images: Tensor) -> None:
    model = build("adhoc", "study", "average")
    for explain in (lambda x: grad_cam(model, x, 0), lambda x: grad_cam_all(model, x)):
        with pytest.raises(BadInput, match=r"expected float32 images .* got torch\.bfloat16"):
            explain(images.bfloat16())
        with pytest.raises(BadInput, match=r"shape \(n, channels, h, w\)"):
            explain(images[0])
        with pytest.raises(BadInput, match="made for 64x96 images, got 64x64"):
            explain(images[..., :64].contiguous())


def test_bad_layers_are_refused(images: Tensor) -> None:
    model = build("adhoc", "study", "average")
    with pytest.raises(UnknownLayer, match=r"'nope'.* it has features, features\.0"):
        grad_cam(model, images, 0, layer="nope")
    with pytest.raises(BadInput, match=r"'head\.linear2'.*choose a layer before the pooling"):
        grad_cam(model, images, 0, layer="head.linear2")


def test_heads_without_closed_form_are_refused(images: Tensor) -> None:
    with pytest.raises(BadInput, match="no closed form"):
        class_maps(nn.Flatten(), images)
