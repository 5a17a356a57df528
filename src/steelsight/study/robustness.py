"""How the multi-class models bear noise, and the chosen one what a line camera does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from steelsight.evaluation.classification import softmax
from steelsight.evaluation.corruptions import CORRUPTIONS
from steelsight.evaluation.sweeps import SweepPoint, sweep_corruption, sweep_study_noise
from steelsight.models.catalog import SheetClassifier
from steelsight.models.checkpoint import load_checkpoint
from steelsight.study.findings import Findings
from steelsight.training.predict import predict_logits
from steelsight.types import GrayBatch, Probabilities

__all__ = ["Robustness", "sweep_models"]

SHEETS = 500  # at most: each level of each curve asks a model about all of them
STUDY_NOISE, CAMERA_NOISE = "study_noise", "camera_noise"

Series = Mapping[str, tuple[SweepPoint, ...]]


@dataclass(frozen=True)
class Robustness:
    """Curves over the strength of what is done to the sheets."""

    sheets: int
    chosen: str  # title of the model shown under every corruption
    titles: Mapping[str, str]
    units: Mapping[str, str]
    by_model: Mapping[str, Series]  # study_noise, camera_noise → title → points
    corruptions: Series  # of the chosen model, by kind


def sweep_models(found: Findings) -> Robustness | None:
    """Every model under both kinds of noise, the chosen one under every corruption; None without models."""
    chosen = found.chosen
    if chosen is None:
        return None
    rng = np.random.default_rng([found.options.seed, 11])
    rows = np.sort(rng.permutation(found.split.test.size)[: 60 if found.options.quick else SHEETS])
    images = np.asarray(found.data.images[found.split.test[rows]])
    labels = found.labels[rows]
    models = {each.title: load_checkpoint(each.folder)[0] for each in found.results.values()}
    resamples = min(found.options.resamples, 200)
    seed = found.options.seed
    study = {
        name: sweep_study_noise(_noisy(model, images, seed), labels, rng_seed=seed, resamples=resamples)
        for name, model in models.items()
    }
    camera = {
        name: sweep_corruption(
            _plain(model), images, labels, CAMERA_NOISE, rng_seed=seed, resamples=resamples
        )
        for name, model in models.items()
    }
    answer = _plain(models[chosen.title])
    others = {
        kind: sweep_corruption(answer, images, labels, kind, rng_seed=seed, resamples=resamples)
        for kind in CORRUPTIONS
        if kind != CAMERA_NOISE
    }
    return Robustness(
        sheets=rows.size,
        chosen=chosen.title,
        titles={STUDY_NOISE: "The study's noise"} | {kind: each.title for kind, each in CORRUPTIONS.items()},
        units={STUDY_NOISE: "σ, normalised units"} | {kind: each.unit for kind, each in CORRUPTIONS.items()},
        by_model={STUDY_NOISE: study, CAMERA_NOISE: camera},
        corruptions={CAMERA_NOISE: camera[chosen.title], **others},
    )


def _plain(model: SheetClassifier) -> Callable[[GrayBatch], Probabilities]:
    return lambda images: softmax(predict_logits(model, images).astype(np.float64))


def _noisy(model: SheetClassifier, images: GrayBatch, seed: int) -> Callable[[float], Probabilities]:
    def ask(sigma: float) -> Probabilities:
        noise = torch.Generator().manual_seed(seed)  # anew: all levels are the same Z
        logits = predict_logits(model, images, noise_sigma=sigma, generator=noise)
        return softmax(logits.astype(np.float64))

    return ask
