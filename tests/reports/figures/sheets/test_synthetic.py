"""The comparison figure: one panel per type and measure; missing data are allowed."""

import numpy as np

from steelsight.reports.figures.sheets.synthetic import draw_mask_comparison


def measures(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    return {
        "components": rng.integers(1, 6, n),
        "area_px": rng.uniform(30, 9000, n),
        "height_px": rng.uniform(3, 256, n),
        "width_px": rng.uniform(3, 900, n),
        "across": rng.random(n),
        "down": rng.random(n),
    }


def test_one_row_per_type(rng: np.random.Generator) -> None:
    figure = draw_mask_comparison({1: measures(rng, 40), 3: measures(rng, 90)}, {1: measures(rng, 30)})
    assert len(figure.axes) == 12
    assert [axes.get_ylabel() for axes in figure.axes[::6]] == ["type 1", "type 3"]
    drawn = [len(axes.patches) for axes in figure.axes]
    assert drawn == [2] * 6 + [1] * 6  # real and synthetic for type 1, real alone for type 3


def test_shares_sum_to_one(rng: np.random.Generator) -> None:
    figure = draw_mask_comparison({2: measures(rng, 25)}, {})
    for axes in figure.axes:
        assert np.isclose(axes.patches[0].get_data().values.sum(), 1)
