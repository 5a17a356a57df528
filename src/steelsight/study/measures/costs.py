"""Size and speed of the study's four networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from steelsight.evaluation.timing import STUDY_BATCH, time_interleaved
from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model, find_model
from steelsight.models.inputs import to_input
from steelsight.models.summary import summarise
from steelsight.study.options import SLIDE_ORDER, StudyOptions
from steelsight.study.recipes import recipe_for
from steelsight.study.results import ModelCost

__all__ = ["measure_costs"]


def measure_costs(options: StudyOptions) -> dict[str, ModelCost]:
    """Layers, and time of a batch of five, of all four networks; independent of their training."""
    networks = {name: _network(name, options) for name in SLIDE_ORDER}
    size = {name: (model_spec.height, model_spec.width) for name, (_, model_spec) in networks.items()}
    rng = np.random.default_rng(options.seed)

    def forward(name: str) -> Callable[[], object]:
        model = networks[name][0].eval()
        gray = torch.from_numpy(rng.integers(0, 256, (STUDY_BATCH, *size[name]), dtype=np.uint8))
        batch = to_input(gray)

        def run() -> object:
            with torch.inference_mode():
                return model(batch)

        return run

    timings = time_interleaved({name: forward(name) for name in networks}, options.repeats)
    return {
        name: ModelCost(
            find_model(name).title, tuple(summarise(model, *size[name], whole_fires=True)), timings[name]
        )
        for name, (model, _) in networks.items()
    }


def _network(name: str, options: StudyOptions) -> tuple[SheetClassifier, ModelSpec]:
    spec = recipe_for(name, replace(options, pretrained="none")).model_spec(2)
    return build_model(spec), spec
