"""The emulator: leave-one-out predictions, adjacent superpixels, and effects it can represent."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from steelsight.explanations.lime.emulator import adjacent_segments, fit_emulator
from steelsight.explanations.lime.sampling import draw_masks
from steelsight.explanations.lime.segments import segment_sheet

GRID = (2, 6)
SETTINGS = {"grid": GRID, "centre": 0.52, "memory_mb": 64.0}


@pytest.fixture
def cut() -> np.ndarray:
    return segment_sheet(np.zeros((32, 96)), "grid", cells=12)


def local_values(masks: torch.Tensor) -> torch.Tensor:
    """Twelve places, each the product and the sum of a superpixel and its right neighbour."""
    following = masks.roll(-1, 0)
    return (masks + 0.5 * following - 2 * masks * following).T.contiguous()


def draw(pieces: int, count: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(draw_masks(pieces, count, np.random.default_rng(seed)).T.copy())


def test_adjacent_superpixels_are_found_once() -> None:
    cut = np.array([[0, 0, 1], [2, 2, 1], [3, 3, 3]])
    assert sorted(map(tuple, adjacent_segments(cut).T.tolist())) == [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]
    assert adjacent_segments(np.zeros((3, 3), np.int64)).shape == (2, 0)


@pytest.mark.parametrize("memory_mb", [64.0, 1e-3])
@pytest.mark.parametrize("grid", [GRID, (1, 1)])
def test_leave_one_out_predictions_equal_fits_without_the_sample(
    cut: np.ndarray, grid: tuple[int, int], memory_mb: float
) -> None:
    masks = draw(12, 40)
    noise = torch.randn(40, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    values = (local_values(masks) + 0.1 * noise)[:, : grid[0] * grid[1]]
    values = values - values.mean(0)  # the level, taken off before the fit, would otherwise differ by 1/40
    settings = {**SETTINGS, "grid": grid, "memory_mb": memory_mb}
    _, left_out = fit_emulator(masks, values, cut, **settings)
    for out in (0, 17, 39):
        kept = [at for at in range(40) if at != out]
        emulator, _ = fit_emulator(masks[:, kept], values[kept], cut, **settings)
        predicted = emulator.predict(masks[:, out : out + 1])[0]
        assert torch.allclose(left_out[out], predicted, atol=0.02)
        assert (left_out[out] - values[out]).abs().max() > 0.05  # nor is it the answer itself


def test_few_samples_determine_effects_of_neighbours(cut: np.ndarray) -> None:
    """Sixty sets teach twelve places what no linear surrogate can hold."""
    train, test = draw(12, 60), draw(12, 200, seed=1)
    emulator, _ = fit_emulator(train, local_values(train), cut, **SETTINGS)
    wanted = local_values(test)
    left = (emulator.predict(test) - wanted).square().mean(0) / wanted.var(0)
    across = [place for place in range(12) if place % 6 != 5]  # the others' partner is a row away
    assert left[across].max() < 0.03


def test_average_pooling_is_the_mean_over_the_places(cut: np.ndarray) -> None:
    train = draw(12, 60)
    emulator, _ = fit_emulator(train, local_values(train), cut, **SETTINGS)
    expected = emulator.predict(train).mean(1, keepdim=True)
    assert torch.allclose(emulator.averaged().predict(train), expected)
