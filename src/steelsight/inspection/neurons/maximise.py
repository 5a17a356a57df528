"""Activation maximisation: x' = argmin -f(x) for many neurons at a time.

Gradient ascent with normalised steps, from faint noise around mid-gray that is the same for every neuron; the
image's contrast is bounded (`Ascent.contrast`). The model is not changed. The result is one of many images
with a high response.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, UInt8
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.inspection.neurons.priors import (
    GRAY_MEAN,
    GRAY_STD,
    blur,
    gray_range,
    limit,
    resize,
    smooth_spectrum,
    to_channels,
    unit,
    variation,
)
from steelsight.inspection.neurons.receptive_field import receptive_field_of
from steelsight.inspection.neurons.settings import Ascent, Neuron
from steelsight.inspection.neurons.truncated import Truncated, run_to
from steelsight.models.classifier import SheetClassifier
from steelsight.types import GrayBatch

__all__ = ["MaximisedImages", "maximise"]

LAST_RATE = 0.1  # share of the first
WARM = 16  # first steps, in which inactive ReLUs pass a gradient as well
Images = Float[Tensor, "n c h w"]


@dataclass(frozen=True)
class MaximisedImages:
    """Images and responses of n neurons, in the order given."""

    neurons: tuple[Neuron, ...]
    images: Float32[np.ndarray, "n c h w"]  # normalised units, c 1 (gray) or 3
    values: Float[np.ndarray, " n"]  # f(x')
    starts: Float[np.ndarray, " n"]  # f of the start
    kernels: tuple[int, ...]  # of the blur; 0 = none
    stages: tuple[Float32[np.ndarray, "n c _ _"], ...]  # the image before each enlargement, then the last

    def shown(self, row: int) -> UInt8[np.ndarray, "h w k"]:
        """One image as gray or colour bytes, rescaled where values exceed black or white."""
        return to_bytes(self.images[row])


def to_bytes(image: Float32[np.ndarray, "c h w"]) -> UInt8[np.ndarray, "h w c"]:
    """Convert normalised units to bytes; values beyond black or white are scaled towards mid-gray."""
    low, high = (edge.numpy() for edge in gray_range(image.shape[0]))
    over = max(1.0, float((image / np.where(image < 0, low, high)).max()))
    shares = (image / over - low) / (high - low)
    drawn: UInt8[np.ndarray, "h w c"] = np.rint(np.clip(shares, 0, 1).transpose(1, 2, 0) * 255).astype(
        np.uint8
    )
    return drawn


def maximise(
    model: nn.Module,
    neurons: Sequence[Neuron],
    ascent: Ascent,
    *,
    generator: torch.Generator,
    size: tuple[int, int] | None = None,
    start: GrayBatch | None = None,
    say: Callable[[int], None] = lambda _done: None,
) -> MaximisedImages:
    """Optimise an image for each neuron's response.

    neurons    of any layers; those of one layer are optimised in one batch, independently
    generator  draws the start and the jitter, the same for all
    size       height and width; None = what the model was built for
    start      real sheets to start from instead of noise, one for all or one a neuron
    say        called with the number of neurons finished
    raises     UnknownLayer; BadInput for a channel or place the layer does not have, or images the model
               cannot take
    """
    if not neurons:
        raise BadInput("neurons: expected at least one, got none")
    if isinstance(model, SheetClassifier):
        model.refuse_patches("inspect neurons")
        size = size or model.size
    if size is None:
        raise BadInput("size: expected height and width for a model that does not state its own, got none")
    first = _start(ascent, size, start, generator)
    if len(first) not in (1, len(neurons)):
        raise BadInput(f"start: expected 1 sheet or {len(neurons)}, one a neuron, got {len(first)}")
    plan = _Plan(ascent, size, first, _moves(ascent, generator))
    rows: dict[int, _MaximisedNeuron] = {}
    for layer in dict.fromkeys(neuron.layer for neuron in neurons):
        places = [row for row, neuron in enumerate(neurons) if neuron.layer == layer]
        with run_to(model, layer) as run, torch.inference_mode(False), torch.enable_grad():
            field = receptive_field_of(model, layer)
            _check(run, [neurons[row] for row in places], plan)
            for begin in range(0, len(places), ascent.chunk):
                chosen = places[begin : begin + ascent.chunk]
                begun = plan.first.expand(len(neurons), -1, -1, -1)[chosen]
                group = _Group(run, [neurons[row] for row in chosen], begun, field.box)
                rows |= dict(zip(chosen, _best_kernel(group, plan), strict=True))
                say(len(rows))
    found = [rows[row] for row in range(len(neurons))]
    return MaximisedImages(
        tuple(neurons),
        np.stack([one.stages[-1] for one in found]),
        np.array([one.value for one in found]),
        np.array([one.first for one in found]),
        tuple(one.kernel for one in found),
        tuple(np.stack([one.stages[number] for one in found]) for number in range(len(plan.sizes))),
    )


Box = Callable[[tuple[int, int], tuple[int, int]], tuple[int, int, int, int]]


@dataclass(frozen=True)
class _Plan:
    ascent: Ascent
    size: tuple[int, int]
    first: Float[Tensor, "s c h w"]  # one start, or one a neuron
    moves: Int[np.ndarray, "steps 2"]

    @property
    def sizes(self) -> list[tuple[int, int]]:
        return self.ascent.sizes(self.size)


@dataclass(frozen=True)
class _Group:
    """Neurons of one layer that are optimised in one batch."""

    run: Truncated
    neurons: list[Neuron]
    first: Float[Tensor, "n c h w"]
    box: Box

    def areas(self, size: tuple[int, int]) -> Float[Tensor, " n"]:
        """Pixels in each neuron's receptive field: the whole image, or the box of its place."""
        boxes = [(0, 0, *size) if n.place is None else self.box(n.place, size) for n in self.neurons]
        return torch.tensor([float((bottom - top) * (right - left)) for top, left, bottom, right in boxes])


@dataclass(frozen=True)
class _MaximisedNeuron:
    stages: list[Float32[np.ndarray, "c _ _"]]
    value: float
    first: float
    kernel: int


def _start(
    ascent: Ascent, size: tuple[int, int], sheets: GrayBatch | None, generator: torch.Generator
) -> Float[Tensor, "s c _ _"]:
    channels, first = 3 if ascent.colour else 1, ascent.start or size
    noise = ascent.noise * torch.randn(1, channels, *first, generator=generator)
    if sheets is None:
        return noise
    gray = torch.from_numpy(np.array(sheets, dtype=np.float32))[:, None] / 255
    shown: Tensor = (gray - GRAY_MEAN) / GRAY_STD
    if shown.shape[2:] != first:
        shown = resize(shown, first)
    return to_channels(shown) if ascent.colour else shown


def _moves(ascent: Ascent, generator: torch.Generator) -> Int[np.ndarray, "steps 2"]:
    drawn = torch.randint(-ascent.jitter, ascent.jitter + 1, (ascent.steps, 2), generator=generator)
    return drawn.numpy()


def _check(run: Truncated, neurons: Sequence[Neuron], plan: _Plan) -> None:
    """Refuse neurons that the layer does not have, at the first or the last image size."""
    for size in dict.fromkeys((plan.sizes[0], plan.sizes[-1])):
        with torch.no_grad():
            output = run(to_channels(resize(plan.first[:1], size)))
        for neuron in neurons:
            _refuse(neuron, tuple(output.shape), size)


def _refuse(neuron: Neuron, shape: tuple[int, ...], size: tuple[int, int]) -> None:
    if len(shape) not in (2, 4):
        raise BadInput(
            f"layer {neuron.layer!r}: expected an output of shape (n, channels) or (n, channels, height, "
            f"width), got {shape}; choose another layer"
        )
    if not 0 <= neuron.channel < shape[1]:
        raise BadInput(
            f"neuron {neuron.name}: the layer has {shape[1]} channels, 0 to {shape[1] - 1}, "
            f"got {neuron.channel}"
        )
    rows, columns = shape[2:] or (1, 1)
    if neuron.place and not (0 <= neuron.place[0] < rows and 0 <= neuron.place[1] < columns):
        raise BadInput(
            f"neuron {neuron.name}: on a {size[0]}x{size[1]} image the layer has {rows} rows and {columns} "
            f"columns, counted from 0, got {neuron.place[0]},{neuron.place[1]}"
        )


def _best_kernel(group: _Group, plan: _Plan) -> list[_MaximisedNeuron]:
    """For each neuron the largest kernel whose response is at least `kept` of the best kernel's."""
    tried = [_climb(group, plan, kernel) for kernel in sorted(set(plan.ascent.kernels)) or [0]]
    chosen = []
    for each in zip(*tried, strict=True):
        best = max(one.value for one in each)
        good = [one for one in each if one.value >= best - (1 - plan.ascent.kept) * abs(best)]
        chosen.append(good[-1])
    return chosen


def _climb(group: _Group, plan: _Plan, kernel: int) -> list[_MaximisedNeuron]:
    """One ascent; each neuron keeps its image of the last size with the highest response."""
    ascent, sizes, run = plan.ascent, plan.sizes, group.run
    images = best = group.first
    areas = group.areas(sizes[0])
    highest = torch.full((len(images),), -torch.inf)
    silent = torch.zeros(len(images), dtype=torch.bool)
    stages: list[Float32[np.ndarray, "n c _ _"]] = []
    for step in range(ascent.steps):
        if len(sizes) > 1 and step and step % ascent.every == 0:
            stages.append(images.numpy())
            images = best = blur(resize(images, sizes[len(stages)]), [kernel] * len(images))
            areas = group.areas(sizes[len(stages)])
            highest.fill_(-torch.inf)
        run.leaking = silent | (step - ascent.every * len(stages) < WARM)  # anew after each enlargement
        values, gradient = _gradient(group, images, plan.moves[step], ascent.precision)
        better = values > highest
        best, highest = torch.where(_wide(better), images, best), torch.where(better, values, highest)
        silent = (gradient.flatten(1).abs().amax(1) == 0) | (run.leaking & (values <= 0))
        if ascent.fourier:
            gradient = smooth_spectrum(gradient, ascent.fourier)
        direction = unit(gradient, areas)
        if ascent.variation:
            direction = direction - ascent.variation * variation(images)
        rate = ascent.rate * (1 - (1 - LAST_RATE) * step / max(1, ascent.steps - 1))
        images = limit(images + rate * direction, areas, contrast=ascent.contrast, clip=ascent.clip)
    values, kept = _values(group, images), _values(group, best)
    stages.append(torch.where(_wide(values >= kept), images, best).numpy())
    first = _values(group, group.first)
    reached = torch.maximum(values, kept)
    return [
        _MaximisedNeuron([stage[row] for stage in stages], float(reached[row]), float(first[row]), kernel)
        for row in range(len(images))
    ]


def _wide(chosen: Bool[Tensor, " n"]) -> Bool[Tensor, "n 1 1 1"]:
    return chosen[:, None, None, None]


def _gradient(
    group: _Group, images: Images, move: Int[np.ndarray, " two"], precision: str
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n c h w"]]:
    """Response of each image's neuron, and its gradient."""
    leaf = images.detach().requires_grad_()
    shifts = (int(move[0]), int(move[1]))
    moved = torch.roll(leaf, shifts, (2, 3)) if any(shifts) else leaf
    with torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else nullcontext():
        values = read_neurons(group.run(to_channels(moved)), group.neurons)
    if not values.requires_grad:  # the layer ignores its input
        return values, torch.zeros_like(images)
    return values.detach(), torch.autograd.grad(values.sum(), leaf)[0]


def _values(group: _Group, images: Images) -> Float[Tensor, " n"]:
    group.run.leaking = None
    with torch.no_grad():
        return read_neurons(group.run(to_channels(images)), group.neurons)


def read_neurons(output: Tensor, neurons: Sequence[Neuron]) -> Float[Tensor, " n"]:
    """Response of neuron i in row i: mean of its channel over the places, or its one place."""
    own = output.float()[torch.arange(len(neurons)), [neuron.channel for neuron in neurons]]  # (n, gh, gw)
    if own.ndim == 1:
        return own
    placed = [own[row].mean() if n.place is None else own[row][n.place] for row, n in enumerate(neurons)]
    return torch.stack(placed)
