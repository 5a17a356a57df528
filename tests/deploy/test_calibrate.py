"""What a certificate counts: the sheets that the bundle would answer, and no others."""

from __future__ import annotations

import numpy as np
import pytest

from steelsight.deploy.calibrate import calibrate
from steelsight.deploy.export_data import ExportData
from steelsight.runtime.engine.engine import Engine, Outputs

TRAIN, VALIDATION, UNSEEN = 300, 200, 600


class Sheets(ExportData):
    """Sheets known by their number, which is their only pixel's value; class = number modulo 2."""

    def __init__(self) -> None:
        ends = np.cumsum([TRAIN, VALIDATION, UNSEEN])
        parts = np.split(np.arange(ends[-1]), ends[:-1])
        for name, rows in zip(("train", "validation", "unseen"), parts, strict=True):
            object.__setattr__(self, name, rows)

    def images(self, rows: np.ndarray) -> np.ndarray:
        return np.stack([rows // 256, rows % 256], axis=1).astype(np.uint8)[:, None]

    def labels(self, rows: np.ndarray) -> np.ndarray:
        return rows % 2

    def groups(self, rows: np.ndarray) -> list[str]:
        return [str(row) for row in rows]


class Answers(Engine):
    """Confident everywhere; right on familiar sheets, wrong on those far from the training sheets."""

    def __init__(self, far_share: float) -> None:
        self.far_share = far_share

    def __call__(self, images: np.ndarray) -> Outputs:
        rows = images[:, 0, 0].astype(int) * 256 + images[:, 0, 1]
        rng = np.random.default_rng(5)
        noise = rng.normal(size=(TRAIN + VALIDATION + UNSEEN, 3))[rows]
        far = (rows >= TRAIN + VALIDATION) & (rows % 100 < 100 * self.far_share)
        labels = rows % 2
        embedding = noise + 4.0 * labels[:, None] + 500.0 * far[:, None]
        shown = np.where(far, 1 - labels, labels)
        logits = np.where(np.arange(2) == shown[:, None], 4.0, -4.0).astype(np.float32)
        logits[rows % 37 == 0] *= -0.02  # some doubt, so that a temperature can be fitted
        maps = np.zeros((len(rows), 2, 1, 1), np.float32)
        return Outputs(logits, maps, embedding.astype(np.float32), None)


@pytest.mark.parametrize("far_share", [0.0, 0.3])
def test_unfamiliar_sheets_are_no_answers_of_a_certificate(far_share: float) -> None:
    found = calibrate(
        Answers(far_share), Sheets(), "multiclass", risk=0.05, delta=0.1, rng=np.random.default_rng(0)
    )
    assert found.threshold is not None
    answered = float(found.statement.split("where ")[1].split(" %")[0]) / 100
    assert answered == pytest.approx(1 - far_share, abs=0.05)
