"""The study's noise."""

import numpy as np
import pytest

from steelsight.errors import BadInput
from steelsight.evaluation.robustness.noise import STUDY_SIGMA, add_study_noise


def test_noise_is_the_studys(rng):
    images = rng.normal(size=(4, 3, 32, 50)).astype(np.float32)
    added = add_study_noise(images, rng) - images
    count = added.size
    assert STUDY_SIGMA == 0.15
    # Standard errors of mean and spread over 19,200 draws; five of them.
    assert abs(added.mean()) < 5 * 0.15 / count**0.5
    assert abs(added.std() - 0.15) < 5 * 0.15 / (2 * count) ** 0.5
    between = np.corrcoef(added.transpose(1, 0, 2, 3).reshape(3, -1))
    assert np.abs(between - np.eye(3)).max() < 0.07  # channels are independent: 5 / sqrt(6,400)


def test_input_is_left_alone_and_seed_decides():
    images = np.zeros((1, 3, 4, 4), dtype=np.float32)
    first = add_study_noise(images, np.random.default_rng(1))
    second = add_study_noise(images, np.random.default_rng(1))
    assert (first == second).all()
    assert not images.any()
    assert first.dtype == np.float32


@pytest.mark.parametrize("sigma", [-0.1, float("nan"), float("inf")])
def test_bad_sigma(sigma, rng):
    with pytest.raises(BadInput, match="noise_sigma: expected a number of at least 0"):
        add_study_noise(np.zeros((1, 3, 2, 2), dtype=np.float32), rng, noise_sigma=sigma)
