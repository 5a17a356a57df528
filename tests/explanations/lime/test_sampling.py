"""Samples of shown superpixels: their distribution and regression equal the reference's."""

from __future__ import annotations

import numpy as np
import torch

from steelsight.explanations.lime.sampling import ReferenceSamples, draw_masks, shown_distribution


def cosine_weight(mask: np.ndarray) -> float:
    """The reference's weight of a set, from its definition."""
    norm = np.linalg.norm(mask)
    cosine = mask.sum() / (norm * np.sqrt(len(mask))) if norm else 0.0
    return float(np.sqrt(np.exp(-((1 - cosine) ** 2) / 0.25**2)))


def test_numbers_shown_follow_the_binomial_times_the_kernel() -> None:
    pieces = 6
    chances = shown_distribution(pieces)
    weighted = np.zeros(pieces + 1)
    for code in range(2**pieces):
        mask = np.array([code >> bit & 1 for bit in range(pieces)], float)
        weighted[int(mask.sum())] += cosine_weight(mask)
    assert np.allclose(chances, weighted / weighted.sum())
    masks = draw_masks(pieces, 4000, np.random.default_rng(0))
    drawn = np.bincount(masks.sum(1).astype(int), minlength=pieces + 1) / len(masks)
    assert np.abs(drawn - chances).max() < 0.002  # stratified: far nearer than chance would be
    assert np.abs(masks.mean(0) - masks.mean()).max() < 0.03


def test_antithetic_pairs_show_complementary_superpixels() -> None:
    masks = draw_masks(40, 400, np.random.default_rng(1))
    first, second = masks[::2], masks[1::2]
    both, neither = (first * second).sum(1), ((1 - first) * (1 - second)).sum(1)
    assert (np.minimum(both, neither) == 0).all()


def test_an_odd_number_of_samples_is_drawn() -> None:
    assert draw_masks(5, 7, np.random.default_rng(0)).shape == (7, 5)


def test_the_regression_equals_the_references() -> None:
    coins = ReferenceSamples(8, np.random.default_rng(2))
    masks = coins.masks.double().numpy().T
    answers = np.random.default_rng(3).normal(size=len(masks)) + masks @ np.arange(8)
    weights = np.array([cosine_weight(mask) for mask in masks])
    centred = masks - np.average(masks, axis=0, weights=weights)
    wanted = answers - np.average(answers, weights=weights)
    slow = np.linalg.solve(
        centred.T @ (centred * weights[:, None]) + np.eye(8), centred.T @ (weights * wanted)
    )
    assert np.allclose(coins.regress(torch.from_numpy(answers).float()).numpy(), slow, atol=1e-4)
