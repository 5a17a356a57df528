"""Whether a neuron of one model matches the same neuron of another: correlation of their images.

Images agree pixel by pixel in part because both ascents start from the same noise. So a neuron's correlation
is compared with that of different neurons of the same two layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import interval_of
from steelsight.inspection.neurons.maximise import MaximisedImages, maximise
from steelsight.inspection.neurons.nature import image_correlation
from steelsight.inspection.neurons.settings import Ascent, Neuron
from steelsight.models.catalog import SheetClassifier
from steelsight.types import Interval

__all__ = ["LayerPairs", "PairedNeurons", "compare_neurons"]

RESAMPLES = 1000


@dataclass(frozen=True)
class LayerPairs:
    """One layer's neurons in both models."""

    layer: str
    own: Interval  # mean correlation of a neuron's two images, over neurons
    others: Interval  # of images of two different neurons
    found: Interval  # share of neurons whose image correlates most with the same neuron's


@dataclass(frozen=True)
class PairedNeurons:
    """The same n neurons in two models."""

    first: MaximisedImages
    second: MaximisedImages
    correlations: Float[np.ndarray, " n"]  # of each neuron's two images
    layers: tuple[LayerPairs, ...]

    def as_dict(self) -> dict[str, Any]:
        """Every number."""
        pairs = zip(self.first.neurons, self.correlations.tolist(), strict=True)
        return {
            "neurons": {neuron.name: value for neuron, value in pairs},
            "layers": [asdict(layer) for layer in self.layers],
        }


def compare_neurons(
    first: SheetClassifier,
    second: SheetClassifier,
    neurons: Sequence[Neuron],
    ascent: Ascent,
    *,
    seed: int,
    rng: np.random.Generator,
) -> PairedNeurons:
    """The same neurons in two models of one architecture, each ascent from the same start.

    rng     resamples neurons, for the intervals
    raises  BadInput for models whose features differ in structure, and as `maximise`
    """
    _refuse_different(first, second)
    images = [
        maximise(model, neurons, ascent, generator=torch.Generator().manual_seed(seed), size=first.size)
        for model in (first, second)
    ]
    correlations = np.zeros(len(neurons))
    layers = []
    for layer in dict.fromkeys(neuron.layer for neuron in neurons):
        rows = np.array([row for row, neuron in enumerate(neurons) if neuron.layer == layer])
        table = image_correlation(images[0].images[rows], images[1].images[rows])
        correlations[rows] = np.diagonal(table)
        layers.append(_layer(layer, table, rng))
    return PairedNeurons(images[0], images[1], correlations, tuple(layers))


def _layer(layer: str, table: Float[np.ndarray, "n n"], rng: np.random.Generator) -> LayerPairs:
    count = len(table)
    apart = ~np.eye(count, dtype=bool)

    def figures(rows: Int[np.ndarray, " m"]) -> list[float]:
        some, other = table[np.ix_(rows, rows)], apart[np.ix_(rows, rows)]
        nearest = table[rows].argmax(1) == rows
        return [
            float(np.diagonal(table)[rows].mean()),
            float(some[other].mean()) if other.any() else float("nan"),
            float(nearest.mean()),
        ]

    estimates = figures(np.arange(count))
    draws = np.array([figures(rng.integers(0, count, count)) for _ in range(RESAMPLES)])
    intervals = [interval_of(estimates[i], draws[:, i])[0] for i in range(3)]
    return LayerPairs(layer, *intervals)


def _refuse_different(first: SheetClassifier, second: SheetClassifier) -> None:
    shapes = [
        {name: tuple(each.shape) for name, each in model.features.state_dict().items()}
        for model in (first, second)
    ]
    if shapes[0] != shapes[1]:
        name = next(
            key
            for key in sorted(shapes[0].keys() | shapes[1].keys())
            if shapes[0].get(key) != shapes[1].get(key)
        )
        raise BadInput(
            f"neurons of two models: expected one architecture, got {first.name} and {second.name}, which "
            f"differ at features.{name}: {shapes[0].get(name)} and {shapes[1].get(name)}; compare models of "
            "one network"
        )
    if first.size != second.size:
        raise BadInput(
            f"neurons of two models: expected one input size, got {first.size} and {second.size}; "
            "compare models of one size"
        )
