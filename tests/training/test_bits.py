"""`--bits`: DATA of a 12-bit camera is read alike by description, training and an opened RUN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steelsight.errors import BadData, BadRecipe
from steelsight.runs.data.describe import describe_folder
from steelsight.sheets.options import DataOptions
from steelsight.training.dataset import open_sheets
from steelsight.types import InputSpec

SPEC = InputSpec(height=8, width=12)


@pytest.fixture
def camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes of sheets whose 12-bit values are 16 times a gray level, in 16-bit PNG."""
    monkeypatch.setenv("STEELSIGHT_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for name in ("good", "crack"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(3):
            sheet = rng.integers(0, 4096, (8, 12)).astype(np.uint16)
            Image.fromarray(sheet).save(tmp_path / "data" / name / f"{number}.png")
    return tmp_path / "data"


def test_without_bits_every_sheet_is_set_aside_in_words(camera: Path) -> None:
    report = describe_folder(camera)
    assert not report.sheets.items
    assert len(report.sheets.rejections) == 6
    for rejection in report.sheets.rejections:
        assert "a camera of 12 bits or a dark image" in rejection.reason
        assert "--bits 12" in rejection.reason
    with pytest.raises(BadData, match=r"no usable sheet, 6 set aside; the first: .* --bits 12"):
        open_sheets(camera, "binary", SPEC)


def test_with_bits_all_are_read_at_one_scale(camera: Path, tmp_path: Path) -> None:
    options = DataOptions(bits=12)
    report = describe_folder(camera, options, out=tmp_path / "report")
    assert len(report.sheets.items) == 6
    data = open_sheets(camera, "binary", SPEC.at_bits(12), options)
    assert data.input.bits == 12
    for item, gray in zip(data.items, data.images, strict=True):
        stored = np.asarray(Image.open(item.path)).astype(float)
        np.testing.assert_array_equal(gray, np.floor(stored * 255 / 4095 + 0.5))


def test_the_bits_of_a_model_hold_without_the_option(camera: Path) -> None:
    grouped = DataOptions(groups="duplicates")
    assert len(open_sheets(camera, "binary", SPEC.at_bits(12), grouped).items) == 6


@pytest.mark.parametrize(
    ("trained", "message"),
    [
        (None, r"--bits 12: the model was trained without --bits and reads images so; leave --bits out"),
        (14, r"--bits 12: the model was trained with --bits 14 and reads images so; leave --bits out"),
    ],
)
def test_other_bits_than_the_models_are_refused(camera: Path, trained: int | None, message: str) -> None:
    with pytest.raises(BadRecipe, match=message):
        open_sheets(camera, "binary", SPEC.at_bits(trained), DataOptions(bits=12))
