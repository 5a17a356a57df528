"""Training interventions: versions, odds, cohorts, marked areas, frozen features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from steelsight.models.catalog import build_model
from steelsight.models.heads import ConvHead, DirectHead, LinearHead, Pooling
from steelsight.models.inputs import to_input
from steelsight.training.dataset import Masks, TrainingData
from steelsight.training.intervention import CounterfactualVersions, Intervention
from steelsight.training.loop.batches import draw_order, make_batch
from steelsight.training.loop.fit import FitResult, fit
from steelsight.training.loop.losses import reason_loss, robust_loss
from steelsight.training.loop.progress import NoProgress
from steelsight.training.recipe import Recipe

Small = Callable[..., Recipe]


@pytest.fixture
def versions(data: TrainingData) -> CounterfactualVersions:
    """Of all sheets but the first; versions 1, 2 and 3 gray levels bright."""
    count = len(data.images)
    images = np.ones((count - 1, 3, *data.images.shape[1:]), dtype=np.uint8)
    images *= np.arange(1, 4, dtype=np.uint8)[None, :, None, None]
    return CounterfactualVersions(images, np.arange(-1, count - 1), np.full(count, 0.5))


def test_versions_are_drawn_with_their_chance(
    data: TrainingData, versions: CounterfactualVersions, rng: np.random.Generator
) -> None:
    rows = rng.integers(1, len(data.images), 8000)
    shown = versions.draw(data.images, rows, rng)
    kept = (shown == data.images[rows]).all((1, 2))
    shares = [kept.mean(), *((shown == level).all((1, 2)).mean() for level in (1, 2, 3))]
    assert shares == pytest.approx([0.25] * 4, abs=0.03)  # six standard errors


def test_sheets_without_versions_stay_as_they_are(
    data: TrainingData, versions: CounterfactualVersions, rng: np.random.Generator
) -> None:
    before = data.images.copy()
    shown = versions.draw(data.images, np.zeros(50, dtype=np.int64), rng)
    assert (shown == data.images[0]).all()
    always = replace(versions, chance=np.ones(len(data.images)))
    assert set(always.draw(data.images, np.arange(1, 18), rng).reshape(-1).tolist()) == {1, 2}
    assert (data.images == before).all()


def test_odds_set_the_sampling_of_an_epoch(
    data: TrainingData, small: Small, rng: np.random.Generator
) -> None:
    odds = np.zeros(len(data.images))
    odds[[2, 5]] = 3.0, 1.0
    treated = replace(data, intervention=Intervention(odds=odds))
    drawn = np.concatenate([draw_order(treated, small().balance, rng) for _ in range(300)])
    assert set(drawn.tolist()) == {2, 5}
    assert (drawn == 2).mean() == pytest.approx(0.75, abs=0.04)


def test_marked_areas_are_augmented_with_their_sheet(
    data: TrainingData, small: Small, rng: np.random.Generator
) -> None:
    recipe = small("hflip=0.5", "vflip=0.5", "gain=0", "gamma=0", "offset=0", "shift=0", "zoom=0")
    treated = replace(
        data,
        intervention=Intervention(wrong=data.images.copy(), reasons=1.0, cohorts=data.targets),
    )
    batch = make_batch(treated, recipe, data.train, rng)
    assert batch.wrong is not None
    assert batch.cohorts is not None
    assert torch.equal(batch.wrong, batch.gray)
    assert batch.cohorts.tolist() == data.targets[data.train].tolist()
    assert batch.shares is None


def test_masks_and_marked_areas_stay_separate(
    data: TrainingData, small: Small, rng: np.random.Generator
) -> None:
    masks = Masks(255 - data.images, np.ones(len(data.images), dtype=bool))
    treated = replace(data, masks=masks, intervention=Intervention(wrong=data.images.copy()))
    batch = make_batch(treated, small("hflip=1", "gain=0", "gamma=0", "offset=0"), data.train, rng)
    assert batch.shares is not None
    assert batch.wrong is not None
    assert torch.equal(255 - batch.shares, batch.wrong)


def _parted_reasons(features: np.ndarray, weight: np.ndarray, bias: np.ndarray, true: int) -> np.ndarray:
    """Each place's part of the margin by hand: an average-pooled direct head is linear in its features."""
    places = features[0].size
    logits = weight @ features.mean((1, 2)) + bias
    others = [c for c in range(len(weight)) if c != true]
    shares = np.exp(logits[others] - logits[others].max())
    toward = weight[true] - (shares / shares.sum()) @ weight[others]
    return np.einsum("k,kij->ij", toward, features) / places


def test_reason_loss_of_a_linear_head_by_hand(rng: np.random.Generator) -> None:
    head = DirectHead(5, 3, 0.0, Pooling("average"))
    features = torch.rand(4, 5, 3, 6, requires_grad=True)
    targets = torch.tensor([0, 1, 2, 1])
    wrong = torch.from_numpy(rng.integers(0, 2, (4, 3, 6)).astype(np.uint8) * 255)
    found = reason_loss(features, head(features), targets, wrong).item()
    weight, bias = head.conv.weight.detach().numpy()[:, :, 0, 0], head.conv.bias.detach().numpy()
    shares = []
    for sheet, true, bad in zip(features.detach().numpy(), targets.tolist(), wrong.numpy(), strict=True):
        squares = _parted_reasons(sheet, weight, bias, true) ** 2
        shares.append(squares[bad > 0].sum() / squares.sum())
    assert found == pytest.approx(np.mean(shares), rel=1e-4)


HEADS: dict[str, Callable[[], nn.Module]] = {
    "direct": lambda: DirectHead(5, 3, 0.0, Pooling("lse")),
    "study": lambda: ConvHead(5, 3, 0.0),
    "linear": lambda: LinearHead(5, (3, 6), 3, 0.0, adaptive=False),
}


@pytest.mark.parametrize("name", HEADS)
def test_reason_loss_is_a_share(name: str) -> None:
    torch.manual_seed(1)
    head, features, targets = (
        HEADS[name](),
        torch.rand(4, 5, 3, 6, requires_grad=True),
        torch.tensor([0, 1, 2, 0]),
    )

    def loss(wrong: torch.Tensor) -> torch.Tensor:
        return reason_loss(features, head(features), targets, wrong)

    nowhere, everywhere = (
        torch.zeros(4, 3, 6, dtype=torch.uint8),
        torch.full((4, 3, 6), 255, dtype=torch.uint8),
    )
    left = everywhere.clone()
    left[:, :, 3:] = 0
    assert loss(nowhere).item() == 0
    assert loss(everywhere).item() == pytest.approx(1, abs=1e-4)
    assert loss(left).item() + loss(everywhere - left).item() == pytest.approx(1, abs=1e-4)
    optimiser = torch.optim.Adam([*head.parameters(), features], 1e-2)
    before = loss(left).item()
    for _ in range(60):
        optimiser.zero_grad()
        loss(left).backward()
        optimiser.step()
    assert loss(left).item() < 0.5 * before


def test_the_worst_cohort_gets_the_largest_weight(rng: np.random.Generator) -> None:
    losses = {0: 0.2, 2: 1.5}
    weights = torch.tensor([0.25, 0.25, 0.5])
    expected = np.array([0.25 * np.exp(0.3 * 0.2), 0.25, 0.5 * np.exp(0.3 * 1.5)])
    expected /= expected.sum()
    cohorts = torch.tensor([0, 2, 2])
    found = robust_loss(lambda rows: torch.tensor(losses[int(cohorts[rows][0])]), cohorts, weights, 0.3)
    assert weights.tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    assert float(found) == pytest.approx(expected[0] * 0.2 + expected[2] * 1.5, rel=1e-5)


def _fit(data: TrainingData, recipe: Recipe, **options: object) -> tuple[nn.Module, nn.Module, FitResult]:
    first = build_model(recipe.model_spec(2), generator=torch.Generator().manual_seed(0))
    model = build_model(recipe.model_spec(2), generator=torch.Generator().manual_seed(0))
    return first, model, fit(model, data, recipe, seed=0, **options)  # type: ignore[arg-type]


def test_frozen_features_stay_and_the_head_learns(data: TrainingData, small: Small) -> None:
    first, model, _ = _fit(replace(data, intervention=Intervention(frozen=True)), small("learning_rate=1e-2"))
    same = {
        name: torch.equal(old, new)
        for (name, old), new in zip(first.state_dict().items(), model.state_dict().values(), strict=True)
    }
    assert all(kept for name, kept in same.items() if name.startswith("features"))
    assert not any(kept for name, kept in same.items() if name.startswith("head"))


class _StopAfter(NoProgress):
    def __init__(self, epochs: int) -> None:
        self.left = epochs

    def epoch(self, row: object, *, best: bool) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt("stopped by the test")


def test_resumed_group_dro_gives_the_same_numbers(data: TrainingData, small: Small, tmp_path: Path) -> None:
    recipe = small("max_epochs=4")
    treated = replace(
        data,
        intervention=Intervention(cohorts=2 * data.targets + np.arange(18) % 3 % 2, cohort_step=0.5),
    )
    _, whole, fitted = _fit(treated, recipe)
    state = tmp_path / "state.safetensors"
    with pytest.raises(KeyboardInterrupt, match="stopped by the test"):
        _fit(treated, recipe, state_path=state, progress=_StopAfter(2))
    _, resumed, again = _fit(treated, recipe, state_path=state)
    assert again.resumed_after == 2
    assert [row.train_loss for row in again.history] == [row.train_loss for row in fitted.history]
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


def test_reason_loss_falls_in_training(data: TrainingData, small: Small) -> None:
    """Bright bars lie anywhere; only the left half may be a reason, so the right half loses its say."""
    wrong = np.zeros_like(data.images)
    wrong[:, :, 32:] = 255
    recipe = small(
        "model.name=squeezenet_reduced", "model.pretrained=none", "max_epochs=12", "learning_rate=2e-3"
    )
    shares = []
    for reasons in (0.0, 4.0):
        _, model, _ = _fit(replace(data, intervention=Intervention(wrong=wrong, reasons=reasons)), recipe)
        features = model.features(to_input(torch.from_numpy(data.images)))
        logits = model.head(features)
        targets = torch.from_numpy(data.targets)
        shares.append(reason_loss(features, logits, targets, torch.from_numpy(wrong)).item())
    assert shares[1] < 0.7 * shares[0]
