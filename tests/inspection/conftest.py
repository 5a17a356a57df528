"""Small networks of every kind, with weights that leave no ReLU and no statistic idle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model

SIZE = (48, 64)


@pytest.fixture
def build() -> Callable[..., SheetClassifier]:
    """A seeded network for 48x64 sheets; batch norms get statistics of their own."""

    def make(name: str = "adhoc", outputs: int = 3, seed: int = 0, **spec: object) -> SheetClassifier:
        generator = torch.Generator().manual_seed(seed)
        height, width = SIZE
        model_spec = ModelSpec(name=name, outputs=outputs, **{"height": height, "width": width, **spec})
        model = build_model(model_spec, generator=generator)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2, generator=generator)
                module.running_var.uniform_(0.5, 2.0, generator=generator)
        return model.eval()

    return make


@pytest.fixture
def sheets() -> np.ndarray:
    """Seven noisy sheets, each with a bar of its own."""
    rng = np.random.default_rng(3)
    gray = rng.integers(60, 200, (7, *SIZE), dtype=np.uint8)
    for number in range(7):
        gray[number, :, 8 * number : 8 * number + 6] = 20 + 30 * number
    return gray
