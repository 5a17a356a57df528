"""Small DATA folders and image files, made by code."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # draws inputs, for its own table too

Texture = Callable[..., np.ndarray]
Encode = Callable[..., bytes]


@pytest.fixture(scope="session")
def inputs() -> Any:
    """The module that draws annotated folders."""
    return importlib.import_module("input_annotations")


@pytest.fixture(scope="session")
def folders() -> Any:
    """The module that draws folders and tables."""
    return importlib.import_module("input_folders")


@pytest.fixture
def texture() -> Texture:
    """Smooth light with grain, (h, w) uint8; another seed is another piece of steel."""

    def make(height: int = 32, width: int = 48, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        light = 90 + 60 * np.sin(np.linspace(0, 3, width))[None, :] * np.linspace(0.5, 1, height)[:, None]
        return np.clip(light + rng.normal(0, 8, (height, width)), 0, 255).astype(np.uint8)

    return make


@pytest.fixture
def stripe() -> Texture:
    """A mask of one upright stripe, (h, w) uint8 of 0 and `value`."""

    def make(height: int = 32, width: int = 48, value: int = 255) -> np.ndarray:
        mask = np.zeros((height, width), dtype=np.uint8)
        mask[height // 4 : height // 2, width // 8 : width // 4] = value
        return mask

    return make


@pytest.fixture
def encode() -> Encode:
    """An array or a Pillow image as the bytes of a file."""

    def make(picture: Any, format: str = "PNG", **options: Any) -> bytes:
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        buffer = io.BytesIO()
        image.save(buffer, format, **options)
        return buffer.getvalue()

    return make


@pytest.fixture
def put(encode: Encode) -> Callable[..., Path]:
    """Write a picture, choosing the format by the suffix and making folders."""
    formats = {".jpg": "JPEG", ".png": "PNG", ".bmp": "BMP", ".tif": "TIFF"}

    def write(path: Path, picture: Any, **options: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(picture, formats[path.suffix], **options))
        return path

    return write


@pytest.fixture
def kaggle(tmp_path: Path, put: Callable[..., Path], texture: Texture) -> Callable[..., Path]:
    """A folder in Kaggle's layout with images of 8x12 and a train.csv of the given text."""

    def make(
        train: str | bytes, images: tuple[str, ...] = ("a.jpg", "b.jpg", "c.jpg"), **tables: str
    ) -> Path:
        root = tmp_path / "kaggle"
        for seed, name in enumerate(images):
            put(root / "train_images" / name, texture(8, 12, seed))
        (root / "train.csv").write_bytes(train if isinstance(train, bytes) else train.encode())
        for name, text in tables.items():
            (root / f"{name}.csv").write_text(text)
        return root

    return make


@pytest.fixture
def tiles(tmp_path: Path, put: Callable[..., Path], texture: Texture) -> Path:
    """Class folders: two defect-free sheets, two cracks with masks, one blowhole without, sizes differing."""
    root = tmp_path / "tiles"
    mask = np.zeros((24, 30), dtype=np.uint8)
    mask[4:9, 10:20] = 255
    put(root / "MT_Free" / "exp1_num_100.jpg", texture(20, 26, 1))
    put(root / "MT_Free" / "exp1_num_100.png", np.zeros((20, 26), dtype=np.uint8))
    put(root / "MT_Free" / "exp2_num_150.jpg", texture(28, 20, 2))
    put(root / "MT_Crack" / "exp1_num_900.jpg", texture(24, 30, 3))
    put(root / "MT_Crack" / "exp1_num_900.png", mask)
    put(root / "MT_Crack" / "exp1_num_2000.jpg", texture(24, 30, 4))
    put(root / "MT_Crack" / "exp1_num_2000.png", mask.T[:24, :24].repeat(2, 1)[:, :30])
    put(root / "MT_Blowhole" / "exp1_num_7.jpg", texture(40, 33, 5))
    return root
