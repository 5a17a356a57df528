"""The loop: it learns, repeats itself, and goes on after a kill to the very same numbers."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from steelsight.errors import BadCheckpoint
from steelsight.models.catalog import SheetClassifier, build_model
from steelsight.training.dataset import Masks, TrainingData
from steelsight.training.loop import fit as fit_module
from steelsight.training.loop.fit import FitResult, fit
from steelsight.training.loop.progress import NoProgress
from steelsight.training.loop.speed import fast_features
from steelsight.training.loop.state import EpochRow
from steelsight.training.predict import predict_logits
from steelsight.training.recipe import Recipe

Small = Callable[..., Recipe]

NO_CLOCK = {"seconds": 0.0, "images_per_second": 0.0}


def _fit(
    data: TrainingData, recipe: Recipe, *, outputs: int = 2, seed: int = 0, **options: object
) -> tuple[SheetClassifier, FitResult]:
    model = build_model(recipe.model_spec(outputs), generator=torch.Generator().manual_seed(seed))
    return model, fit(model, data, recipe, seed=seed, **options)  # type: ignore[arg-type]


def _numbers(fitted: FitResult) -> list[EpochRow]:
    return [dataclasses.replace(row, **NO_CLOCK) for row in fitted.history]


def _same(one: SheetClassifier, other: SheetClassifier) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_training_fits_the_training_sheets(data: TrainingData, small: Small) -> None:
    recipe = small("max_epochs=25", "learning_rate=2e-3", "gain=0", "gamma=0", "offset=0")
    model, fitted = _fit(data, recipe)
    right = predict_logits(model, data.images).argmax(1) == data.targets
    assert right.mean() > 0.9
    assert fitted.history[-1].train_loss < 0.5 * fitted.history[0].train_loss
    assert not model.training


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_weights_depend_on_the_seed_alone(data: TrainingData, small: Small, precision: str) -> None:
    recipe = small(f"precision={precision}", "dropout=0.3")
    (one, first), (two, second), (other, _) = (_fit(data, recipe, seed=seed) for seed in (1, 1, 2))
    assert _same(one, two)
    assert _numbers(first) == _numbers(second)
    assert not _same(one, other)


def test_the_global_generator_is_not_touched(data: TrainingData, small: Small) -> None:
    before = torch.random.get_rng_state()
    threads = torch.get_num_threads()
    _fit(data, small())
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads


class _StopIn(NoProgress):
    """Raises in the middle of an epoch, as a person's Ctrl-C would."""

    def __init__(self, epoch: int) -> None:
        self.left = epoch

    def step(self, done: int, steps: int) -> None:
        if done == 2:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt("stopped by the test")


@pytest.mark.parametrize(
    "settings",
    [
        ("dropout=0.3",),
        ("ema=0", "schedule=constant", "patience=3"),
        ("sigma=0.15", "double=true", "optimiser.method=adam", "balance.method=loss"),
        ("model.name=timm:resnet10t", "input.height=32", "input.width=32", "pretrained=none"),
        ("probe.enabled=true", "copies=0", "pooling=average+max"),  # one step, so that epoch 2 is cut
    ],
    ids=["averaged", "plain", "noisy", "batch-norm", "probed"],
)
def test_resumed_training_equals_uninterrupted_training(
    data: TrainingData, small: Small, tmp_path: Path, settings: tuple[str, ...]
) -> None:
    recipe = small("max_epochs=3", *settings)
    if recipe.input.height == 32:
        data = dataclasses.replace(data, images=np.ascontiguousarray(data.images[:, :32, :32]))
    whole, straight = _fit(data, recipe, state_path=tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt, match="stopped by the test"):
        _fit(data, recipe, state_path=tmp_path / "state", progress=_StopIn(2))
    resumed, fitted = _fit(data, recipe, state_path=tmp_path / "state")
    assert fitted.resumed_after == 1
    assert _numbers(fitted) == _numbers(straight)
    assert fitted.best_epoch == straight.best_epoch
    assert _same(whole, resumed)


def test_a_probe_is_not_fitted_again_after_a_kill(data: TrainingData, small: Small, tmp_path: Path) -> None:
    recipe = small("max_epochs=2", "probe.enabled=true", "copies=0", "pooling=average")
    whole, straight = _fit(data, recipe)
    with pytest.raises(KeyboardInterrupt, match="stopped by the test"):
        _fit(data, recipe, state_path=tmp_path / "state", progress=_StopIn(1))
    resumed, fitted = _fit(data, recipe, state_path=tmp_path / "state", progress=_NoProbe())
    assert fitted.resumed_after == 0
    assert _numbers(fitted) == _numbers(straight)
    assert _same(whole, resumed)


class _NoProbe(NoProgress):
    """Fails if a probe is announced as done."""

    def epoch(self, row: EpochRow, *, best: bool) -> None:
        assert row.epoch > 0


def test_patience_counts_epochs_without_a_better_one(data: TrainingData, small: Small) -> None:
    recipe = small("learning_rate=1e-12", "ema=0", "max_epochs=9", "patience=2", "monitor=balanced_accuracy")
    _, fitted = _fit(data, recipe)
    assert fitted.best_epoch == 1
    assert len(fitted.history) == 3
    assert fitted.stopped_early


def test_the_best_epoch_is_kept_not_the_last(data: TrainingData, small: Small) -> None:
    recipe = small("learning_rate=0.03", "ema=0", "max_epochs=6", "warm_up=0", "schedule=constant")
    model, fitted = _fit(data, recipe)
    losses = [row.validation_loss or 0.0 for row in fitted.history]
    assert fitted.best_epoch == 1 + int(np.argmin(losses))
    logits = torch.from_numpy(predict_logits(model, data.images[data.validation]))
    kept = torch.nn.functional.cross_entropy(logits, torch.from_numpy(data.targets[data.validation]))
    assert kept.item() == pytest.approx(min(losses), rel=1e-4)  # batches of another size sum in another order


def test_without_validation_sheets_the_last_epoch_is_kept(data: TrainingData, small: Small) -> None:
    data = dataclasses.replace(data, validation=np.arange(0))
    _, fitted = _fit(data, small("max_epochs=3"))
    assert fitted.best_epoch == 3
    assert fitted.history[-1].validation_loss is None


def test_batches_are_doubled_by_their_noisy_copies(
    data: TrainingData, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []

    def spy(features: nn.Module, images: Tensor) -> Tensor:
        seen.append(images.detach().clone())
        return fast_features(features, images)

    monkeypatch.setattr(fit_module, "fast_features", spy)
    still = ("hflip=0", "vflip=0", "gain=0", "gamma=0", "offset=0")
    _fit(data, small("sigma=0.15", "double=true", "max_epochs=1", *still))
    noise = torch.cat([batch[4:] - batch[:4] for batch in seen])
    assert [len(batch) for batch in seen] == [8, 8, 8]
    assert noise.std().item() == pytest.approx(0.15, rel=0.02)  # 110,592 draws
    assert abs(noise.mean().item()) < 0.003
    channels = noise.permute(1, 0, 2, 3).reshape(3, -1)
    assert torch.corrcoef(channels).fill_diagonal_(0).abs().max().item() < 0.03


def test_masks_train_the_class_map(data: TrainingData, small: Small) -> None:
    shares = np.where(data.images > 200, 255, 0).astype(np.uint8)
    masked = dataclasses.replace(data, masks=Masks(shares, np.ones(18, dtype=bool)))
    settings = ("max_epochs=20", "learning_rate=3e-3", "pooling=average", "mask_share=0.02")
    model, _ = _fit(masked, small(*settings, "loss.masks=1.0"))
    images = data.images[data.validation][1:2]
    with torch.no_grad():
        from steelsight.models.inputs import to_input

        class_map = model.class_map(to_input(torch.from_numpy(images)))[0]
    evidence = torch.nn.functional.interpolate((class_map[1] - class_map[0])[None, None], (48, 64))[0, 0]
    on_defect = shares[data.validation][1] > 0
    assert evidence[torch.from_numpy(on_defect)].mean() > evidence[torch.from_numpy(~on_defect)].mean()


def test_multilabel_accuracies_are_over_all_binary_answers(data: TrainingData, small: Small) -> None:
    flags = np.stack([data.targets, 1 - data.targets], axis=1).astype(np.float32)
    multilabel = dataclasses.replace(data, targets=flags)
    model, fitted = _fit(multilabel, small("task=multilabel", "balance.method=loss"))
    kept = next(row for row in fitted.history if row.epoch == fitted.best_epoch)
    predicted = predict_logits(model, data.images[data.validation]) > 0
    truth = flags[data.validation] > 0
    recalls = [predicted[truth].mean(), 1 - predicted[~truth].mean()]
    assert kept.validation_accuracy == pytest.approx((predicted == truth).mean())
    assert kept.validation_balanced_accuracy == pytest.approx(np.mean(recalls))


def test_another_training_s_state_is_refused(data: TrainingData, small: Small, tmp_path: Path) -> None:
    _fit(data, small(), state_path=tmp_path / "state", fingerprint="one")
    with pytest.raises(BadCheckpoint, match=r"another recipe, seed, split or other data; .*--fresh"):
        _fit(data, small(), state_path=tmp_path / "state", fingerprint="two")


@pytest.mark.parametrize("damage", [b"", b"not safetensors at all", None], ids=["empty", "text", "cut"])
def test_a_damaged_state_is_refused(
    data: TrainingData, small: Small, tmp_path: Path, damage: bytes | None
) -> None:
    state = tmp_path / "state"
    _fit(data, small(), state_path=state)
    state.write_bytes(state.read_bytes()[:5000] if damage is None else damage)
    with pytest.raises(BadCheckpoint, match=r"expected the state of an unfinished training, got"):
        _fit(data, small(), state_path=state)


KILLED = """
import os, signal, sys
import torch
from steelsight.models.catalog import build_model
from steelsight.training.dataset import TrainingData
from steelsight.training.loop.fit import fit
from steelsight.training.loop.progress import NoProgress
from steelsight.training.recipe import Recipe
import numpy as np
from pathlib import Path

class Kill(NoProgress):
    epochs = 0
    def epoch(self, row, *, best):
        self.epochs += 1
    def step(self, done, steps):
        if self.epochs == 2 and done == 2:
            os.kill(os.getpid(), signal.SIGKILL)

folder = Path(sys.argv[1])
torch.set_num_threads(1)
arrays = np.load(folder / "data.npz")
recipe = Recipe.model_validate_json((folder / "recipe.json").read_text())
data = TrainingData(arrays["images"], arrays["targets"], np.arange(12), np.arange(12, 18))
model = build_model(recipe.model_spec(2), generator=torch.Generator().manual_seed(0))
fit(model, data, recipe, seed=0, state_path=folder / "state", progress=Kill())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a POSIX signal")
def test_killed_and_resumed_in_another_process(data: TrainingData, small: Small, tmp_path: Path) -> None:
    recipe = small("max_epochs=4", "dropout=0.3")
    np.savez(tmp_path / "data.npz", images=data.images, targets=data.targets)
    (tmp_path / "recipe.json").write_text(recipe.model_dump_json())
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    resumed, fitted = _fit(data, recipe, state_path=tmp_path / "state")
    whole, straight = _fit(data, recipe)
    assert fitted.resumed_after == 2
    assert _numbers(fitted) == _numbers(straight)
    assert _same(whole, resumed)
