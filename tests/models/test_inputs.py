"""Model input: the three normalised channels, their memory layout, and what is refused."""

import numpy as np
import pytest
import torch

from steelsight.errors import BadInput
from steelsight.models.inputs import IMAGENET_MEAN, IMAGENET_STD, to_input


def test_follows_the_definition(rng: np.random.Generator) -> None:
    gray = rng.integers(0, 256, (2, 5, 7), dtype=np.uint8)
    expected = np.stack(
        [(gray / 255 - mean) / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)], axis=1
    )
    came = to_input(torch.from_numpy(gray))
    assert came.dtype == torch.float32
    assert np.allclose(came.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_is_channels_last(count: int) -> None:
    images = to_input(torch.zeros(count, 8, 12, dtype=torch.uint8))
    assert images.shape == (count, 3, 8, 12)
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_black_and_white_are_the_extremes() -> None:
    images = to_input(torch.tensor([[[0, 255]]], dtype=torch.uint8))
    assert images[0, :, 0, 0].tolist() == pytest.approx(
        [-m / s for m, s in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    )
    assert images[0, :, 0, 1].tolist() == pytest.approx(
        [(1 - m) / s for m, s in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    )


@pytest.mark.parametrize(
    ("gray", "message"),
    [
        (torch.zeros(1, 4, 4), r"expected gray uint8 of shape \(n, h, w\), got float32"),
        (torch.zeros(4, 4, dtype=torch.uint8), r"got uint8 of shape \(4, 4\)"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), r"got uint8 of shape \(1, 3, 4, 4\)"),
    ],
)
def test_refuses_other_arrays(gray: torch.Tensor, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        to_input(gray)
