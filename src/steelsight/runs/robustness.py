"""How a model bears noise and what a line camera does: curves for any of its sheets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from steelsight.evaluation.intervals.bootstrap import Groups
from steelsight.evaluation.probabilities import softmax
from steelsight.evaluation.robustness.corruptions import CORRUPTIONS
from steelsight.evaluation.robustness.sweeps import SweepPoint, sweep_corruption, sweep_study_noise
from steelsight.models.catalog import SheetClassifier
from steelsight.training.predict import predict_logits
from steelsight.types import GrayBatch, Labels, Probabilities

__all__ = ["DISTURBANCES", "STUDY_NOISE", "sweep_disturbances"]

STUDY_NOISE = "study_noise"
DISTURBANCES: dict[str, tuple[str, str]] = {  # title, unit of the level
    STUDY_NOISE: ("The study's noise", "σ, normalised units"),
    **{kind: (each.title, each.unit) for kind, each in CORRUPTIONS.items()},
}


def sweep_disturbances(
    model: SheetClassifier,
    images: GrayBatch,
    labels: Labels,
    kinds: Sequence[str],
    *,
    seed: int,
    groups: Groups | None = None,
    resamples: int = 200,
) -> dict[str, tuple[SweepPoint, ...]]:
    """A curve each of the disturbances asked for; all levels and models see the same random numbers.

    labels  (n,) class index
    raises  BadInput for a disturbance that does not exist, or no sheets
    """
    found = {}
    for kind in kinds:
        if kind == STUDY_NOISE:
            found[kind] = sweep_study_noise(
                _noisy(model, images, seed), labels, rng_seed=seed, groups=groups, resamples=resamples
            )
        else:
            found[kind] = sweep_corruption(
                _plain(model), images, labels, kind, rng_seed=seed, groups=groups, resamples=resamples
            )
    return found


def _plain(model: SheetClassifier) -> Callable[[GrayBatch], Probabilities]:
    return lambda images: softmax(predict_logits(model, images).astype(np.float64))


def _noisy(model: SheetClassifier, images: GrayBatch, seed: int) -> Callable[[float], Probabilities]:
    def ask(sigma: float) -> Probabilities:
        noise = torch.Generator().manual_seed(seed)  # anew: all levels are the same Z
        logits = predict_logits(model, images, noise_sigma=sigma, generator=noise)
        return softmax(logits.astype(np.float64))

    return ask
