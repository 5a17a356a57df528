"""Debiased linear CKA against its definition as a mean over quadruples, in float64."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from steelsight.errors import BadInput
from steelsight.inspection.transplant.cka import compare_layers, linear_cka
from steelsight.inspection.transplant.parts import list_parts
from steelsight.models.classifier import SheetClassifier
from steelsight.models.inputs import to_input


def slow_hsic(x: np.ndarray, y: np.ndarray) -> float:
    """Song et al. 2012, eq. 4: k_ij (l_ij + l_qr - 2 l_iq), its mean over all quadruples of sheets."""
    k, l = (features.astype(np.float64) @ features.astype(np.float64).T for features in (x, y))  # noqa: E741
    terms = [k[i, j] * (l[i, j] + l[q, r] - 2 * l[i, q]) for i, j, q, r in permutations(range(len(x)), 4)]
    return float(np.mean(terms))


def slow_cka(x: np.ndarray, y: np.ndarray) -> float:
    return slow_hsic(x, y) / np.sqrt(slow_hsic(x, x) * slow_hsic(y, y))


@pytest.mark.parametrize("offset", [0.0, 20.0])
@pytest.mark.parametrize(("wide", "other"), [(3, 5), (40, 2)])
def test_agrees_with_a_slow_implementation(wide: int, other: int, offset: float) -> None:
    """In float32 with means twenty deviations large: 1e-4 is what their products keep."""
    rng = np.random.default_rng(wide)
    x = rng.normal(offset, 1, (9, wide)).astype(np.float32)
    y = (np.tanh(x[:, :2] - offset) @ rng.normal(size=(2, other)) + rng.normal(size=(9, other))).astype(
        np.float32
    )
    found = linear_cka(torch.from_numpy(x), torch.from_numpy(y))
    assert found == pytest.approx(slow_cka(x, y), abs=1e-4)


@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 100), shift=st.floats(-5, 5))
@settings(max_examples=25)
def test_cka_does_not_change_under_rotation_scale_and_shift(seed: int, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(12, 4)), rng.normal(size=(12, 6))
    y[:, :4] += x
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    first, second, moved = (torch.from_numpy(each) for each in (x, y, scale * x @ turn + shift))
    assert linear_cka(moved, second) == pytest.approx(linear_cka(first, second), abs=1e-6)
    assert linear_cka(second, first) == pytest.approx(linear_cka(first, second), abs=1e-12)
    assert linear_cka(first, moved) == pytest.approx(1, abs=1e-6)


def test_unrelated_features_have_no_similarity_even_if_wide() -> None:
    """The biased estimate of the same is near 1, which is why this one is used."""
    rng = np.random.default_rng(0)
    found, biased = [], []
    for _ in range(40):
        x, y = (torch.from_numpy(rng.normal(size=(16, 400))) for _ in range(2))
        found.append(linear_cka(x, y))
        a, b = (each - each.mean(0) for each in (x, y))
        cross = torch.linalg.norm(b.T @ a) ** 2
        biased.append(float(cross / (torch.linalg.norm(a.T @ a) * torch.linalg.norm(b.T @ b))))
    assert np.mean(biased) > 0.9
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(len(found))


def test_constant_features_have_none() -> None:
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    assert np.isnan(linear_cka(x, torch.ones(8, 2)))


@pytest.mark.parametrize(("first", "second"), [(3, 3), (8, 7)])
def test_bad_sheets(first: int, second: int) -> None:
    with pytest.raises(BadInput, match=f"at least 4, got {first} and {second}"):
        linear_cka(torch.randn(first, 2), torch.randn(second, 2))


def _two_layers(model: SheetClassifier, sheets: np.ndarray) -> list[Tensor]:
    """What conv 1 and the last layer hand on, by torch's own means."""
    features = model.features[:3]  # convolution, ReLU, pooling
    with torch.inference_mode():
        images = to_input(torch.from_numpy(sheets))
        return [features(images).flatten(1), model(images)]


def test_layers_of_one_batch_equal_the_plain_function(build, sheets) -> None:
    first, second = build("squeezenet_reduced"), build("squeezenet_reduced", outputs=2, seed=1)
    found = compare_layers(first, {"other": second}, sheets, rng=np.random.default_rng(0))["other"]
    assert found.rows == tuple(part.name for part in list_parts(first))
    assert found.sheets == 7
    outputs = [_two_layers(model, sheets) for model in (first, second)]
    for row in (0, 1):
        for column in (0, 1):
            expected = linear_cka(outputs[0][row], outputs[1][column])
            assert found.estimate[-row, -column] == pytest.approx(expected, abs=1e-5)
    assert np.isnan(found.low).all(), "one batch has no bounds"


def test_a_model_is_equal_to_itself_in_every_batch(build, rng) -> None:
    images = rng.integers(0, 256, (44, 48, 64), dtype=np.uint8)
    model = build()
    found = compare_layers(model, {"itself": model, "other": build(seed=1)}, images, rng=rng, batch=4)
    assert found["itself"].sheets == 44
    for interval in found["itself"].same_place().values():
        assert (interval.low, interval.estimate, interval.high) == pytest.approx((1, 1, 1))
    other = found["other"]
    assert (other.low <= other.estimate).all()
    assert (other.estimate <= other.high).all()
    assert (other.high < 1.0001).all()


def test_too_few_sheets_are_refused(build, sheets) -> None:
    with pytest.raises(BadInput, match="expected at least 4 sheets a batch, got 3"):
        compare_layers(build(), {"other": build()}, sheets[:3], rng=np.random.default_rng(0))
