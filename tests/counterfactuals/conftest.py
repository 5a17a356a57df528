"""Small sheets with a defect, a stain, a sheet end."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from steelsight.counterfactuals.sheets import ProofSheets

HEIGHT, WIDTH = 64, 160

Draw = Callable[..., ProofSheets]


def draw_one(
    rng: np.random.Generator, *, defect: bool, stain: bool, end: bool
) -> tuple[np.ndarray, np.ndarray]:
    """One sheet of 64x160 and the mask of its dark upright defect."""
    level = rng.normal(rng.uniform(90, 130), 6, (HEIGHT, WIDTH))
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    if defect:
        left = int(rng.integers(40, 70))
        mask[8:56, left : left + 5] = True
        level[mask] *= 0.45
    if stain:
        top, left = int(rng.integers(4, 40)), int(rng.integers(84, 110))
        level[top : top + 14, left : left + 12] = 254
    if end:
        level[:, -int(rng.integers(16, 40)) :] = 2
    return np.clip(level, 0, 255).astype(np.uint8), mask


@pytest.fixture
def draw() -> Draw:
    """Draw sheets, half of them defective; `stain` and `end`: probabilities without and with a defect."""

    def make(
        count: int = 120,
        *,
        stain: tuple[float, float] = (0.0, 0.0),
        end: tuple[float, float] = (0.0, 0.0),
        seed: int = 0,
        groups: tuple[str, ...] | None = None,
    ) -> ProofSheets:
        rng = np.random.default_rng(seed)
        labels = np.arange(count) % 2
        drawn = [
            draw_one(
                rng,
                defect=bool(label),
                stain=bool(rng.random() < stain[label]),
                end=bool(rng.random() < end[label]),
            )
            for label in labels.tolist()
        ]
        return ProofSheets(
            "drawn",
            tuple(f"sheet_{number:03}.png" for number in range(count)),
            ("none", "defect"),
            np.stack([gray for gray, _ in drawn]),
            labels.astype(np.int64),
            np.ones(count, dtype=bool),
            [mask for _, mask in drawn].__getitem__,
            groups or ("",) * count,
        )

    return make
