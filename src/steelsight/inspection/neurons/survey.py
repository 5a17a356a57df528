"""Responses of all channels of some layers to real sheets: one forward pass, a few numbers for each.

Memory grows with sheets x channels, not with the layers' grids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, UInt8
from torch import Tensor, nn
from torchvision.models.squeezenet import Fire

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import Groups, draw_weights, group_index, interval_of
from steelsight.inspection.neurons.receptive_field import ReceptiveField, receptive_field_of
from steelsight.models.backbones.units import is_backbone, units_of
from steelsight.models.capture import at_rest, find_layer
from steelsight.models.catalog import SheetClassifier
from steelsight.models.inputs import to_input
from steelsight.types import GrayBatch, Interval, Labels

__all__ = [
    "CROPS",
    "Crop",
    "LayerSurvey",
    "class_responses",
    "class_variance_share",
    "cut_crops",
    "survey",
    "surveyed_layers",
]

CROPS = 9


@dataclass(frozen=True)
class LayerSurvey:
    """Responses of one layer's k channels to n sheets."""

    layer: str
    grid: tuple[int, int]  # rows and columns; 1x1 where the layer has no places
    means: Float32[np.ndarray, "n k"]  # over the places; the value that images are optimised for
    maxima: Float32[np.ndarray, "n k"]
    places: Int[np.ndarray, "n k"]  # of the maxima, counted row by row
    receptive_field: ReceptiveField

    @property
    def dead(self) -> Int[np.ndarray, " d"]:
        """Channels that are not above zero at any place of any sheet."""
        return np.flatnonzero(self.maxima.max(0) <= 0)


@dataclass(frozen=True)
class Crop:
    """The receptive field of a neuron's strongest response to one sheet."""

    sheet: int  # row of the sheets surveyed
    value: float
    box: tuple[int, int, int, int]  # top, left, bottom, right in the model's input
    gray: UInt8[np.ndarray, "_ _"]


def surveyed_layers(model: nn.Module) -> list[str]:
    """The layers surveyed by default: every ReLU outside a Fire module, every Fire module, the logits.

    Of another library's backbone: every unit of its features, and the logits.
    """
    if isinstance(model, SheetClassifier) and is_backbone(model.features):
        return [*(f"features.{name}" for name, _ in units_of(model.features)), "head"]
    found: list[str] = []
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{fire}.") for fire in found)
        if isinstance(module, Fire) or (isinstance(module, nn.ReLU) and not inside):
            found.append(name)
    return [*found, "head"] if isinstance(model, SheetClassifier) else found


def survey(
    model: SheetClassifier,
    images: GrayBatch,
    layers: Iterable[str],
    *,
    batch: int = 32,
    say: Callable[[int], None] = lambda _done: None,
) -> dict[str, LayerSurvey]:
    """Means and maxima of each layer's channels, with the places of the maxima.

    images   (n, h, w) uint8
    say      called with the number of sheets done
    raises   UnknownLayer; BadInput for no sheets, or a layer without channels
    """
    names = list(dict.fromkeys(layers))
    if not len(images):
        raise BadInput("neurons: expected sheets to show the model, got none; choose another --split")
    model.refuse_patches("inspect neurons")
    tables: dict[str, list[tuple[Tensor, Tensor, Tensor]]] = {name: [] for name in names}
    grids: dict[str, tuple[int, int]] = {}
    modules = {name: find_layer(model, name) for name in names}
    hooks = []
    with at_rest(model), torch.inference_mode():
        try:
            for name, module in modules.items():
                hooks.append(module.register_forward_hook(_recorder(name, tables, grids)))
            for begin in range(0, len(images), batch):
                model(to_input(torch.from_numpy(np.array(images[begin : begin + batch]))))
                say(min(begin + batch, len(images)))
        finally:
            for hook in hooks:
                hook.remove()
    missed = [name for name in names if not tables[name]]
    if missed:
        raise BadInput(f"layer {missed[0]!r}: the forward pass does not reach it; choose another")
    return {
        name: LayerSurvey(name, grids[name], *_join(tables[name]), receptive_field_of(model, name))
        for name in names
    }


def cut_crops(found: LayerSurvey, channel: int, images: GrayBatch, *, count: int = CROPS) -> list[Crop]:
    """The sheets with the highest maxima of a channel, each cropped to the receptive field of the maximum.

    images   those surveyed
    returns  the strongest first, at most one a sheet
    """
    order = np.argsort(-found.maxima[:, channel], kind="stable")[:count]
    crops = []
    for sheet in order.tolist():
        at = divmod(int(found.places[sheet, channel]), found.grid[1])
        top, left, bottom, right = box = found.receptive_field.box(at, (images.shape[1], images.shape[2]))
        gray = np.array(images[sheet][top:bottom, left:right])
        crops.append(Crop(sheet, float(found.maxima[sheet, channel]), box, gray))
    return crops


def class_responses(
    values: Float[np.ndarray, "n k"],
    labels: Labels,
    class_names: Sequence[str],
    groups: Groups | None = None,
    *,
    rng: np.random.Generator,
    resamples: int = 400,
) -> list[dict[str, Interval]]:
    """Mean response of each of k neurons to the sheets of each class, with intervals over groups.

    labels   (n,) class a sheet; below 0 = left out
    returns  one dictionary a neuron; a class without sheets is not in it, one of a single group has no bounds
    """
    group = group_index(groups, len(values))
    members = {name: labels == index for index, name in enumerate(class_names) if (labels == index).any()}
    draws: dict[str, list[Float[np.ndarray, "b k"]]] = {name: [] for name in members}
    if len(values) and group.max() > 0:
        for weights in draw_weights(group, rng, resamples):
            for name, own in members.items():
                counts = weights[:, own]
                total = counts.sum(1, keepdims=True)
                with np.errstate(invalid="ignore"):
                    draws[name].append(counts @ values[own].astype(np.float64) / total)
    responses = []
    for column in range(values.shape[1]):
        intervals = {}
        for name, own in members.items():
            estimate = float(values[own, column].mean())
            several = bool(draws[name]) and np.unique(group[own]).size > 1  # one group shows no spread
            drawn = np.concatenate([each[:, column] for each in draws[name]]) if several else None
            intervals[name] = (
                Interval(estimate, float("nan"), float("nan"))
                if drawn is None
                else interval_of(estimate, drawn)[0]
            )
        responses.append(intervals)
    return responses


def class_variance_share(values: Float[np.ndarray, "n k"], labels: Labels) -> Float[np.ndarray, " k"]:
    """Share of each neuron's variance over sheets that lies between the classes, 0..1; 0 if constant."""
    known = values[labels >= 0].astype(np.float64)
    classes = labels[labels >= 0]
    total = known.var(0) * len(known)
    between = np.zeros(values.shape[1])
    for label in np.unique(classes):
        own = known[classes == label]
        between += len(own) * (own.mean(0) - known.mean(0)) ** 2
    shares: Float[np.ndarray, " k"] = np.zeros_like(between)
    np.divide(between, total, out=shares, where=total > 0)
    return shares


def _join(rows: list[tuple[Tensor, Tensor, Tensor]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    means, maxima, places = (torch.cat(column).numpy() for column in zip(*rows, strict=True))
    return means, maxima, places


def _recorder(
    name: str, tables: dict[str, list[tuple[Tensor, Tensor, Tensor]]], grids: dict[str, tuple[int, int]]
) -> Callable[[nn.Module, object, object], None]:
    def record(_module: nn.Module, _inputs: object, output: object) -> None:
        if not isinstance(output, Tensor) or output.ndim not in (2, 4):
            came = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise BadInput(
                f"layer {name!r}: expected an output of shape (n, channels) or (n, channels, height, width), "
                f"got {came}; choose another layer"
            )
        grids[name] = (output.shape[2], output.shape[3]) if output.ndim == 4 else (1, 1)
        flat = output.float().flatten(2) if output.ndim == 4 else output.float().unsqueeze(2)
        highest, places = flat.max(2)
        tables[name].append((flat.mean(2), highest, places))

    return record
