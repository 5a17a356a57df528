"""Atlas of neurons of the study's models: images that drive them, and real crops."""

from __future__ import annotations

from dataclasses import replace

from steelsight.inspection.neurons.atlas import Atlas, AtlasPlan, make_atlas
from steelsight.inspection.neurons.settings import GROWN, PLAIN, Ascent
from steelsight.inspection.neurons.survey import surveyed_layers
from steelsight.runs.inspection.neurons import show_sheets
from steelsight.runs.opening.open import OpenRun
from steelsight.streams import stream
from steelsight.study.options import StudyOptions

__all__ = ["make_study_atlas", "plain_ascent"]

SHEETS = 500  # whose crops are searched, at most
KERNELS = (3, 10)  # the study's smallest and largest blur kernel


def make_study_atlas(run: OpenRun, options: StudyOptions, *, grown: bool) -> Atlas:
    """Images that drive single neurons of the chosen model.

    grown  also make the images that are enlarged and blurred while they are optimised, as the study did for
           the multi-class model
    """
    shown = show_sheets(run, "test", limit=SHEETS, rng=stream(options.seed, "neuron-sheets"))
    every = max(1, options.neuron_steps * GROWN.every // PLAIN.steps)
    plan = AtlasPlan(
        count=options.neurons,
        choose="drawn",
        plain=plain_ascent(options),
        grown=replace(GROWN, steps=5 * every, every=every, kernels=KERNELS, clip=True) if grown else None,
        resamples=min(options.resamples, 400),
    )
    return make_atlas(
        run.model,
        shown,
        surveyed_layers(run.model),
        plan,
        rng=stream(options.seed, "neuron-atlas"),
        seed=options.seed,
    )


def plain_ascent(options: StudyOptions) -> Ascent:
    """Settings of the plain optimisation, with the steps of these options."""
    return replace(PLAIN, steps=options.neuron_steps, clip=True)
