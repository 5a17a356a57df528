"""The optimiser, its learning rate at each step, and the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from steelsight.training.recipe import OptimiserRecipe

__all__ = ["Average", "learning_rate", "make_optimiser", "set_rate"]


def make_optimiser(parameters: Iterable[nn.Parameter], recipe: OptimiserRecipe) -> torch.optim.Optimizer:
    """Adam or AdamW in torch's fused form: one kernel for all parameters."""
    kind = torch.optim.AdamW if recipe.method == "adamw" else torch.optim.Adam
    return kind(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)


def learning_rate(recipe: OptimiserRecipe, step: int, steps: int) -> float:
    """The learning rate of step 0, 1, ... of `steps`: a linear warm-up, then constant or half a cosine."""
    warm = round(recipe.warm_up * steps)
    rate = recipe.learning_rate
    if step < warm:
        return rate * (step + 1) / warm
    if recipe.schedule == "constant":
        return rate
    done = (step - warm) / max(1, steps - warm)
    return rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate from the next step on."""
    for group in optimiser.param_groups:
        group["lr"] = rate


class Average:
    """Exponential moving average of a model's weights; buffers (batch norm's) are copied, not averaged.

    After step i the decay is min(decay, (1 + i) / (10 + i)), so that the initial weights soon have no
    influence.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Add the weights after step 0, 1, ..."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averaged = dict(model.named_parameters())
        torch._foreach_lerp_([self.state[name] for name in averaged], list(averaged.values()), 1 - decay)
        for name, buffer in model.named_buffers():
            if name in self.state:
                self.state[name].copy_(buffer)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a saved average."""
        for name, tensor in state.items():
            self.state[name].copy_(tensor)
