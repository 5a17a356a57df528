"""What tests of faults share: a small RUN that was trained, and a training that was cut short."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from steelsight.training.loop.progress import NoProgress
from steelsight.training.loop.state import EpochRow
from steelsight.training.recipe import Recipe
from steelsight.training.recipe_files import load_recipe
from steelsight.training.run import train_run

SETTINGS = [
    "model.name=squeezenet_reduced",
    "model.pretrained=none",
    "height=32",
    "width=64",
    "batch_size=8",
    "max_epochs=2",
    "threads=1",
    "precision=fp32",
    "split.method=stratified",
]


class StopsAfterOneEpoch(NoProgress):
    """Ends a training like Ctrl-C does."""

    def epoch(self, row: EpochRow, *, best: bool) -> None:
        raise KeyboardInterrupt


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return load_recipe("default", SETTINGS)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> dict[str, Path]:
    """DATA, a finished RUN, and a RUN that was interrupted after its first epoch."""
    root = tmp_path_factory.mktemp("faults")
    rng = np.random.default_rng(0)
    for kind in ("none", "bar"):
        (root / "DATA" / kind).mkdir(parents=True)
        for number in range(12):
            gray = rng.normal(110, 8, (32, 64))
            gray[:, 20:26] -= 40 * (kind == "bar")
            Image.fromarray(gray.clip(0, 255).astype(np.uint8)).save(root / "DATA" / kind / f"{number}.png")
    train_run(root / "DATA", recipe=recipe, out=root / "RUN")
    with pytest.raises(KeyboardInterrupt):
        train_run(root / "DATA", recipe=recipe, out=root / "CUT", progress=StopsAfterOneEpoch())
    return {name: root / name for name in ("DATA", "RUN", "CUT")}


@pytest.fixture
def copied(trained: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of one of these folders that a test may damage."""

    def copy(name: str) -> Path:
        shutil.copytree(trained[name], tmp_path / name)
        return tmp_path / name

    return copy


@pytest.fixture
def flip() -> Callable[[Path, int], None]:
    """Flip one bit of a file."""

    def change(path: Path, bit: int) -> None:
        content: Any = bytearray(path.read_bytes())
        content[bit // 8 % len(content)] ^= 1 << bit % 8
        path.write_bytes(content)

    return change
