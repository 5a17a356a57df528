"""A small trained run, and the folder it was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steelsight.training.recipe_files import load_recipe
from steelsight.training.run import train_run

SETTINGS = (
    "task=multiclass",
    "model.name=squeezenet_reduced",
    "model.pretrained=none",
    "height=48",
    "width=64",
    "batch_size=8",
    "max_epochs=3",
    "threads=1",
    "precision=fp32",
    "learning_rate=0.002",
    "split.method=stratified",
    "split.train=.6",
    "split.validation=.2",
    "split.test=.2",
)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """RUN and DATA: three classes of thirty sheets, with a bright bar, a dark block, or neither."""
    root = tmp_path_factory.mktemp("deploy")
    rng = np.random.default_rng(0)
    for kind, title in enumerate(("none", "bar", "block")):
        (root / "DATA" / title).mkdir(parents=True)
        for number in range(30):
            gray = np.clip(rng.normal(110, 12, (48, 64)), 0, 255)
            top, left = int(rng.integers(4, 24)), int(rng.integers(4, 40))
            if kind == 1:
                gray[top : top + 20, left : left + 4] = 240
            elif kind == 2:
                gray[top : top + 12, left : left + 16] = 15
            Image.fromarray(gray.astype(np.uint8)).save(root / "DATA" / title / f"{number}.png")
    train_run(root / "DATA", recipe=load_recipe("default", SETTINGS), out=root / "run")
    return root / "run", root / "DATA"
