"""Robustness of the multi-class models to noise, and of the chosen one to camera corruptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from steelsight.evaluation.robustness.corruptions import CORRUPTIONS
from steelsight.evaluation.robustness.sweeps import SweepPoint
from steelsight.models.checkpoint import load_checkpoint
from steelsight.runs.robustness import STUDY_NOISE, sweep_disturbances
from steelsight.streams import stream
from steelsight.study.results import StudyResults

__all__ = ["Robustness", "Series", "sweep_models"]

SHEETS, QUICK_SHEETS = 500, 60  # at most: every level of every curve predicts all of them
NOISES = (STUDY_NOISE, "camera_noise")  # for every model; other corruptions for the chosen one only

Series = Mapping[str, tuple[SweepPoint, ...]]  # one curve per model, or per kind of disturbance


@dataclass(frozen=True)
class Robustness:
    """Accuracy over the strength of each disturbance of the sheets."""

    sheets: int
    chosen: str  # title of the model shown under every corruption
    by_model: Mapping[str, Series]  # study_noise, camera_noise → title → points
    corruptions: Series  # of the chosen model, by kind


def sweep_models(study: StudyResults) -> Robustness | None:
    """Sweep both kinds of noise for every model, all corruptions for the chosen one; None without models."""
    chosen = study.chosen
    if chosen is None:
        return None
    options, test = study.options, study.split.test
    rng = stream(options.seed, "study-robustness")
    rows = np.sort(rng.permutation(test.size)[: QUICK_SHEETS if options.quick else SHEETS])
    images, labels = np.asarray(study.data.images[test[rows]]), study.labels[rows]
    groups = None if study.groups is None else [study.groups[i] for i in rows.tolist()]
    swept = {
        result.title: sweep_disturbances(
            load_checkpoint(result.folder)[0],
            images,
            labels,
            (STUDY_NOISE, *CORRUPTIONS) if result is chosen else NOISES,
            seed=options.seed,
            groups=groups,
            resamples=min(options.resamples, 200),
        )
        for result in study.results.values()
    }
    own = swept[chosen.title]
    return Robustness(
        sheets=rows.size,
        chosen=chosen.title,
        by_model={kind: {title: curves[kind] for title, curves in swept.items()} for kind in NOISES},
        corruptions={kind: own[kind] for kind in CORRUPTIONS},
    )
