"""Fits the place head to masks, after the last epoch, on the network's frozen features.

Each place of the grid that masks cover by COVERED of its area counts as its sheet's class, each that they do
not touch as "no defect"; places in between are left out. On a sheet whose defects are too small for that, the
place that they cover most counts. The same number of places is drawn from every sheet, and rare classes
weigh more, by the square root of their share.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  torch's own abbreviation
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from steelsight.errors import BadRecipe
from steelsight.models.catalog import SheetClassifier
from steelsight.models.inputs import to_input
from steelsight.models.places import PlaceHead, nearest, run_tapped
from steelsight.streams import stream
from steelsight.training.dataset import Masks, TrainingData
from steelsight.training.recipe import PlacesRecipe

__all__ = ["COVERED", "choose_rows", "fit_places"]

COVERED: Final = 0.15  # of the area of a place
DRAWN: Final = 100  # covered places of a sheet at most, and as many others
BATCH: Final = 16  # sheets a pass
STEP: Final = 2048  # places of one step of the fit
RATE: Final = 2e-3  # AdamW's, on standardised features; falls to 0 by half a cosine
DECAY: Final = 0.05


@dataclass(frozen=True)
class _Places:
    """Places drawn from the training sheets."""

    features: list[Tensor]  # of each tap, (m, k, 1, 1)
    labels: Int[Tensor, " m"]  # class; `background` = no defect


def fit_places(
    model: SheetClassifier,
    data: TrainingData,
    recipe: PlacesRecipe,
    *,
    seed: int,
    step: Callable[[int, int], None] = lambda _done, _steps: None,
) -> float:
    """Fit `model.places` in place; everything else of the model stays as it is.

    data     with masks; sheets whose masks are not known are left out
    step     called with the number of passes and epochs done, and of all
    returns  the loss of the last epoch
    raises   BadRecipe as `choose_rows`
    """
    head = model.places
    if head is None:
        raise BadRecipe("places: expected a model with a place head, got none; set places.hidden above 0")
    rows, masks = choose_rows(data, recipe)
    rng = stream(seed, "place-fit")
    with torch.random.fork_rng():
        torch.manual_seed(int(rng.integers(2**62)))  # of weights, order and dropout
        passes = -(-rows.size // BATCH)
        steps = passes + recipe.epochs
        places = _draw(model, head, data, masks, rows, rng, lambda done: step(done, steps))
        head.start(places.features)
        return _descend(head, places, recipe.epochs, data.clean, lambda done: step(passes + done, steps))


def choose_rows(data: TrainingData, recipe: PlacesRecipe) -> tuple[Int[np.ndarray, " r"], Masks]:
    """The training sheets whose masks are known, evenly spaced where there are more than `places.sheets`.

    returns their positions, and the masks of all sheets
    raises  BadRecipe where none of them has a mask with a defect
    """
    known = data.train[data.masks.known[data.train]] if data.masks is not None else data.train[:0]
    chosen: Int[np.ndarray, " r"] = known[
        np.linspace(0, known.size - 1, min(recipe.sheets, known.size)).astype(int)
    ]
    if data.masks is None or not any(data.masks.shares[row].any() for row in chosen):
        raise BadRecipe(
            f"places.hidden: expected training sheets with masks of their defects, got none among "
            f"{chosen.size} with known masks; bring masks, raise places.sheets, or set places.hidden = 0"
        )
    return chosen, data.masks


def _draw(
    model: SheetClassifier,
    head: PlaceHead,
    data: TrainingData,
    masks: Masks,
    rows: Int[np.ndarray, " r"],
    rng: np.random.Generator,
    step: Callable[[int], None],
) -> _Places:
    """Features and labels of places of the training sheets."""
    features: list[list[Tensor]] = [[] for _ in head.taps]
    labels: list[Tensor] = []
    device = next(model.parameters()).device
    classes = _classes(data)
    model.eval()
    for number in range(-(-rows.size // BATCH)):
        some = rows[number * BATCH : (number + 1) * BATCH]
        images = to_input(torch.from_numpy(np.ascontiguousarray(data.images[some]))).to(device)
        with torch.no_grad():
            maps = [each.cpu() for each in run_tapped(model.features, head.taps, images)[1]]
        grid = (int(maps[0].shape[2]), int(maps[0].shape[3]))
        shares = torch.from_numpy(np.ascontiguousarray(masks.shares[some]))
        found_labels = _labels(shares, classes[some], grid, head.classes.out_channels)
        for row, sheet in enumerate(found_labels):
            places = _some_places(sheet, head.classes.out_channels, rng)
            labels.append(torch.from_numpy(sheet[places]))
            for each, one in zip(features, maps, strict=True):
                each.append(one[row].flatten(1)[:, _nearest(places, grid, one.shape[2:])].T.half())
        step(number + 1)
    return _Places([torch.cat(each)[:, :, None, None] for each in features], torch.cat(labels))


def _classes(data: TrainingData) -> Int[np.ndarray, " n"]:
    """The class of each sheet; of a sheet of several types, whose mask is not known, the first."""
    targets = data.targets
    return targets.astype(np.int64) if targets.ndim == 1 else targets.argmax(axis=1).astype(np.int64)


def _labels(
    shares: UInt8[Tensor, "n h w"], classes: Int[np.ndarray, " n"], grid: tuple[int, int], background: int
) -> Int[np.ndarray, "n p"]:
    """Class of each place: its sheet's where masks cover it, `background` where they do not touch it.

    returns  -1 for places in between
    """
    area = F.adaptive_avg_pool2d(shares.unsqueeze(1).float() / 255, grid).flatten(1).numpy()
    most = area.max(axis=1, keepdims=True)
    area = np.where((area == most) & (most > 0), np.maximum(area, COVERED), area)
    found: Int[np.ndarray, "n p"] = np.where(
        area >= COVERED, classes[:, None], np.where(area > 0, -1, background)
    )
    return found


def _some_places(
    labels: Int[np.ndarray, " p"], background: int, rng: np.random.Generator
) -> Int[np.ndarray, " q"]:
    """At most DRAWN covered places and as many others, in order."""
    parts = [
        rng.permutation(np.flatnonzero(rows))[:DRAWN]
        for rows in ((labels >= 0) & (labels != background), labels == background)
    ]
    return np.sort(np.concatenate(parts))


def _nearest(
    places: Int[np.ndarray, " q"], fine: tuple[int, int], coarse: tuple[int, ...]
) -> Int[np.ndarray, " q"]:
    """The places of a coarse grid that are nearest to those of the fine one."""
    row, column = np.divmod(places, fine[1])
    rows, columns = (np.array(nearest(*sizes)) for sizes in zip(coarse, fine, strict=True))
    near: Int[np.ndarray, " q"] = rows[row] * int(coarse[1]) + columns[column]
    return near


def _descend(
    head: PlaceHead, places: _Places, epochs: int, clean: int | None, step: Callable[[int], None]
) -> float:
    """AdamW over the places; returns the mean loss of the last epoch."""
    background = head.classes.out_channels
    counts = torch.bincount(places.labels, minlength=background + 1).clamp_min(1).float()
    weights = (counts.sum() / counts).sqrt()
    weights = weights / weights.mean()
    count, size = len(places.labels), min(STEP, len(places.labels))
    steps = epochs * (count // size)
    device = head.classes.weight.device
    optimiser = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda done: 0.5 * (1 + math.cos(math.pi * done / steps))
    )
    head.train()
    loss_of_epoch = 0.0
    for epoch in range(epochs):
        order = torch.randperm(count)
        total = 0.0
        for start in range(0, count - size + 1, size):
            rows = order[start : start + size]
            maps = [each[rows].float().to(device) for each in places.features]
            logits = _with_background(head(maps).flatten(1), clean)
            loss = F.cross_entropy(logits, places.labels[rows].to(device), weight=weights.to(device))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        loss_of_epoch = total / (count // size)
        step(epoch + 1)
    head.eval()
    _clear(head, clean)
    return loss_of_epoch


def _with_background(evidence: Float[Tensor, "m c"], clean: int | None) -> Float[Tensor, "m d"]:
    """Logits of the classes and of "no defect", 0; the defect-free class has no places."""
    if clean is not None:
        evidence = evidence.index_fill(1, torch.tensor([clean], device=evidence.device), float("-inf"))
    return torch.cat([evidence, torch.zeros_like(evidence[:, :1])], dim=1)


def _clear(head: PlaceHead, clean: int | None) -> None:
    """Evidence 0 for the defect-free class."""
    if clean is None:
        return
    with torch.no_grad():
        head.classes.weight[clean] = 0
        if head.classes.bias is not None:
            head.classes.bias[clean] = 0
