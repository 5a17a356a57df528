"""LIME: the reference's estimand with fewer samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.explanations.baselines import black_sheet
from steelsight.explanations.lime.api import lime, lime_report
from steelsight.explanations.lime.sampling import draw_masks
from steelsight.explanations.lime.segments import segment_sheet
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
        self.step = 1  # between the two of a pair

    def forward(self, images: Tensor) -> Tensor:
        levels = torch.einsum("nhw,shw->ns", images.mean(1), self.cells) / self.cells.sum((1, 2))
        logit = levels @ self.single + (levels * levels.roll(self.step, 1)) @ self.pairs
        return torch.stack([logit, -logit], 1)


def predict(
    model: nn.Module, image: Tensor, hidden: Tensor, cut: np.ndarray, masks: np.ndarray
) -> np.ndarray:
    """Logits of class 1 of sheets mixed from their definition."""
    answers = []
    with torch.no_grad():
        for part in torch.from_numpy(masks).float().split(50):
            shown = part[:, torch.from_numpy(cut).flatten()].reshape(-1, 1, *cut.shape)
            mixed = (hidden + shown * (image - hidden)).contiguous(memory_format=torch.channels_last)
            answers.append(model(mixed)[:, 1].double().numpy())
    return np.concatenate(answers)


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
    answers = predict(model, image, hidden, cut, masks)
    norms = np.linalg.norm(masks, axis=1)
    cosine = masks.sum(1) / np.where(norms > 0, norms, 1) / np.sqrt(pieces)
    weights = np.sqrt(np.exp(-((1 - cosine) ** 2) / 0.25**2))
    centre = np.average(masks, axis=0, weights=weights)
    wanted = answers - np.average(answers, weights=weights)
    scaled = (masks - centre) * weights[:, None]
    return np.linalg.solve(scaled.T @ (masks - centre) + np.eye(pieces), scaled.T @ wanted)


def test_the_estimand_equals_the_references() -> None:
    images = sheets(size=(16, 20))
    cut = segment_sheet(images[0].mean(0).double().numpy(), "grid", cells=12)
    model = Interacting(cut)
    truth = reference_estimate(model, images[0], cut, 100_000, 0)
    ours = lime_report(
        model, images, 1, segments=[cut], samples=60_000, baselines=black_sheet(images)
    ).coefficients[0]
    spread = np.abs(truth).max()
    assert np.abs(ours - truth).max() < 0.03 * spread


def test_ranking_is_no_worse_than_the_references_with_more_samples() -> None:
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


def local_model(pooling: str = "lse") -> nn.Module:
    """A network whose head pools a class map."""
    spec = ModelSpec(
        name="squeezenet_reduced", head="direct", pooling=pooling, outputs=3, height=48, width=96
    )
    return build_model(spec, generator=torch.Generator().manual_seed(5)).eval()


def stained_sheet() -> Tensor:
    generator = torch.Generator().manual_seed(8)
    gray = torch.randint(90, 130, (1, 48, 96), dtype=torch.uint8, generator=generator)
    gray[:, 8:30, 20:40] = 240
    gray[:, 24:, 70:] = 10
    return to_input(gray)


@pytest.mark.parametrize("pooling", ["average", "lse"])
def test_the_emulator_needs_fewer_samples_with_a_class_map(pooling: str) -> None:
    model, image = local_model(pooling), stained_sheet()
    cut = segment_sheet(image[0].mean(0).double().numpy(), "grid", cells=12)
    truth = reference_estimate(model, image[0], cut, 4000, 9)
    settings = {"segments": [cut], "samples": 256, "baselines": black_sheet(image)}
    ours = [
        lime_report(model, image, 1, generator=torch.Generator().manual_seed(seed), **settings).coefficients[
            0
        ]
        for seed in range(4)
    ]
    theirs = [reference_estimate(model, image[0], cut, 1000, seed) for seed in range(2)]
    ranks = [spearmanr(each, truth).statistic for each in ours]
    assert np.mean(ranks) >= np.mean([spearmanr(each, truth).statistic for each in theirs]) - 0.01
    errors = [np.linalg.norm(each - truth) / np.linalg.norm(truth) for each in ours]
    assert np.mean(errors) < 0.2  # of the size as well as of the rank


def test_samples_are_added_until_the_emulator_is_good_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    model, image = local_model("average"), stained_sheet()
    cut = segment_sheet(image[0].mean(0).double().numpy(), "grid", cells=12)
    for enough, samples in ((0.5, 128), (2.0, 512)):
        monkeypatch.setattr("steelsight.explanations.lime.api.ENOUGH_R2", enough)
        report = lime_report(model, image, 1, segments=[cut])
        assert report.samples[0] == samples
        assert 0.6 < report.emulator_r2[0] < 1
    assert lime_report(nn.Sequential(model), image, 1, segments=[cut]).samples[0] == 8 * 12


def test_effects_outside_the_emulator_come_from_the_samples() -> None:
    """Products of superpixels that do not touch: more samples come nearer the reference's limit."""
    images = sheets(size=(16, 20))
    cut = segment_sheet(images[0].mean(0).double().numpy(), "grid", cells=12)
    model = Interacting(cut)
    model.step = 5
    truth = reference_estimate(model, images[0], cut, 100_000, 0)

    def error(samples: int) -> float:
        found = [
            lime_report(
                model,
                images,
                1,
                segments=[cut],
                samples=samples,
                baselines=black_sheet(images),
                generator=torch.Generator().manual_seed(seed),
            ).coefficients[0]
            for seed in range(3)
        ]
        return float(np.mean([np.linalg.norm(each - truth) for each in found]) / np.linalg.norm(truth))

    assert error(10_000) < 0.6 * error(400)
    assert error(10_000) < 0.05  # the noise of 10,000 samples, and of the reference


def test_a_model_that_ignores_its_input_gets_a_zero_map() -> None:
    class Deaf(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.new_tensor([1.5, -2.0]).expand(len(images), 2)

    report = lime_report(Deaf(), sheets(2), 1, samples=60)
    assert not report.maps.any()
    assert np.isnan(report.r2).all()
    assert np.isnan(report.stability).all()


def test_a_sheet_of_one_level_gets_a_zero_map() -> None:
    """A superpixel masked by its own colour does not change, for a catalog network and for another one."""
    flat = to_input(torch.full((1, 48, 96), 77, dtype=torch.uint8))
    cut = np.arange(96)[None].repeat(48, 0) // 12
    for model in (local_model(), nn.Sequential(local_model())):
        assert lime(model, flat, 1, segments=[cut], samples=20).abs().max() < 1e-4


def test_r2_equals_that_of_new_samples() -> None:
    images = sheets(size=(16, 20))
    cut = segment_sheet(images[0].mean(0).double().numpy(), "grid", cells=12)
    model, hidden = Interacting(cut), torch.full_like(images, -9.0)
    model.single += 8 * model.pairs.abs().max()  # mostly, not wholly linear
    masks = draw_masks(12, 4000, np.random.default_rng(5))
    answers = predict(model, images[0], hidden[0], cut, masks)
    fitted = np.linalg.lstsq(np.column_stack([np.ones(4000), masks]), answers, rcond=None)
    expected = 1 - fitted[1][0] / ((answers - answers.mean()) ** 2).sum()
    assert 0.2 < expected < 0.98
    report = lime_report(model, images, 1, segments=[cut], samples=400, baselines=hidden)
    assert abs(report.r2[0] - expected) < 0.05


def test_low_precision_gives_nearly_the_map_of_full_precision() -> None:
    spec = ModelSpec(name="squeezenet_reduced", outputs=3, pretrained="none", height=64, width=80)
    model = build_model(spec, generator=torch.Generator().manual_seed(0)).eval()
    images = sheets(2)
    low, full = (lime(each, images, [0, 2], samples=64) for each in (model, nn.Sequential(model)))
    assert torch.cosine_similarity(low.flatten(1), full.flatten(1)).min() > 0.98


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
def test_bad_settings_are_refused(settings: dict[str, object], message: str) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 80, 2))
    with pytest.raises(BadInput, match=message):
        lime(model, sheets(), 0, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("images", "target", "message"),
    [
        (sheets().half(), 0, r"LIME: expected float32 .* got torch\.float16"),
        (torch.full((1, 3, 64, 80), float("nan")), 0, "finite"),
        (sheets()[0], 0, r"shape \(n, channels, h, w\)"),
        (sheets(), 2, "LIME target: expected a class index from 0 to 1, got 2"),
        (sheets(), [0, 1], "expected 1 class indices"),
    ],
)
def test_bad_images_and_targets_are_refused(images: Tensor, target: object, message: str) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 80, 2))
    with pytest.raises(BadInput, match=message):
        lime(model, images, target)  # type: ignore[arg-type]


def test_no_images_give_no_maps() -> None:
    report = lime_report(nn.Flatten(), torch.zeros(0, 3, 64, 80), 0)
    assert report.maps.shape == (0, 64, 80)
    assert report.coefficients == ()
