"""The training loop: a probe, epochs over Accelerate, early stopping, the best weights, exact resume.

It reads and writes only its own state file; `training.run` writes the RUN folder.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from steelsight.models.catalog import SheetClassifier
from steelsight.models.inputs import to_input
from steelsight.streams import indexed_stream
from steelsight.training.dataset import TrainingData
from steelsight.training.intervention import Intervention
from steelsight.training.loop.batches import Batch, ahead, epoch_batches
from steelsight.training.loop.losses import (
    loss_weights,
    place_loss,
    prior_shift,
    reason_loss,
    robust_loss,
    sheet_loss,
)
from steelsight.training.loop.optimisation import Average, learning_rate, make_optimiser, set_rate
from steelsight.training.loop.place_fit import choose_rows, fit_places
from steelsight.training.loop.precision import Precision, choose_precision, in_precision
from steelsight.training.loop.probe import fit_head
from steelsight.training.loop.progress import NoProgress, TrainingProgress
from steelsight.training.loop.speed import fast_features, keep_memory, tuned
from steelsight.training.loop.state import (
    EpochRow,
    TrainingState,
    load_state,
    pack_moments,
    save_state,
    unpack_moments,
)
from steelsight.training.loop.validate import is_better, validate
from steelsight.training.predict import add_noise
from steelsight.training.recipe import Recipe

__all__ = ["FitResult", "fit"]


@dataclass(frozen=True)
class FitResult:
    """The course of a training; the model itself is trained in place."""

    history: tuple[EpochRow, ...]  # epoch 0 is the probe, if there was one
    best_epoch: int
    stopped_early: bool
    precision: Precision
    resumed_after: int  # epochs already done by an earlier process
    places_loss: float | None = None  # of the place head's last epoch; None = the model has none

    @property
    def epochs(self) -> int:
        """The number of epochs, the probe not counted."""
        return self.history[-1].epoch


def fit(
    model: SheetClassifier,
    data: TrainingData,
    recipe: Recipe,
    *,
    seed: int,
    state_path: Path | None = None,
    fingerprint: str = "",
    progress: TrainingProgress | None = None,
) -> FitResult:
    """Train a model in place and leave it in evaluation mode with its best epoch's weights.

    seed        of order, augmentation, noise and dropout; the caller initialises the model
    state_path  written after every epoch; if it exists, training resumes from it with the same results
    fingerprint identifies the training; a state with another one is refused
    raises      BadCheckpoint for a state that cannot be used or written; BadRecipe for a place head without
                masks of defects
    """
    progress = progress or NoProgress()
    if model.places is not None:
        choose_rows(data, recipe.places)  # refuses masks that cannot be used before the first epoch
    with _threads(recipe.compute.threads), keep_memory(), torch.random.fork_rng():
        # Features and head learn as without a place head, whose masks may be read for it alone.
        learnt = data if recipe.uses_masks else replace(data, masks=None)
        trainer = _Trainer(model, learnt, recipe, seed, fingerprint)
        if state_path is not None and state_path.exists():
            state = load_state(state_path, fingerprint)
            if not state.checked:
                progress.note(f"{state_path.name}: written by an older version, without a checksum")
            trainer.restore(state)
        resumed_after = trainer.done
        while not trainer.finished:
            row, best = trainer.advance(progress)
            if state_path is not None:
                save_state(state_path, trainer.state())
            progress.epoch(row, best=best)
        model.load_state_dict(trainer.best)
        places_loss = None
        if model.places is not None:
            progress.note("fitting the place head to the masks")
            places_loss = fit_places(model, data, recipe.places, seed=seed, step=progress.step)
    model.eval()
    return FitResult(
        history=tuple(trainer.history),
        best_epoch=trainer.best_epoch,
        stopped_early=trainer.done < recipe.stop.max_epochs,
        precision=trainer.precision,
        resumed_after=resumed_after,
        places_loss=places_loss,
    )


class _Trainer:
    """The state of one training between epochs."""

    def __init__(
        self, model: SheetClassifier, data: TrainingData, recipe: Recipe, seed: int, fingerprint: str
    ) -> None:
        self.data, self.recipe, self.seed, self.fingerprint = data, recipe, seed, fingerprint
        self.intervention = data.intervention
        # Accelerate fixes one precision for a whole process, and two trainings of a process may differ:
        # it brings devices and placement, the precision is entered around the forward pass.
        self.accelerator = Accelerator(mixed_precision="no")
        self.precision = choose_precision(recipe.compute.precision, self.accelerator.device, model)
        learns = model.head if self.intervention.frozen else model
        optimiser = make_optimiser(learns.parameters(), recipe.optimiser)
        self.model, self.optimiser = self.accelerator.prepare(model, optimiser)
        weights = loss_weights(data.targets[data.train], recipe, _outputs(model))
        self.weights = None if weights is None else weights.to(self.accelerator.device)
        shift = prior_shift(data.targets[data.train], recipe.loss, _outputs(model))
        self.shift = None if shift is None else shift.to(self.accelerator.device)
        self.average = Average(model, recipe.optimiser.ema) if recipe.optimiser.ema else None
        self.averaged_model = (
            deepcopy(model) if recipe.optimiser.ema else model
        )  # holds the averaged weights for validation
        self.steps = -(-data.train.size // recipe.batch_size)  # an epoch's
        cohorts = _even_cohorts(self.intervention)
        self.cohorts = None if cohorts is None else cohorts.to(self.accelerator.device)
        self.history: list[EpochRow] = []
        self.best_epoch = 0
        self.best: dict[str, Tensor] = {}

    @property
    def finished(self) -> bool:
        stop, waited = self.recipe.stop, self.done - self.best_epoch
        if not self.history and (self.recipe.probe.enabled or stop.max_epochs == 0):
            return False
        return self.done >= stop.max_epochs or (0 < stop.patience <= waited)

    @property
    def done(self) -> int:
        """Epochs so far, the probe not counted."""
        return self.history[-1].epoch if self.history else 0

    def advance(self, progress: TrainingProgress) -> tuple[EpochRow, bool]:
        """Fit the probe if the recipe has one and it is not done, otherwise train an epoch.

        With no epochs and no probe the weights stay those of the start, and get a row of figures.
        """
        if self.recipe.probe.enabled and not self.history:
            return self._fit_head(progress)
        if self.recipe.stop.max_epochs == 0:
            return self._keep_start()
        epoch = self.done + 1
        started = time.perf_counter()
        train_loss = self._train_epoch(epoch, progress)
        seconds = time.perf_counter() - started
        rate = self.optimiser.param_groups[0]["lr"]
        return self._end_epoch(epoch, train_loss, rate, seconds, self.data.train.size / seconds)

    def _fit_head(self, progress: TrainingProgress) -> tuple[EpochRow, bool]:
        model: SheetClassifier = self.accelerator.unwrap_model(self.model)
        fitted = fit_head(
            model, self.data, self.recipe, seed=self.seed, precision=self.precision, progress=progress
        )
        if self.average is not None:
            self.average.load(model.state_dict())
        return self._end_epoch(0, fitted.loss, 0.0, fitted.seconds, fitted.images_per_second)

    def _keep_start(self) -> tuple[EpochRow, bool]:
        started = time.perf_counter()
        learnt = replace(self.data, validation=self.data.train)
        loss = validate(self._validated_model(), learnt).loss
        seconds = time.perf_counter() - started
        speed = self.data.train.size / seconds
        return self._end_epoch(0, math.nan if loss is None else loss, 0.0, seconds, speed)

    def _end_epoch(
        self, epoch: int, train_loss: float, rate: float, seconds: float, speed: float
    ) -> tuple[EpochRow, bool]:
        """Validate, and keep the weights if they are the best so far."""
        model = self._validated_model()
        scores = validate(model, self.data)
        row = EpochRow(
            epoch=epoch,
            train_loss=train_loss,
            validation_loss=scores.loss,
            validation_accuracy=scores.accuracy,
            validation_balanced_accuracy=scores.balanced_accuracy,
            learning_rate=rate,
            seconds=seconds,
            images_per_second=speed,
        )
        best = self._is_best(row)
        if best:
            self.best_epoch = epoch
            self.best = _copy_state(model)
        self.history.append(row)
        return row, best

    def _train_epoch(self, epoch: int, progress: TrainingProgress) -> float:
        """Train for one epoch; returns the mean loss over its sheets."""
        rng = indexed_stream(self.seed, epoch)
        torch.manual_seed(int(rng.integers(2**62)))  # torch's own dropout has no generator
        noise, dropout = (torch.Generator().manual_seed(int(rng.integers(2**62))) for _ in range(2))
        self.model.train()
        if self.intervention.frozen:
            self.model.features.eval()
        total, sheets = torch.zeros(()), 0
        batches = ahead(lambda: epoch_batches(self.data, self.recipe, rng))
        on_cpu = self.accelerator.device.type == "cpu"
        with tuned(self.model, dropout) if on_cpu else nullcontext():
            for index, batch in enumerate(batches):
                loss = self._step(batch, (epoch - 1) * self.steps + index, noise)
                total += loss * len(batch.gray)
                sheets += len(batch.gray)
                progress.step(index + 1, self.steps)
        return float(total / sheets)

    def _step(self, batch: Batch, step: int, noise: torch.Generator) -> Tensor:
        """Forward and backward pass of one batch, and one step of the optimiser; returns the loss."""
        recipe, accelerator = self.recipe.optimiser, self.accelerator
        set_rate(self.optimiser, learning_rate(recipe, step, self.steps * self.recipe.stop.max_epochs))
        self.optimiser.zero_grad()
        loss = self._loss(batch, noise)
        accelerator.backward(loss)
        if recipe.clip:
            accelerator.clip_grad_norm_(self.model.parameters(), recipe.clip)
        self.optimiser.step()
        if self.average is not None:
            self.average.update(self.model, step)
        return loss.detach().cpu()

    def _loss(self, batch: Batch, noise: torch.Generator) -> Tensor:
        device, recipe = self.accelerator.device, self.recipe
        images = batch.gray.to(device)
        doubled = recipe.noise.double and recipe.noise.sigma > 0
        if recipe.noise.sigma:
            clean = to_input(images)  # (n, 3, h, w)
            noisy = add_noise(clean, recipe.noise.sigma, noise)
            images = torch.cat([clean, noisy]) if doubled else noisy
        targets = _repeat(batch.targets.to(device), doubled)
        head = self.model.head
        with in_precision(self.precision, device):
            with torch.no_grad() if self.intervention.frozen else nullcontext():
                features = fast_features(self.model.features, images)
            logits, class_map = head.logits_and_map(features) if recipe.loss.masks else (head(features), None)
        loss = self._sheet_loss(logits.float(), targets, batch, doubled)
        if batch.wrong is not None and self.intervention.reasons:
            wrong = _repeat(batch.wrong.to(device), doubled)
            loss = loss + self.intervention.reasons * reason_loss(features, logits.float(), targets, wrong)
        if not recipe.loss.masks or class_map is None or batch.shares is None or batch.known is None:
            return loss
        shares, known = (_repeat(values.to(device), doubled) for values in (batch.shares, batch.known))
        return loss + recipe.loss.masks * place_loss(
            class_map.float(), targets, shares, known, recipe.loss, self.data.clean
        )

    def _sheet_loss(self, logits: Tensor, targets: Tensor, batch: Batch, doubled: bool) -> Tensor:
        """The recipe's loss over the batch, or the group DRO loss over its cohorts."""

        def over(rows: Tensor | slice) -> Tensor:
            return sheet_loss(
                logits[rows],
                targets[rows],
                weights=self.weights,
                label_smoothing=self.recipe.loss.label_smoothing,
                focal=self.recipe.loss.focal,
                shift=self.shift,
            )

        if batch.cohorts is None or self.cohorts is None:
            return over(slice(None))
        cohorts = _repeat(batch.cohorts.to(logits.device), doubled)
        return robust_loss(over, cohorts, self.cohorts, self.intervention.cohort_step)

    def _validated_model(self) -> SheetClassifier:
        """The model to validate and to keep: the averaged model if weights are averaged."""
        model: SheetClassifier = self.accelerator.unwrap_model(self.model)
        if self.average is None:
            return model
        self.averaged_model.load_state_dict(self.average.state)
        return self.averaged_model

    def _is_best(self, row: EpochRow) -> bool:
        if not self.history:
            return True
        best = next(old for old in self.history if old.epoch == self.best_epoch)
        return is_better(self.recipe.stop.monitor, row, best)

    def state(self) -> TrainingState:
        """The state from which the next epoch can be trained."""
        return TrainingState(
            fingerprint=self.fingerprint,
            history=tuple(self.history),
            best_epoch=self.best_epoch,
            weights=self.model.state_dict(),
            average=self.average.state if self.average is not None else {},
            best=self.best,
            moments=pack_moments(self.optimiser),
            cohorts={} if self.cohorts is None else {"weights": self.cohorts},
        )

    def restore(self, state: TrainingState) -> None:
        """Continue after the epochs of a saved state."""
        self.history = list(state.history)
        self.best_epoch = state.best_epoch
        self.best = dict(state.best)
        self.model.load_state_dict(state.weights)
        if self.average is not None:
            self.average.load(state.average)
        unpack_moments(self.optimiser, state.moments)
        if self.cohorts is not None:
            self.cohorts.copy_(state.cohorts["weights"])


def _even_cohorts(intervention: Intervention) -> Tensor | None:
    """The initial weights of group DRO: uniform."""
    if intervention.cohorts is None:
        return None
    count = int(intervention.cohorts.max()) + 1
    return torch.full((count,), 1 / count)


def _copy_state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def _repeat(values: Tensor, twice: bool) -> Tensor:
    return torch.cat([values, values]) if twice else values


def _outputs(model: SheetClassifier) -> int:
    """The number of logits: the last layer's outputs."""
    last = [module for module in model.head.modules() if isinstance(module, nn.Linear | nn.Conv2d)][-1]
    return last.out_features if isinstance(last, nn.Linear) else last.out_channels


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Use `count` threads inside the `with`; 0 leaves torch's own choice."""
    before = torch.get_num_threads()
    try:
        if count:
            torch.set_num_threads(count)
        yield
    finally:
        torch.set_num_threads(before)
