"""Rates and averages."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import nn

from steelsight.training.loop.optimisation import Average, learning_rate, make_optimiser, set_rate
from steelsight.training.recipe import Recipe

Small = Callable[..., Recipe]


def test_cosine_with_warm_up(small: Small) -> None:
    recipe = small("learning_rate=1.0", "schedule=cosine", "warm_up=0.1").optimiser
    rates = [learning_rate(recipe, step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10] == 1
    assert rates[55] == pytest.approx(0.5)
    assert rates[99] < 0.001
    assert all(later <= earlier for earlier, later in pairwise(rates[10:]))


def test_constant(small: Small) -> None:
    recipe = small("schedule=constant", "warm_up=0").optimiser
    assert {learning_rate(recipe, step, 10) for step in range(10)} == {recipe.learning_rate}


@pytest.mark.parametrize("method", ["adam", "adamw"])
def test_the_optimiser_is_the_one_asked_for(small: Small, method: str) -> None:
    layer = nn.Linear(2, 2)
    optimiser = make_optimiser(layer.parameters(), small(f"optimiser.method={method}").optimiser)
    assert type(optimiser).__name__.lower() == method
    set_rate(optimiser, 0.25)
    assert optimiser.param_groups[0]["lr"] == 0.25


def test_average_agrees_with_a_slow_reference() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    average = Average(model, 0.9)
    expected = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for step in range(30):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
            model[1].running_mean.add_(1)
        average.update(model, step)
        decay = min(0.9, (1 + step) / (10 + step))
        for name, parameter in model.named_parameters():
            expected[name] = decay * expected[name] + (1 - decay) * parameter.detach()
    for name, _ in model.named_parameters():
        assert torch.allclose(average.state[name], expected[name], atol=1e-6)
    assert torch.equal(average.state["1.running_mean"], model[1].running_mean)
