"""LIME: the reference's estimand, found with fewer questions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.explanations.baselines import black_sheet
from steelsight.explanations.lime import draw_masks, fit_surrogate, lime, lime_report, show_chances
from steelsight.explanations.segments import segment_sheet
from steelsight.models.catalog import ModelSpec, build_model
from steelsight.models.inputs import to_input


def sheets(count: int = 1, size: tuple[int, int] = (64, 80)) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return to_input(torch.randint(0, 256, (count, *size), dtype=torch.uint8, generator=generator))


class Interacting(nn.Module):
    """Logits with products of neighbouring superpixels: what a linear surrogate cannot hold."""

    def __init__(self, cut: np.ndarray) -> None:
        super().__init__()
        self.register_buffer(
            "cells", torch.nn.functional.one_hot(torch.from_numpy(cut)).permute(2, 0, 1).float()
        )
        torch.manual_seed(1)
        pieces = len(self.cells)
        self.single, self.pairs = torch.randn(pieces), torch.randn(pieces)

    def forward(self, images: Tensor) -> Tensor:
        levels = torch.einsum("nhw,shw->ns", images.mean(1), self.cells) / self.cells.sum((1, 2))
        logit = levels @ self.single + (levels * levels.roll(1, 1)) @ self.pairs
        return torch.stack([logit, -logit], 1)


def reference_estimate(
    model: nn.Module, image: Tensor, cut: np.ndarray, samples: int, seed: int
) -> np.ndarray:
    """The reference implementation, written slowly: fair coins, cosine distances, weights, ridge.

    Source: Ribeiro's `lime`, kernel width .25, ridge 1; hidden superpixels black.
    """
    rng = np.random.default_rng(seed)
    pieces = int(cut.max()) + 1
    masks = rng.integers(0, 2, (samples, pieces)).astype(float)
    masks[0] = 1
    hidden = black_sheet(image[None])[0]
    shown = torch.from_numpy(masks).float()[:, torch.from_numpy(cut).flatten()].reshape(-1, 1, *cut.shape)
    with torch.no_grad():
        answers = model(hidden + shown * (image - hidden))[:, 1].double().numpy()
    norms = np.linalg.norm(masks, axis=1)
    cosine = masks.sum(1) / np.where(norms > 0, norms, 1) / np.sqrt(pieces)
    weights = np.sqrt(np.exp(-((1 - cosine) ** 2) / 0.25**2))
    centre = np.average(masks, axis=0, weights=weights)
    wanted = answers - np.average(answers, weights=weights)
    scaled = (masks - centre) * weights[:, None]
    return np.linalg.solve(scaled.T @ (masks - centre) + np.eye(pieces), scaled.T @ wanted)


def test_the_estimand_is_the_references() -> None:
    images = sheets(size=(16, 20))
    cut = segment_sheet(images[0].mean(0).double().numpy(), "grid", cells=12)
    model = Interacting(cut)
    truth = reference_estimate(model, images[0], cut, 100_000, 0)
    ours = lime_report(
        model, images, 1, segments=[cut], samples=60_000, baselines=black_sheet(images)
    ).coefficients[0]
    spread = np.abs(truth).max()
    assert np.abs(ours - truth).max() < 0.03 * spread


def test_fewer_samples_rank_no_worse_than_the_reference_with_more() -> None:
    images = sheets(size=(16, 20))
    cut = segment_sheet(images[0].mean(0).double().numpy(), "grid", cells=20)
    model = Interacting(cut)
    truth = reference_estimate(model, images[0], cut, 40_000, 9)

    def rank(coefficients: np.ndarray) -> float:
        return float(spearmanr(coefficients, truth).statistic)

    ours = [
        rank(
            lime_report(
                model,
                images,
                1,
                segments=[cut],
                samples=400,
                baselines=black_sheet(images),
                generator=torch.Generator().manual_seed(seed),
            ).coefficients[0]
        )
        for seed in range(8)
    ]
    theirs = [rank(reference_estimate(model, images[0], cut, 1000, seed)) for seed in range(1, 9)]
    assert np.mean(ours) >= np.mean(theirs) - 0.01


def test_numbers_shown_follow_coins_times_the_kernel() -> None:
    pieces = 6
    chances = show_chances(pieces)
    weighted = np.zeros(pieces + 1)
    for code in range(2**pieces):
        mask = np.array([code >> bit & 1 for bit in range(pieces)], float)
        distance = 1 - mask.sum() / np.sqrt(max(mask.sum(), 1e-300)) / np.sqrt(pieces)
        weighted[int(mask.sum())] += np.sqrt(np.exp(-(distance**2) / 0.25**2))
    assert np.allclose(chances, weighted / weighted.sum())
    masks = draw_masks(pieces, 4000, np.random.default_rng(0))
    drawn = np.bincount(masks.sum(1).astype(int), minlength=pieces + 1) / len(masks)
    assert np.abs(drawn - chances).max() < 0.002  # stratified: far nearer than chance would be
    assert np.abs(masks.mean(0) - masks.mean()).max() < 0.03


def test_a_linear_model_is_recovered() -> None:
    images = sheets(size=(16, 20))
    cut = segment_sheet(images[0].mean(0).double().numpy(), "strips", cells=10)
    model = Interacting(cut)
    model.pairs.zero_()
    report = lime_report(model, images, 0, segments=[cut], samples=200)
    # Hiding a superpixel in its own mean colour leaves its mean level, hence a logit that never moves.
    assert report.maps.abs().max() < 1e-5
    black = torch.full_like(images, float(images.min()))
    report = lime_report(model, images, 0, segments=[cut], samples=200, baselines=black)
    levels = torch.einsum("hw,shw->s", (images - black)[0].mean(0), model.cells) / model.cells.sum((1, 2))
    exact = (levels * model.single).double().numpy()
    assert np.abs(report.coefficients[0] - exact).max() < 0.05 * np.abs(exact).max()
    assert report.r2[0] > 0.999
    assert report.stability[0] > 0.99


def test_the_quick_way_ranks_as_the_general_way() -> None:
    spec = ModelSpec(name="squeezenet_reduced", outputs=3, pretrained="none", height=64, width=80)
    model = build_model(spec, generator=torch.Generator().manual_seed(0)).eval()
    images = sheets(2)
    quick, general = (lime(each, images, [0, 2], samples=64) for each in (model, nn.Sequential(model)))
    assert torch.cosine_similarity(quick.flatten(1), general.flatten(1)).min() > 0.98


def test_settling_stops_early_and_says_so() -> None:
    images = sheets(size=(16, 20))
    cut = segment_sheet(images[0].mean(0).double().numpy(), "grid", cells=8)
    model = Interacting(cut)
    black = torch.full_like(images, float(images.min()))
    report = lime_report(model, images, 0, segments=[cut], samples=2000, settle=0.9, baselines=black)
    assert report.samples[0] < 2000
    assert report.stability[0] >= 0.9


def test_the_same_seed_gives_the_same_map() -> None:
    spec = ModelSpec(name="adhoc", outputs=3, pretrained="none", height=64, width=80)
    model = build_model(spec, generator=torch.Generator().manual_seed(0)).eval()
    first, second = (
        lime(model, sheets(), 1, samples=40, generator=torch.Generator().manual_seed(7)) for _ in range(2)
    )
    assert torch.equal(first, second)
    assert not torch.equal(
        first, lime(model, sheets(), 1, samples=40, generator=torch.Generator().manual_seed(8))
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 5}, "more than the"),
        ({"segments": [np.zeros((64, 80), np.int64)]}, "at least two superpixels"),
        ({"segments": [np.zeros((8, 8), np.int64)]}, "shape"),
        ({"segments": []}, "expected 1"),
        ({"segments": "voronoi"}, "slic, quickshift"),
        ({"baselines": torch.zeros(1, 3, 8, 8)}, "baselines"),
        ({"baselines": torch.full((1, 3, 64, 80), float("nan"))}, "baselines"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, object], message: str) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 80, 2))
    with pytest.raises(BadInput, match=message):
        lime(model, sheets(), 0, **settings)  # type: ignore[arg-type]


def test_constant_answers_have_no_coefficients() -> None:
    coefficients, r2 = fit_surrogate(draw_masks(5, 20, np.random.default_rng(0)), np.full(20, 3.0))
    assert not coefficients.any()
    assert np.isnan(r2)


@pytest.mark.parametrize("kind", ["slic", "quickshift", "strips", "grid"])
def test_superpixels_are_numbered_without_gaps(kind: str) -> None:
    gray = np.random.default_rng(0).random((64, 160))
    cut = segment_sheet(gray, kind, cells=20)
    assert cut.shape == gray.shape
    assert np.array_equal(np.unique(cut), np.arange(cut.max() + 1))
    assert 2 <= cut.max() + 1 <= 120
    assert np.array_equal(cut, segment_sheet(gray * 7 + 2, kind, cells=20))  # brightness changes nothing
