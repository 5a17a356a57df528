"""Logits in order, whatever the batch; the model left as it came."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model
from steelsight.models.inputs import to_input
from steelsight.training.predict import add_noise, predict_logits


@pytest.fixture
def model() -> SheetClassifier:
    return build_model(ModelSpec(name="adhoc", outputs=3, height=48, width=64))


@pytest.fixture
def images(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (7, 48, 64), dtype=np.uint8)


def test_batches_do_not_matter(model: SheetClassifier, images: np.ndarray) -> None:
    logits = predict_logits(model, images, batch=3)
    assert logits.dtype == np.float32
    model.eval()
    with torch.no_grad():
        expected = model(to_input(torch.from_numpy(images))).numpy()
    assert np.allclose(logits, expected, atol=1e-6)


def test_the_mode_of_the_model_is_restored(model: SheetClassifier, images: np.ndarray) -> None:
    predict_logits(model.train(), images)
    assert model.training
    predict_logits(model.eval(), images)
    assert not model.training


def test_no_images_no_logits(model: SheetClassifier, images: np.ndarray) -> None:
    assert predict_logits(model, images[:0]).shape == (0, 3)


def test_noise_is_the_study_s_and_repeats(model: SheetClassifier, images: np.ndarray) -> None:
    clean = predict_logits(model, images)
    first, second = (predict_logits(model, images, noise_sigma=0.15) for _ in range(2))
    other = predict_logits(model, images, noise_sigma=0.15, generator=torch.Generator().manual_seed(9))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, clean)
    assert not np.array_equal(first, other)
    inputs = to_input(torch.from_numpy(images))
    noise = add_noise(inputs, 0.15, torch.Generator().manual_seed(0)) - inputs
    assert noise.std().item() == pytest.approx(0.15, rel=0.02)
    assert add_noise(inputs, 0.0, torch.Generator()) is inputs
