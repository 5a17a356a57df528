"""How the multi-class models bear noise, and the chosen one what a line camera does."""

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

SHEETS, QUICK_SHEETS = 500, 60  # at most: each level of each curve asks a model about all of them
NOISES = (STUDY_NOISE, "camera_noise")  # every model's; the other corruptions are the chosen one's

Series = Mapping[str, tuple[SweepPoint, ...]]  # a curve each: of models, or of kinds of disturbance


@dataclass(frozen=True)
class Robustness:
    """Curves over the strength of what is done to the sheets."""

    sheets: int
    chosen: str  # title of the model shown under every corruption
    by_model: Mapping[str, Series]  # study_noise, camera_noise → title → points
    corruptions: Series  # of the chosen model, by kind


def sweep_models(found: StudyResults) -> Robustness | None:
    """Every model under both kinds of noise, the chosen one under every corruption; None without models."""
    chosen = found.chosen
    if chosen is None:
        return None
    options, test = found.options, found.split.test
    rng = stream(options.seed, "study-robustness")
    rows = np.sort(rng.permutation(test.size)[: QUICK_SHEETS if options.quick else SHEETS])
    images, labels = np.asarray(found.data.images[test[rows]]), found.labels[rows]
    groups = None if found.groups is None else [found.groups[i] for i in rows.tolist()]
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
        for result in found.results.values()
    }
    own = swept[chosen.title]
    return Robustness(
        sheets=rows.size,
        chosen=chosen.title,
        by_model={kind: {title: curves[kind] for title, curves in swept.items()} for kind in NOISES},
        corruptions={kind: own[kind] for kind in CORRUPTIONS},
    )
