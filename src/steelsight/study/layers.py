"""Probes and maps of the layers of the study's models."""

from __future__ import annotations

import numpy as np

from steelsight.errors import BadInput
from steelsight.inspection.probes.controls import CONTROLS, IMAGENET
from steelsight.inspection.probes.separability import Separability
from steelsight.runs.inspection.layers import probe_layers
from steelsight.runs.inspection.options import LayerOptions
from steelsight.study.results import StudyResults

__all__ = ["probe_study_layers"]

STUDY_MAPPED = 300  # sheets on the study's maps, at most


def probe_study_layers(found: StudyResults) -> Separability | str:
    """The layers of the model shown in detail, in the study's size; or why these data do not give them."""
    shown, options = found.shown, found.options
    if shown is None:
        return "no model was trained"
    weights = None
    if found.weights is not None:
        by_position = dict(zip(found.split.test.tolist(), found.weights.tolist(), strict=True))
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
    except BadInput as error:  # too few sheets or groups; the rest of the study goes on
        return str(error)
