"""The faster forms compute the same, and leave the model as they found it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from steelsight.models.catalog import ModelSpec, build_model
from steelsight.models.inputs import to_input
from steelsight.training.loop.speed import Dropout16, fast_features, keep_memory, tuned


def _learn(features: nn.Module, run: Callable[[], Tensor]) -> tuple[Tensor, list[Tensor]]:
    features.zero_grad()
    answer = run()
    weights = torch.randn(answer.shape, generator=torch.Generator().manual_seed(1), dtype=answer.dtype)
    (answer * weights).sum().backward()
    return answer.detach(), [p.grad.clone() for p in features.parameters() if p.grad is not None]


@pytest.mark.parametrize("name", ["adhoc", "squeezenet", "squeezenet_reduced", "vgg16_bn"])
@pytest.mark.parametrize("gray", [True, False])
def test_the_same_numbers_and_gradients(name: str, gray: bool) -> None:
    size = (48, 64) if name == "adhoc" else (32, 48)
    spec = ModelSpec(name=name, outputs=2, height=size[0], width=size[1])
    features = build_model(spec).features.double()
    if name == "vgg16_bn":
        features.eval()  # its running statistics would move between the two
    images = torch.randint(0, 256, (2, *size), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    inputs = to_input(images).double()
    plain, gradients = _learn(features, lambda: features(inputs))
    if gray and name != "vgg16_bn":
        with _in_double():
            fast, fast_gradients = _learn(features, lambda: fast_features(features, images))
    else:
        fast, fast_gradients = _learn(features, lambda: fast_features(features, inputs))
    assert torch.allclose(plain, fast, rtol=1e-5, atol=1e-6)  # inputs are normalised in float32
    assert len(gradients) == len(fast_gradients) == len(list(features.parameters()))
    for one, other in zip(gradients, fast_gradients, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5 * one.abs().max().item())


@contextmanager
def _in_double() -> Iterator[None]:
    """Convolve gray bytes in the precision of the weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "float", torch.Tensor.double)
        yield


def test_the_fast_memory_layout_is_kept() -> None:
    features = build_model(ModelSpec(name="squeezenet_reduced", outputs=2)).features
    gray = torch.randint(0, 256, (2, 64, 400), dtype=torch.uint8)
    first = fast_features(features[:1], gray)
    assert first.is_contiguous(memory_format=torch.channels_last)
    assert not first.is_contiguous()


def test_padded_convolutions_are_not_folded() -> None:
    features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1))
    gray = torch.randint(0, 256, (1, 8, 8), dtype=torch.uint8)
    assert torch.equal(fast_features(features, gray), features(to_input(gray)))


def test_features_of_any_other_kind_are_called() -> None:
    gray = torch.randint(0, 256, (1, 8, 8), dtype=torch.uint8)
    assert torch.equal(fast_features(nn.Identity(), gray), to_input(gray))


def _fail_while_tuned(model: nn.Module) -> None:
    with tuned(model, torch.Generator()):
        assert any(isinstance(module, Dropout16) for module in model.modules())
        model.eval()
        raise KeyError("from inside")


def test_the_model_is_left_as_found_also_after_an_exception() -> None:
    model = build_model(ModelSpec(name="adhoc", outputs=2, height=48, width=64))
    names = [(name, type(module)) for name, module in model.named_modules()]
    with pytest.raises(KeyError, match="from inside"):
        _fail_while_tuned(model)
    assert [(name, type(module)) for name, module in model.named_modules()] == names
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize("shape", [(4, 16, 9, 31), (40, 450)])
def test_dropout_keeps_its_share_and_the_expectation(shape: tuple[int, ...]) -> None:
    dropout = Dropout16(0.3, torch.Generator().manual_seed(0))
    ones = torch.ones(shape)
    dropped = dropout(ones)
    kept = (dropped > 0).float().mean().item()
    assert kept == pytest.approx(0.7, abs=0.018)  # five standard deviations of 17,856 draws
    assert dropped.max().item() == pytest.approx(1 / 0.7, rel=1e-4)  # p is the nearest 1/65536
    assert torch.equal(dropout.eval()(ones), ones)


def test_dropout_draws_from_its_generator_alone() -> None:
    ones = torch.ones(100)
    before = torch.random.get_rng_state()
    first, second = (Dropout16(0.5, torch.Generator().manual_seed(7))(ones) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_dropout_has_a_gradient_only_where_it_kept() -> None:
    x = torch.ones(64, requires_grad=True)
    dropped = Dropout16(0.5, torch.Generator().manual_seed(0))(x)
    dropped.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, dropped.detach())


def test_memory_can_be_kept_twice_over() -> None:
    with keep_memory(), keep_memory():
        assert torch.zeros(2**22).sum() == 0
    assert torch.ones(2**22).sum() == 2**22
