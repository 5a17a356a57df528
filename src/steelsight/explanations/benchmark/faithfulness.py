"""Faithfulness of a method's maps to a model: deletion and insertion, stability, and model randomisation.

Applies the functions of evaluation.heatmaps.faithfulness to a torch model. Maps are compared in the form in
which they are scored: their positive part, blurred.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from steelsight.evaluation.heatmaps.faithfulness import Predict, delete_insert, rank_similarity, stability
from steelsight.explanations.benchmark.scoring import Explain, MaskedSheets
from steelsight.explanations.benchmark.settings import ChecksRecipe
from steelsight.explanations.masks import Sign, blur_maps
from steelsight.models.capture import at_rest
from steelsight.models.inputs import to_input
from steelsight.streams import indexed_stream
from steelsight.types import GrayBatch, Heatmaps

__all__ = ["FaithfulnessMeans", "check_method", "randomise_stages"]


@dataclass(frozen=True)
class FaithfulnessMeans:
    """Faithfulness of one method, means over the sheets checked."""

    sheets: int
    deletion: float  # area under the curve, 0..1; less is better
    insertion: float  # more is better
    stability: float  # rank similarity of maps under small noise; 1 = unchanged
    randomised: tuple[float, ...]  # rank similarity to the map of the model with 1, 2, … stages randomised

    @property
    def random_model_similarity(self) -> float:
        """Rank similarity to the maps of a fully random model; near 1, maps show only the sheet."""
        return self.randomised[-1] if self.randomised else float("nan")


def check_method(
    sheets: MaskedSheets,
    explain: Explain,
    recipe: ChecksRecipe,
    *,
    rows: Sequence[int],
    randomised: Sequence[nn.Module],
    blur: tuple[float, Sign],
    seed: int,
) -> FaithfulnessMeans:
    """Measure faithfulness on some sheets, each explained for its true class.

    rows        of the sheets that are checked
    randomised  copies of the model with more and more random layers, see `randomise_stages`
    blur        sigma in px and sign, see `blur_maps`
    seed        of the noise, with a stream for each sheet
    """
    scores = [
        _check_sheet(sheets, explain, recipe, row, randomised, blur, indexed_stream(seed, row))
        for row in rows
    ]
    if not scores:
        nothing = float("nan")
        return FaithfulnessMeans(0, nothing, nothing, nothing, ())
    deletion, insertion, steady, *similar = np.mean(scores, axis=0).tolist()
    return FaithfulnessMeans(len(scores), deletion, insertion, steady, tuple(similar))


def randomise_stages(model: nn.Module, stages: int, *, generator: torch.Generator) -> list[nn.Module]:
    """Copies of a model in which the last 1, 2, … of `stages` equal parts of its layers are randomised.

    Weights are drawn with the mean and standard deviation of those they replace, so that activations keep
    their scale.
    source  Adebayo et al. 2018, cascading randomisation
    """
    named = [name for name, module in model.named_modules() if module._parameters]
    parts = [part.tolist() for part in np.array_split(np.array(named[::-1]), min(stages, len(named)))]
    copies, current = [], model
    for part in parts:
        current = copy.deepcopy(current)
        for name in part:
            _redraw(current.get_submodule(name), generator)
        copies.append(current)
    return copies


def _redraw(module: nn.Module, generator: torch.Generator) -> None:
    with torch.no_grad():
        for parameter in module.parameters(recurse=False):
            mean, std = float(parameter.mean()), float(parameter.std(correction=0))
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
            parameter.copy_(mean + std * drawn)


def _check_sheet(
    sheets: MaskedSheets,
    explain: Explain,
    recipe: ChecksRecipe,
    row: int,
    randomised: Sequence[nn.Module],
    blur: tuple[float, Sign],
    rng: np.random.Generator,
) -> Float[np.ndarray, " v"]:
    image, target = np.asarray(sheets.images[row]), int(sheets.targets[row])

    def show(model: nn.Module, images: GrayBatch) -> Heatmaps:
        same = torch.full((len(images),), target, dtype=torch.int64)
        maps = explain(model, to_input(torch.from_numpy(images)), same)
        return blur_maps(maps.detach().to(torch.float32).cpu().numpy(), *blur)

    heat = show(sheets.model, image[None])[0]
    curves = delete_insert(_prediction(sheets.model, target), image, heat, steps=recipe.steps)
    steady = stability(
        lambda images: show(sheets.model, images),
        image,
        noise_levels=recipe.noise_levels,
        draws=recipe.draws,
        rng=rng,
    )
    similar = [rank_similarity(heat, show(model, image[None])[0]) for model in randomised]
    return np.array([curves.deletion, curves.insertion, steady, *similar])


def _prediction(model: nn.Module, target: int) -> Predict:
    """The softmax probability of one class, for gray sheets."""

    def predict(images: GrayBatch) -> Float[np.ndarray, " m"]:
        with torch.inference_mode(), at_rest(model):
            logits = model(to_input(torch.from_numpy(images))).double()
        answers: Float[np.ndarray, " m"] = logits.softmax(1)[:, target].cpu().numpy()
        return answers

    return predict
