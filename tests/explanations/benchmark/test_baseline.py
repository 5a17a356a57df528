"""The best constant mask, against whole sheets, single masks and a search over all masks of a small sheet."""

from __future__ import annotations

from itertools import product

import numpy as np

from steelsight.explanations.benchmark.baseline import constant_mask_dice


def _mean_dice(mask: np.ndarray, truths: np.ndarray) -> float:
    both = (truths & mask).sum(axis=(1, 2))
    return float((2 * both / (truths.sum(axis=(1, 2)) + mask.sum())).mean())


def _truths(rng: np.random.Generator, count: int, size: tuple[int, int]) -> np.ndarray:
    truths = rng.random((count, *size)) < rng.random(size)
    truths[:, 0, 0] = True  # none is empty
    return truths


def test_it_is_at_least_the_whole_sheet_and_at_most_the_best_of_all_masks(rng: np.random.Generator) -> None:
    masks = [np.array(bits).reshape(2, 4) for bits in product([False, True], repeat=8) if any(bits)]
    for _ in range(20):
        truths = _truths(rng, 5, (2, 4))
        found = float(constant_mask_dice(truths).mean())
        assert found >= _mean_dice(np.ones((2, 4), dtype=bool), truths) - 1e-12
        assert found <= max(_mean_dice(mask, truths) for mask in masks) + 1e-12


def test_defects_at_one_place_need_no_model() -> None:
    truths = np.zeros((6, 10, 20), dtype=bool)
    truths[:, 2:4, 5:9] = True
    assert constant_mask_dice(truths).tolist() == [1.0] * 6
