"""The atlas of neurons of the study's models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from steelsight.inspection.neurons.atlas import Atlas, AtlasPlan, make_atlas
from steelsight.inspection.neurons.settings import GROWN, PLAIN, Ascent
from steelsight.inspection.neurons.survey import speaking_layers
from steelsight.runs.inspection.neurons import show_sheets
from steelsight.runs.open import Judged
from steelsight.study.options import StudyOptions

__all__ = ["look_at_neurons", "plain_ascent"]

SHEETS = 500  # shown, at most


KERNELS = (3, 10)  # the study's smallest and largest


def look_at_neurons(run: Judged, options: StudyOptions, *, second: bool) -> Atlas:
    """The atlas of one half; the multi-class half has the second form too, as in the study."""
    shown = show_sheets(run, "test", limit=SHEETS, rng=np.random.default_rng([options.seed, 20]))
    every = max(1, options.neuron_steps * GROWN.every // PLAIN.steps)
    plan = AtlasPlan(
        count=options.neurons,
        choose="drawn",
        plain=plain_ascent(options),
        grown=replace(GROWN, steps=5 * every, every=every, kernels=KERNELS, clip=True) if second else None,
        resamples=min(options.resamples, 400),
    )
    return make_atlas(
        run.model,
        shown,
        speaking_layers(run.model),
        plan,
        rng=np.random.default_rng([options.seed, 21]),
        seed=options.seed,
    )


def plain_ascent(options: StudyOptions) -> Ascent:
    return replace(PLAIN, steps=options.neuron_steps, clip=True)
