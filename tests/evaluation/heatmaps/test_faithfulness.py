"""Faithfulness on models whose evidence is known by construction."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from steelsight.errors import BadInput
from steelsight.evaluation.heatmaps.faithfulness import (
    blurred_sheet,
    delete_insert,
    rank_similarity,
    stability,
)

SIZE = (16, 24)


@pytest.fixture
def sheet() -> np.ndarray:
    """Gray with one bright block, which is all the model below looks at."""
    image = np.full(SIZE, 100, dtype=np.uint8)
    image[4:8, 6:12] = 250
    return image


def brightness(images: np.ndarray) -> np.ndarray:
    """A model that answers by the block's brightness alone."""
    return images[:, 4:8, 6:12].mean(axis=(1, 2)) / 255


def test_the_true_evidence_scores_better_than_its_opposite(sheet: np.ndarray) -> None:
    reason = np.zeros(SIZE, dtype=np.float32)
    reason[4:8, 6:12] = 1
    right = delete_insert(brightness, sheet, reason, steps=16)
    wrong = delete_insert(brightness, sheet, -reason, steps=16)
    assert right.deletion < wrong.deletion
    assert right.insertion > wrong.insertion


def test_the_curves_start_and_end_at_the_sheet_and_the_blank(
    sheet: np.ndarray, rng: np.random.Generator
) -> None:
    heat = rng.random(SIZE).astype(np.float32)
    curves = delete_insert(brightness, sheet, heat, steps=5)
    whole, blank = brightness(np.stack([sheet, blurred_sheet(sheet)]))
    assert curves.share.tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1], abs=0.01)
    assert (curves.deleted[0], curves.deleted[-1]) == (whole, blank)
    assert (curves.inserted[0], curves.inserted[-1]) == (blank, whole)


def test_the_hottest_pixels_are_removed_first(sheet: np.ndarray) -> None:
    seen: list[np.ndarray] = []

    def watch(images: np.ndarray) -> np.ndarray:
        seen.append(images)
        return np.zeros(len(images))

    heat = np.arange(sheet.size, dtype=np.float32).reshape(SIZE)
    delete_insert(watch, sheet, heat, blank=np.zeros(SIZE, dtype=np.uint8), steps=4)
    deleted = seen[0][:5].reshape(5, -1)
    for step, image in enumerate(deleted):
        kept = sheet.size - step * sheet.size // 4
        assert np.array_equal(image, np.where(np.arange(sheet.size) < kept, sheet.ravel(), 0))


def test_a_constant_model_has_flat_curves(sheet: np.ndarray, rng: np.random.Generator) -> None:
    heat = rng.random(SIZE).astype(np.float32)
    curves = delete_insert(lambda images: np.full(len(images), 0.3), sheet, heat)
    assert curves.deletion == curves.insertion == pytest.approx(0.3)


def test_similarity_is_spearman(rng: np.random.Generator) -> None:
    first = rng.integers(0, 5, SIZE).astype(np.float32)  # ties
    second = (first + rng.normal(0, 2, SIZE)).astype(np.float32)
    assert rank_similarity(first, second) == pytest.approx(spearmanr(first.ravel(), second.ravel()).statistic)
    assert rank_similarity(first, np.zeros(SIZE, dtype=np.float32)) == 0


def test_stability_separates_a_constant_from_a_random_map(
    sheet: np.ndarray, rng: np.random.Generator
) -> None:
    def steady(images: np.ndarray) -> np.ndarray:
        return np.repeat(np.arange(sheet.size, dtype=np.float32).reshape(1, *SIZE), len(images), axis=0)

    def jumpy(images: np.ndarray) -> np.ndarray:
        return rng.random(images.shape).astype(np.float32)

    settings = {"noise_levels": 2.0, "draws": 3}
    assert stability(steady, sheet, rng=np.random.default_rng(0), **settings) == 1
    assert abs(stability(jumpy, sheet, rng=np.random.default_rng(0), **settings)) < 0.3


def test_bad_input_is_refused(sheet: np.ndarray) -> None:
    with pytest.raises(BadInput, match=r"the sheet's size \(16, 24\) and at least 1 step, got \(16, 23\)"):
        delete_insert(brightness, sheet, np.zeros((16, 23), dtype=np.float32))
    with pytest.raises(BadInput, match="at least 1 draw"):
        stability(lambda images: images, sheet, noise_levels=1.0, draws=0, rng=np.random.default_rng(0))
