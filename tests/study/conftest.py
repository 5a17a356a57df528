"""A few dozen tiny sheets, some with white stains, and the whole study run on them once."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steelsight.study.options import StudyOptions
from steelsight.study.report import StudyReport
from steelsight.study.run import run_study

SMALL = ("input.height=48", "input.width=64", "optimiser.learning_rate=1e-3")


def _write_sheets(root: Path, count: int = 24) -> Path:
    """Plain sheets, half of them stained, sheets with a dark crack, fewer with a bright patch; masks."""
    rng = np.random.default_rng(0)
    for kind in ("free", "crack", "patch"):
        (root / kind).mkdir(parents=True)
        for place in range(count // 2 if kind == "patch" else count):
            number = 100 * (place // 3) + place % 3  # three consecutive frames a piece of steel
            gray = rng.normal(150, 12, (48, 96))
            mask = np.zeros((48, 96), dtype=bool)
            if kind == "free" and place % 2:
                gray[10:24, 30 + place : 44 + place] = 254
            if kind == "crack":
                left = int(rng.integers(10, 80))
                mask[8:40, left : left + 6] = True
                gray[mask] = 30
            elif kind == "patch":
                left = int(rng.integers(5, 60))
                mask[4:30, left : left + 24] = True
                gray[mask] = 235
            if mask.any():
                Image.fromarray(mask.astype(np.uint8) * 255).save(root / kind / f"{kind[0]}{number:03}.png")
            pixels = np.clip(gray, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / kind / f"{kind[0]}{number:03}.jpg", quality=95)
    return root


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write_sheets(tmp_path_factory.mktemp("sheets") / "tiny <b>mill")


@pytest.fixture(scope="session")
def tiny_options() -> StudyOptions:
    return StudyOptions(
        vgg="subset",
        vgg_sheets=6,
        vgg_epochs=1,
        epochs=1,
        pretrained="none",
        settings=SMALL,
        resamples=50,
        repeats=2,
        explained=1,
        neurons=1,
        neuron_steps=3,
    )


@pytest.fixture(scope="session")
def tiny_report(
    tiny_data: Path, tiny_options: StudyOptions, tmp_path_factory: pytest.TempPathFactory
) -> StudyReport:
    return run_study(tiny_data, tmp_path_factory.mktemp("study"), tiny_options)


@pytest.fixture
def without_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is measured on the chosen models: `tiny_report` has all of that, for tests of other things."""
    monkeypatch.setattr("steelsight.study.run._inspect_chosen", lambda study: study)
