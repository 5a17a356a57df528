"""What drawn inputs are made of: pictures, masks, tables, and a row of the table of inputs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

H, W = 48, 64
POLYGON = (10.3, 8.6, 33.7, 11.2, 41.5, 30.8, 22.1, 36.4, 8.9, 25.0)  # x, y, x, y, …
SECOND = (45.0, 5.0, 58.0, 5.0, 58.0, 20.0, 45.0, 20.0)


def photo(seed: int, height: int = H, width: int = W) -> np.ndarray:
    """Grain on uneven light."""
    rng = np.random.default_rng(seed)
    light = 120 + 25 * np.sin(np.arange(width) / 15)[None, :]
    return np.clip(light + rng.normal(0, 11, (height, width)), 0, 255).astype(np.uint8)


def stripe(value: int = 255, height: int = H, width: int = W) -> np.ndarray:
    """A mask of one box."""
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[height // 4 : height // 2, width // 8 : width // 3] = value
    return mask


def save(path: Path, array: np.ndarray, **options: object) -> None:
    """Write a picture; its suffix tells the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


def text(path: Path, content: str) -> None:
    """Write a text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def table(path: Path, rows: Sequence[Sequence[object]]) -> None:
    """Write a CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def classes(
    root: Path, names: Sequence[str] = ("good", "crack"), count: int = 4, suffix: str = ".jpg"
) -> None:
    """One folder of photographs a class."""
    for place, name in enumerate(names):
        for i in range(count):
            save(root / name / f"{name[0]}{place}{i}{suffix}", photo(100 * place + i))


@dataclass(frozen=True)
class Expect:
    """What has to come of a case."""

    layout: str = ""  # "" = refused
    refused: str = ""  # words of the message
    types: tuple[str, ...] = ("crack",)
    clean: str = "good"
    sheets: int = 8
    masked: int = 0  # defective sheets with a mask
    defect_free: int = 4
    parts: tuple[int, int, int] = (0, 0, 0)
    bad: int = 0  # set aside
    options: dict[str, object] = field(default_factory=dict)  # of DataOptions
    groups: str | None = None


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    kind: str
    name: str
    draw: Callable[[Path], None]
    expect: Expect
