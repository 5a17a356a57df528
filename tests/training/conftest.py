"""Small training data, small DATA folders, and a recipe that trains on them quickly."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from steelsight.training.dataset import TrainingData
from steelsight.training.recipe import Recipe
from steelsight.training.recipe_files import load_recipe

SMALL = (
    "model.name=adhoc",
    "height=48",
    "width=64",
    "batch_size=4",
    "max_epochs=2",
    "threads=1",
    "precision=fp32",
    "split.method=stratified",
    "augment.camera_noise=0",  # tests count pixels, and see faint marks in two epochs
)


@pytest.fixture
def small() -> Callable[..., Recipe]:
    """The default recipe on the ad-hoc network at 48x64, with further settings."""

    def make(*settings: str, base: str = "default") -> Recipe:
        return load_recipe(base, [*SMALL, *settings])

    return make


def _sheet(rng: np.random.Generator, kind: int) -> np.ndarray:
    """Grain; kind 1 has a bright bar, kind 2 a dark block."""
    gray = np.clip(rng.normal(110, 12, (48, 64)), 0, 255)
    top, left = int(rng.integers(4, 24)), int(rng.integers(4, 40))
    if kind == 1:
        gray[top : top + 20, left : left + 4] = 240
    elif kind == 2:
        gray[top : top + 12, left : left + 16] = 15
    return gray.astype(np.uint8)


@pytest.fixture
def data() -> TrainingData:
    """Twelve sheets to learn from and six to stop by, of two kinds."""
    rng = np.random.default_rng(0)
    labels = np.array([0, 1] * 9)
    images = np.stack([_sheet(rng, int(label)) for label in labels])
    return TrainingData(images, labels, np.arange(12), np.arange(12, 18))


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """A DATA folder of class folders, eight sheets a class; pairs of sheets share a `frames` group."""

    def make(name: str = "DATA", *, classes: int = 3, per_class: int = 8, seed: int = 0) -> Path:
        rng = np.random.default_rng(seed)
        root = tmp_path / name
        for kind, title in enumerate(("none", "bar", "block")[:classes]):
            (root / title).mkdir(parents=True)
            for number in range(per_class):
                frame = 1000 * (number // 2) + number % 2
                path = root / title / f"exp1_num_{frame}.png"
                Image.fromarray(_sheet(rng, kind)).save(path)
        return root

    return make


@pytest.fixture(scope="session")
def _trained_before(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder of its own for each key."""
    root = tmp_path_factory.mktemp("trained")
    return lambda key: root / hashlib.sha256(key.encode()).hexdigest()[:16]


@pytest.fixture
def train_once(_trained_before: Callable[[str], Path]) -> Callable[..., Any]:
    """Call `train_run` or `cross_validate`; what it wrote for equal sheets and options before is copied.

    The result is that of a finished training: `fresh` is not set. For tests of what is done with a RUN; tests
    of training itself train.
    """

    def train(function: Callable[..., Any], data: Path, *, recipe: Recipe, out: Path, **options: Any) -> Any:
        sheets = [
            (path.relative_to(data).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
            for path in sorted(data.rglob("*"))
            if path.is_file()
        ]
        asked = (function.__name__, data.name, sheets, recipe.model_dump_json(), sorted(options.items()))
        kept = _trained_before(repr(asked)) / out.name
        if not kept.exists():
            function(data, recipe=recipe, out=kept, **options)
        shutil.copytree(kept, out)
        return function(data, recipe=recipe, out=out, **options)

    return train
