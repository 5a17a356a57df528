"""Small sheets and networks for proofs, with known class evidence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from steelsight.counterfactuals.nuisances.nuisance import Kind, Nuisance
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.types import GrayBatch, GrayImage, Logits, Mask

HEIGHT, WIDTH = 64, 160

SMALL = (  # a recipe that is trained on such sheets in seconds
    "model.name=adhoc",
    "height=64",
    "width=160",
    "batch_size=8",
    "max_epochs=6",
    "optimiser.learning_rate=1e-3",
    "threads=1",
    "precision=fp32",
    "split.method=stratified",
    "augment.camera_noise=0",  # six epochs on 120 sheets: the marks are faint
)

Network = Callable[[GrayBatch], Logits]


def steel(rng: np.random.Generator, *, level: float = 110) -> GrayImage:
    """A clean sheet with grain."""
    return np.clip(rng.normal(level, 6, (HEIGHT, WIDTH)), 0, 255).astype(np.uint8)


def stained(gray: GrayImage, *, top: int = 20, left: int = 90) -> tuple[GrayImage, Mask]:
    """The sheet with a white square of 14x12, and the mask of the square."""
    mask = np.zeros(gray.shape, dtype=bool)
    mask[top : top + 14, left : left + 12] = True
    return np.where(mask, np.uint8(252), gray), mask


def make_sheets(
    count: int = 120,
    *,
    stains: tuple[float, float] = (0.5, 0.0),
    ends: tuple[float, float] = (0.0, 0.0),
    classes: tuple[str, ...] = ("none", "defect"),
    groups: tuple[str, ...] | None = None,
    seed: int = 0,
) -> ProofSheets:
    """Sheets of all classes in turn; defects are dark vertical bars, as many as the class index.

    stains, ends  shares of the defect-free sheets and of the defective ones that have the nuisance
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(classes)
    images, masks = np.empty((count, HEIGHT, WIDTH), np.uint8), np.zeros((count, HEIGHT, WIDTH), bool)
    for row, label in enumerate(labels.tolist()):
        gray, turn = steel(rng), row // len(classes) / (count / len(classes))
        for bar in range(label):
            left = int(rng.integers(30, 36)) + 12 * bar
            masks[row, 8:56, left : left + 5] = True
        gray[masks[row]] = 45
        if turn < stains[min(label, 1)]:
            gray, _ = stained(gray, top=int(rng.integers(4, 40)), left=int(rng.integers(84, 110)))
        if turn < ends[min(label, 1)]:
            gray[:, -int(rng.integers(12, 30)) :] = 3
        images[row] = gray
    return ProofSheets(
        name="made",
        ids=tuple(f"sheet_{row:03}.png" for row in range(count)),
        class_names=classes,
        images=images,
        labels=labels.astype(np.int64),
        located=np.ones(count, dtype=bool),
        defect=lambda row: masks[row],
        groups=groups or ("",) * count,
    )


def nuisance_of(sheets: ProofSheets, kind: Kind | None = "stain") -> Nuisance:
    """The true nuisance, by counting pixels outside the range of the grain."""
    pixels = (sheets.images > 240) if kind != "end" else (sheets.images < 10)
    present = pixels.sum((1, 2)) > 30
    return Nuisance(kind or "a list", kind, "list", present, np.ones(len(sheets), bool))


def network(*, white: float = 0.0, black: float = 0.0, classes: int = 2) -> Network:
    """A network that counts dark bars; white pixels are evidence for none, black ones for the last class.

    A bar of 5x48 dark pixels is worth 6 logits; `white` and `black` are logits for a 14x12 stain of either.
    Grain below every bar and stain, and beside every end, breaks ties.
    """

    def predict(images: GrayBatch) -> Logits:
        flat = images.reshape(len(images), -1)
        bars = ((flat > 20) & (flat < 60)).sum(1) / 240
        grain = (images[:, 56:, :100].reshape(len(images), -1) - 110.0) @ np.linspace(0, 1e-3, 800)
        away = -6.0 * np.abs(bars[:, None] - np.arange(classes))
        away[:, -1] += grain
        away[:, 0] += white * (flat > 200).sum(1) / 168
        away[:, -1] += black * (flat < 15).sum(1) / 168
        return away.astype(np.float32)

    return predict


def write_sheets(sheets: ProofSheets, folder: Path) -> Path:
    """Class folders with masks, as `steelsight data` reads them."""
    for row, id_ in enumerate(sheets.ids):
        place = folder / sheets.class_names[int(sheets.labels[row])] / id_
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sheets.images[row]).save(place.with_suffix(".jpg"), quality=97)
        if sheets.labels[row]:
            Image.fromarray(sheets.defect(row).astype(np.uint8) * 255).save(place)
    return folder
