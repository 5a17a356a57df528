"""The faster forms compute the same, and leave the model as they found it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model
from steelsight.training.speed import Dropout16, keep_memory, tuned


def _model() -> SheetClassifier:
    spec = ModelSpec(name="squeezenet_reduced", outputs=2, head="direct", height=32, width=48, dropout=0.0)
    return build_model(spec)


def _learn(model: nn.Module, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    model.zero_grad()
    logits = model(images)
    logits.square().sum().backward()
    return logits.detach(), [parameter.grad.clone() for parameter in model.parameters()]  # type: ignore[union-attr]


def test_fire_modules_give_the_same_numbers_and_gradients() -> None:
    model = _model()
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, 32, 48, generator=generator)
    plain, gradients = _learn(model, images)
    with tuned(model, generator):
        fast, fast_gradients = _learn(model, images)
    assert torch.equal(plain, fast)
    for one, other in zip(gradients, fast_gradients, strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)  # memory order changes the order of sums


def _fail_while_tuned(model: nn.Module) -> None:
    with tuned(model, torch.Generator()):
        assert any(isinstance(module, Dropout16) for module in model.modules())
        model.eval()
        raise KeyError


def test_the_model_is_left_as_found_also_after_an_exception() -> None:
    model = build_model(ModelSpec(name="adhoc", outputs=2, height=48, width=64))
    names = [(name, type(module)) for name, module in model.named_modules()]
    with pytest.raises(KeyError):
        _fail_while_tuned(model)
    assert [(name, type(module)) for name, module in model.named_modules()] == names
    assert not any(module.training for module in model.modules())
    squeezenet = _model()
    with tuned(squeezenet, torch.Generator()):
        assert any("forward" in vars(module) for module in squeezenet.modules())
    assert not any("forward" in vars(module) for module in squeezenet.modules())


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
