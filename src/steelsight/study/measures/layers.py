"""Linear probes and t-SNE maps of the layers of the chosen model, in the study's size."""

from __future__ import annotations

import numpy as np

from steelsight.errors import BadInput
from steelsight.inspection.probes.controls import CONTROLS, IMAGENET
from steelsight.inspection.probes.separability import Separability
from steelsight.runs.inspection.layers import probe_layers
from steelsight.runs.inspection.options import LayerOptions
from steelsight.study.results import NO_MODEL, StudyResults

__all__ = ["probe_study_layers"]

STUDY_MAPPED = 300  # sheets on each t-SNE map, at most


def probe_study_layers(study: StudyResults) -> Separability | str:
    """Probe the layers of the model shown in detail; or say why these data do not allow it."""
    shown, options = study.shown, study.options
    if shown is None:
        return NO_MODEL
    weights = None
    if study.weights is not None:
        by_position = dict(zip(study.split.test.tolist(), study.weights.tolist(), strict=True))
        weights = np.array([by_position[position] for position in shown.positions("test").tolist()])
    no_imagenet = options.pretrained == "none"
    try:
        return probe_layers(
            shown,
            LayerOptions(
                sheets=options.probed,
                controls=",".join(name for name in CONTROLS if not (no_imagenet and name == IMAGENET)),
                tsne=STUDY_MAPPED,
                resamples=options.resamples,
                seed=options.seed,
            ),
            weights=weights,
        )
    except BadInput as error:  # too few sheets or groups for probes; the other chapters do not need them
        return str(error)
