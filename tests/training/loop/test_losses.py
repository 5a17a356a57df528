"""Losses against the same written slowly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from steelsight.training.loop.losses import loss_weights, place_loss, prior_shift, sheet_loss
from steelsight.training.recipe import Recipe

Small = Callable[..., Recipe]


def test_cross_entropy_weighted_and_smoothed() -> None:
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    targets, weights = torch.tensor([0, 1, 2, 2, 0]), torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    logs = logits.log_softmax(1).numpy()
    picked = [-logs[n, t] * weights[t].item() for n, t in enumerate(targets.tolist())]
    expected = sum(picked) / sum(weights[t].item() for t in targets.tolist())
    assert sheet_loss(logits, targets, weights=weights).item() == pytest.approx(expected, abs=1e-12)
    smooth = sheet_loss(logits, targets, label_smoothing=0.3).item()
    wanted = [-(0.7 * logs[n, t] + 0.1 * logs[n].sum()) for n, t in enumerate(targets.tolist())]
    assert smooth == pytest.approx(np.mean(wanted), abs=1e-12)


def test_binary_cross_entropy_of_every_type() -> None:
    logits, flags = torch.tensor([[0.5, -2.0]]), torch.tensor([[1.0, 0.0]])
    expected = (np.log1p(np.exp(-0.5)) + np.log1p(np.exp(-2.0))) / 2
    assert sheet_loss(logits, flags).item() == pytest.approx(expected, abs=1e-6)
    tripled = (3 * np.log1p(np.exp(-0.5)) + np.log1p(np.exp(-2.0))) / 2
    weighted = sheet_loss(logits, flags, weights=torch.tensor([3.0, 3.0]))
    assert weighted.item() == pytest.approx(tripled, abs=1e-6)


def test_focal_loss_weighs_confident_answers_less() -> None:
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    targets, weights = torch.tensor([0, 1, 2, 2, 0, 1]), torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    true = logits.softmax(1).numpy()[np.arange(6), targets.numpy()]
    share = weights.numpy()[targets.numpy()]
    expected = (share * (1 - true) ** 2 * -np.log(true)).sum() / share.sum()
    assert sheet_loss(logits, targets, weights=weights, focal=2.0).item() == pytest.approx(expected)
    assert sheet_loss(logits, targets, focal=1e-12).item() == pytest.approx(
        sheet_loss(logits, targets).item()
    )
    flags = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    yes = logits[:2, :2].sigmoid().numpy()
    sure = np.where(flags.numpy() > 0, yes, 1 - yes)
    wanted = ((1 - sure) ** 3 * -np.log(sure)).mean()
    assert sheet_loss(logits[:2, :2], flags, focal=3.0).item() == pytest.approx(wanted)


def test_logit_adjustment_is_the_log_of_the_shares(small: Small) -> None:
    targets = np.array([0] * 6 + [1] * 3 + [2])
    assert prior_shift(targets, small().loss, 3) is None
    shift = prior_shift(targets, small("logit_adjust=2").loss, 4)
    assert shift is not None
    assert shift[:3].tolist() == pytest.approx((2 * np.log([0.6, 0.3, 0.1] * np.array(10 / 10.5))).tolist())
    assert torch.isfinite(shift).all()  # a class without sheets is half a sheet
    logits = torch.zeros(2, 4)
    assert sheet_loss(logits, torch.tensor([0, 2]), shift=shift).item() == pytest.approx(
        sheet_loss(logits + shift, torch.tensor([0, 2])).item()
    )


def test_loss_weights(small: Small) -> None:
    labels = np.array([0, 0, 0, 1])
    assert loss_weights(labels, small(), 2) is None
    weights = loss_weights(labels, small("balance.method=loss", "power=1"), 2)
    assert weights is not None
    assert weights.tolist() == pytest.approx([2 / 3, 2.0])
    flags = np.array([[1, 0], [0, 0], [0, 1], [0, 1]], dtype=np.float32)
    weights = loss_weights(flags, small("task=multilabel", "balance.method=loss", "power=1"), 2)
    assert weights is not None
    assert weights.tolist() == pytest.approx([3.0, 1.0])


def test_place_loss_agrees_with_a_slow_reference(small: Small, rng: np.random.Generator) -> None:
    recipe = small().loss
    class_map = torch.from_numpy(rng.normal(size=(4, 3, 2, 4)).astype(np.float32))
    shares = torch.from_numpy(rng.integers(0, 2, (4, 8, 16), dtype=np.uint8) * 255)
    shares[0], shares[1, :4] = 0, 0
    targets, known = torch.tensor([0, 2, 1, 1]), torch.tensor([True, True, True, False])
    total = []
    for n in range(3):
        for y in range(2):
            for x in range(4):
                area = shares[n, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4].float().mean().item() / 255
                defect = area > recipe.mask_share
                target = int(targets[n]) if defect else 0
                weight = 1 + recipe.mask_emphasis * defect
                total.append(-weight * class_map[n, :, y, x].log_softmax(0)[target].item())
    found = place_loss(class_map, targets, shares, known, recipe)
    assert found.item() == pytest.approx(np.mean(total), rel=1e-5)  # float32 sums


def test_place_loss_of_no_known_mask_is_zero_and_has_a_gradient(small: Small) -> None:
    class_map = torch.randn(2, 2, 3, 3, requires_grad=True)
    unknown = torch.tensor([False, False])
    blank = torch.zeros(2, 6, 6, dtype=torch.uint8)
    loss = place_loss(class_map, torch.tensor([0, 1]), blank, unknown, small().loss)
    loss.backward()
    assert loss.item() == 0
    assert class_map.grad is not None
    assert not class_map.grad.any()
