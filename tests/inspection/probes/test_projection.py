"""The count sketch: a slow implementation, its Johnson-Lindenstrauss property, its seeds."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadInput
from steelsight.inspection.probes.projection import draw_sketch

NUMBERS = 64
DRAWS = 400


def _slow_matrix(size: int, numbers: int, seed: int) -> np.ndarray:
    """The matrix written coordinate by coordinate in float64, from the sketch's own draws."""
    sketch = draw_sketch(size, numbers, seed=seed)
    matrix = np.zeros((numbers, size))
    for i in range(size):
        matrix[(i % numbers + sketch.shifts[i // numbers]) % numbers, i] = float(sketch.signs[i])
    return matrix


@given(size=st.integers(1, 300), numbers=st.integers(1, 70), seed=st.integers(0, 2**31))
def test_projection_equals_the_matrix_product(size: int, numbers: int, seed: int) -> None:
    rows = torch.randn(3, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    sketch = draw_sketch(size, numbers, seed=seed)
    matrix = _slow_matrix(size, numbers, seed)
    assert np.allclose(sketch.project(rows).numpy(), rows.numpy() @ matrix.T, atol=1e-12)
    assert np.array_equal(sketch.matrix().numpy(), matrix)
    assert (np.abs(matrix).sum(0) == 1).all(), "every coordinate is read once"


def _vectors(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    """Dense, sparse, smooth and spiky vectors, of length 1."""
    sparse = np.zeros(size)
    sparse[rng.permutation(size)[:5]] = 1
    neighbours = np.zeros(size)
    neighbours[100:104] = 1
    raw = {
        "dense": rng.normal(size=size),
        "sparse": sparse,
        "smooth": np.sin(np.arange(size) / 50),
        "one": np.eye(size)[7],
        "neighbours": neighbours,
        "periodic": (np.arange(size) % NUMBERS == 3).astype(float),
    }
    return {name: vector / np.linalg.norm(vector) for name, vector in raw.items()}


@pytest.mark.parametrize("kind", ["dense", "sparse", "smooth", "one", "neighbours", "periodic"])
def test_lengths_stay_within_the_bound(kind: str, rng: np.random.Generator) -> None:
    """Over draws the squared length has mean 1 and deviation at most sqrt(2/k).

    400 draws know a mean to a twentieth of the deviation and a deviation to about a tenth (heavier tails: a
    fifth), so four times the one and half of the other on top are allowed.
    """
    vector = torch.from_numpy(_vectors(rng, 1000)[kind])[None]
    squares = np.array(
        [float((draw_sketch(1000, NUMBERS, seed=seed).project(vector) ** 2).sum()) for seed in range(DRAWS)]
    )
    bound = (2 / NUMBERS) ** 0.5
    assert abs(squares.mean() - 1) <= 4 * bound / DRAWS**0.5
    assert squares.std() <= 1.5 * bound


def test_distances_of_many_points_are_kept(rng: np.random.Generator) -> None:
    """All 435 distances of 30 points, at the size in use: within five deviations of the bound."""
    points = torch.from_numpy(rng.normal(size=(30, 20_000)).astype(np.float32))
    short = draw_sketch(20_000, 512, seed=0).project(points)
    ratios = torch.pdist(short) ** 2 / torch.pdist(points) ** 2
    assert (ratios - 1).abs().max() <= 5 * (2 / 512) ** 0.5


def test_a_seed_determines_the_projection() -> None:
    first, again, other = (draw_sketch(900, 64, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first.matrix(), again.matrix())
    assert not torch.equal(first.matrix(), other.matrix())


@pytest.mark.parametrize(("size", "numbers"), [(0, 4), (4, 0)])
def test_empty_sizes_are_refused(size: int, numbers: int) -> None:
    with pytest.raises(BadInput, match="expected at least 1 coordinate and 1 number"):
        draw_sketch(size, numbers, seed=0)
