"""Random fields: unit variance, the right feature size, nothing but the generator behind them."""

import numpy as np
import pytest

from steelsight.sheets.synthetic.drawing.fields import (
    fine_line,
    fine_noise,
    fractal_noise,
    smooth_line,
    smooth_noise,
)
from steelsight.sheets.synthetic.streams import Streams


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: smooth_noise(rng, (300, 400), (5, 9)),
        lambda rng: fractal_noise(rng, (300, 400), (16, 8), octaves=3),
        lambda rng: fine_noise(rng, (300, 400), (0.7, 3.0)),
        lambda rng: smooth_line(rng, 60000, 12)[None],
        lambda rng: fine_line(rng, 60000, 2.0)[None],
    ],
)
def test_unit_variance(draw, rng: np.random.Generator) -> None:
    field = draw(rng)
    assert field.dtype == np.float32
    assert abs(field.mean()) < 0.1
    assert field.std() == pytest.approx(1, abs=0.12)


def test_scale_is_the_distance_of_likeness(rng: np.random.Generator) -> None:
    field = smooth_noise(rng, (400, 400), (4, 40))
    down = (field[:-4] * field[4:]).mean()
    across = (field[:, :-4] * field[:, 4:]).mean()
    assert across > 0.95 > 0.8 > down


def test_fine_noise_is_a_gaussian_filter_of_white_noise() -> None:
    """Oracle: SciPy's own Gaussian filter, up to the factor that restores unit variance."""
    from scipy.ndimage import gaussian_filter

    white = np.random.default_rng(4).standard_normal((200, 300), dtype=np.float32)
    ours = fine_noise(np.random.default_rng(4), (200, 300), (2.0, 3.0))
    theirs = gaussian_filter(white, (2.0, 3.0), truncate=2.6)
    inner = (slice(20, -20), slice(20, -20))
    assert np.corrcoef(ours[inner].ravel(), theirs[inner].ravel())[0, 1] > 0.9999


def test_streams_do_not_share() -> None:
    streams = Streams(3, 7)
    draws = {
        (name, part): streams.of(name, part).random()
        for name in ("light", "grain", "stain")
        for part in (0, 1)
    }
    draws["other sheet", 0] = Streams(3, 8).of("light").random()
    draws["other seed", 0] = Streams(4, 7).of("light").random()
    assert len(set(draws.values())) == len(draws)
    assert streams.of("light").random() == draws["light", 0]
