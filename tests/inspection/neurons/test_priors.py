"""The regularisers against slow implementations."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter

from steelsight.inspection.neurons.priors import (
    CHARBONNIER,
    LONGEST,
    blur,
    limit,
    smooth_spectrum,
    unit,
    variation,
)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("side", [1, 3, 4, 10])
def test_blur_is_a_moving_average(side: int) -> None:
    images = draw(2, 1, 20, 15)
    found = blur(images, [side, 3])
    # SciPy puts the centre of an even window half a pixel later than before // 2 does
    expected = uniform_filter(images[0, 0].numpy(), side, mode="nearest", origin=-1 if side % 2 == 0 else 0)
    assert np.allclose(found[0, 0], expected)
    assert np.allclose(found[1, 0], uniform_filter(images[1, 0].numpy(), 3, mode="nearest"))


def test_variation_is_the_gradient_of_total_variation() -> None:
    images = draw(2, 3, 7, 6).requires_grad_()
    total = sum(((images.diff(dim=axis)) ** 2 + CHARBONNIER**2).sqrt().sum() for axis in (2, 3))
    expected = torch.autograd.grad(total, images)[0]
    assert torch.allclose(variation(images.detach()), expected, atol=1e-10)


@pytest.mark.parametrize("size", [(16, 12), (9, 15)])
def test_the_smooth_spectrum_is_ascent_over_scaled_fourier_coefficients(size: tuple[int, int]) -> None:
    """x = F^-1(s z): one step along the gradient over z moves x by F^-1(s s F g)."""
    gradient = draw(1, 1, *size)
    rows, columns = torch.fft.fftfreq(size[0]).double(), torch.fft.fftfreq(size[1]).double()
    frequency = (rows[:, None] ** 2 + columns[None] ** 2).sqrt().clamp(min=1 / LONGEST)
    scale = frequency**-0.5

    def image(z: torch.Tensor) -> torch.Tensor:
        return torch.fft.ifft2(scale * torch.fft.fft2(z, norm="ortho"), norm="ortho").real

    z = torch.zeros_like(gradient, requires_grad=True)
    step = torch.autograd.grad((image(z) * gradient).sum(), z)[0]
    assert torch.allclose(smooth_spectrum(gradient, 0.5), image(step), atol=1e-6)


@given(st.floats(0.1, 3.0), st.floats(0.01, 50.0), st.booleans())
def test_limits_hold_and_do_not_change_valid_images(contrast: float, scale: float, clip: bool) -> None:
    images = (scale * draw(3, 1, 5, 6)).float()
    areas = torch.full((3,), 30.0)
    found = limit(images, areas, contrast=contrast, clip=clip)
    assert (found.square().mean((1, 2, 3)).sqrt() <= contrast * (1 + 1e-5)).all()
    assert torch.allclose(limit(found, areas, contrast=contrast, clip=clip), found, atol=1e-5)
    assert (found.sign() == images.sign()).all()


def test_unit_scales_each_image_alone_and_leaves_zero() -> None:
    images = torch.stack([torch.zeros(1, 4, 4), torch.ones(1, 4, 4), 7 * torch.ones(1, 4, 4)])
    found = unit(images, torch.full((3,), 16.0))
    assert torch.equal(found[0], images[0])
    assert torch.allclose(found[1:], torch.ones(2, 1, 4, 4))
