"""DeepLift's axioms and the contract of every method: completeness, batches, memory, an unchanged model."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.explanations.deeplift.cases import SIZE, build, cosine, sheets
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.explanations.deeplift.api import deep_lift, deep_shap


@given(seed=st.integers(0, 2**31), target=st.integers(0, 2), count=st.integers(1, 4))
@settings(max_examples=8, deadline=None)
def test_completeness_and_batch_order(seed: int, target: int, count: int) -> None:
    model = build("squeezenet_reduced", "direct", "lse")
    images, reference = sheets(count, seed), sheets(1, seed + 1) * 0.3
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    maps = deep_lift(model, images, target, baselines=reference)
    size = float(maps.abs().max())
    assert torch.allclose(
        deep_lift(model, images[order], target, baselines=reference), maps[order], atol=1e-4 * size
    )
    with torch.no_grad():
        rise = model(images)[:, target] - model(reference)[:, target]
    assert torch.allclose(maps.sum((1, 2)), rise, atol=1e-6 * float(maps.abs().sum()))


class IgnoresInput(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return torch.ones(len(images), 3)


def test_maps_are_zero_where_nothing_depends_on_the_image() -> None:
    assert not deep_lift(IgnoresInput(), sheets(2), 1).any()
    model = copy.deepcopy(build("squeezenet_reduced"))
    nn.init.zeros_(model.head.conv.weight)
    assert not deep_shap(model, sheets(2), 1, baselines=sheets(2, seed=3)).any()


def test_maps_are_zero_where_image_and_reference_are_equal() -> None:
    model, images = build("squeezenet", "direct", "top"), sheets(2)
    assert not deep_lift(model, images, 1, baselines=images).any()


@pytest.mark.parametrize("memory_mb", [1e-3, 8.0])
def test_a_small_memory_cap_does_not_change_maps(memory_mb: float) -> None:
    model, images, references = build("squeezenet_reduced"), sheets(3), sheets(3, seed=4)
    expected = deep_shap(model, images, 1, baselines=references)
    capped = deep_shap(model, images, 1, baselines=references, memory_mb=memory_mb)
    assert cosine(capped, expected) > 0.999999
    paired = [deep_lift(model, images, 1, baselines=references, memory_mb=mb) for mb in (memory_mb, 512.0)]
    assert cosine(*paired) > 0.999999


@pytest.mark.parametrize("fails", [False, True])
def test_model_is_left_as_found(fails: bool) -> None:
    model = copy.deepcopy(build("vgg16_bn", "study")).train()
    model.head.linear1.weight.requires_grad_(False)
    model.features[0].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    if fails:
        with pytest.raises(BadInput, match="class index from 0 to 2, got 99"):
            deep_shap(model, sheets(1), 99, baselines=sheets(2))
    else:
        deep_shap(model, sheets(1), 0, baselines=sheets(2))
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert [name for name, p in model.named_parameters() if not p.requires_grad] == ["head.linear1.weight"]
    assert all(p.grad is None for p in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_maps_are_computed_without_grad_mode() -> None:
    model, images = build("adhoc"), sheets(1)
    expected = deep_lift(model, images, 1)
    with torch.no_grad():
        assert torch.equal(deep_lift(model, images, 1), expected)
    with torch.inference_mode():
        assert torch.allclose(deep_lift(model, images.clone(), 1), expected)


def test_bad_input_is_refused() -> None:
    model, images = build("adhoc", "study"), sheets(2)
    for explain in (deep_lift, deep_shap):
        with pytest.raises(BadInput, match=r"class index from 0 to 2, got 3"):
            explain(model, images, 3)
        with pytest.raises(BadInput, match=r"expected 2 class indices, one an image, got 3"):
            explain(model, images, [0, 1, 2])
        with pytest.raises(BadInput, match=r"expected float32 images .* got torch\.float16"):
            explain(model, images.half(), 1)
        with pytest.raises(BadInput, match="image 1 holds NaN"):
            explain(model, torch.cat([images[:1], images[1:] * torch.nan]), 1)
        with pytest.raises(BadInput, match=r"baselines: expected .* got"):
            explain(model, images, 1, baselines=images[..., 1:])
        with pytest.raises(BadInput, match="memory_mb: expected a cap above 0"):
            explain(model, images, 1, memory_mb=0.0)
        with pytest.raises(BadInput, match="made for 48x61 images"):
            explain(model, images[..., :48].contiguous(), 1)
        assert explain(model, images[:0], 1).shape == (0, *SIZE)
    with pytest.raises(BadInput, match=r"DeepLift baselines: expected shape .* got \(3, 3, 48, 61\)"):
        deep_lift(model, images, 1, baselines=sheets(3))
