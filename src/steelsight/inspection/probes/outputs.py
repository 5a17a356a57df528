"""Outputs of every layer on many sheets, in one forward pass, reduced batch by batch to two short inputs.

Layers differ in size by a factor of ten thousand, and more features alone make classes easier to separate.
So each layer is described twice, at a length with an upper limit: by averages over its places, which keep
location and lose texture, and by a random projection of all values, which preserves distances on average. A
layer with fewer values than the limit stays shorter. Raw outputs are
never stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional

from steelsight.errors import BadInput
from steelsight.inspection.probes.layers import INPUT
from steelsight.inspection.probes.projection import CountSketch, draw_sketch
from steelsight.models.capture import watch
from steelsight.models.catalog import SheetClassifier
from steelsight.models.inputs import to_input
from steelsight.types import GrayBatch

__all__ = ["KINDS", "MOST_POOLED", "PROJECTED", "Kind", "LayerOutput", "pooled_grid", "read_layers"]

Kind = Literal["pooled", "projected"]
KINDS: dict[Kind, str] = {"pooled": "averages over places", "projected": "random projection"}

MOST_POOLED, PROJECTED = 2048, 512
BATCH_BYTES = 2**26  # of the largest layer's output
LARGEST_BATCH = 32


@dataclass(frozen=True)
class LayerOutput:
    """One layer's outputs on n sheets, as the two inputs of a probe."""

    shape: tuple[int, ...]  # of one sheet's raw output
    pooled: Float32[np.ndarray, "n p"]  # p <= 2,048
    projected: Float32[np.ndarray, "n q"]  # q = 512, or the raw output where that is no longer

    def input(self, kind: Kind) -> Float32[np.ndarray, "n d"]:
        """One of the two."""
        return self.pooled if kind == "pooled" else self.projected


def read_layers(
    model: SheetClassifier,
    images: GrayBatch,
    layers: Sequence[str],
    *,
    seed: int = 0,
    say: Callable[[int], None] = lambda _: None,
) -> dict[str, LayerOutput]:
    """The two inputs of the sheet itself and of every layer, in the order given; the model is left as found.

    images  (n, h, w) uint8; a memory-mapped file is read batch by batch
    layers  names as in `model.named_modules()`; the sheet itself comes first under the name `input`
    seed    of the random projections; layers of one size, and all models, share one
    say     called with the number of sheets done
    memory  at most 10 kB a sheet and layer, and beside it one batch
    raises  UnknownLayer; BadInput without sheets, for a layer the forward pass does not reach, or whose
            output is not finite
    """
    model.refuse_patches(f"model {model.name}")
    if not len(images):
        raise BadInput("layers: expected at least one sheet, got none")
    readers = {name: _Reader(name, len(images), seed) for name in (INPUT, *layers)}
    sketches: dict[int, CountSketch] = {}
    batch = min(LARGEST_BATCH, _rows_within(model, images[:1], layers))
    place = slice(0, 0)

    def see(name: str, output: Tensor) -> None:
        readers[name].take(place, output, sketches)

    device = next(model.parameters()).device
    with torch.inference_mode(), watch(model, layers, see):
        for start in range(0, len(images), batch):
            gray = torch.from_numpy(np.array(images[start : start + batch]))
            place = slice(start, start + len(gray))
            see(INPUT, gray[:, None].float())
            model(to_input(gray.to(device)))
            say(place.stop)
    return {name: reader.finish() for name, reader in readers.items()}


def pooled_grid(channels: int, height: int, width: int, most: int = MOST_POOLED) -> tuple[int, int]:
    """Rows and columns to average a layer to: as many places as `most` numbers allow, in its own shape.

    >>> pooled_grid(64, 31, 199), pooled_grid(384, 3, 24), pooled_grid(1, 64, 400)
    ((2, 16), (1, 5), (16, 128))
    """
    places = max(1, most // channels)
    grids = [(rows, min(width, places // rows)) for rows in range(1, min(height, places) + 1)]
    return max(grids, key=lambda grid: (grid[0] * grid[1], -abs(np.log(grid[1] * height / grid[0] / width))))


class _Reader:
    """Fills one layer's arrays; they are made when the first output shows its size."""

    def __init__(self, name: str, count: int, seed: int) -> None:
        self.name, self.count, self.seed = name, count, seed
        self.found: LayerOutput | None = None

    def take(self, place: slice, output: Tensor, sketches: dict[int, CountSketch]) -> None:
        """Reduce one batch; the output itself is not kept."""
        pooled = _pool(output)
        flat = _in_memory_order(output)
        size = flat.shape[1]
        if self.found is None:
            shape, width = tuple(output.shape[1:]), min(PROJECTED, size)
            arrays = [np.empty((self.count, d), dtype=np.float32) for d in (pooled.shape[1], width)]
            self.found = LayerOutput(shape, *arrays)
        self.found.pooled[place] = pooled.cpu().numpy()
        if size <= PROJECTED:
            self.found.projected[place] = flat.cpu().numpy()
            return
        if size not in sketches:
            sketches[size] = draw_sketch(size, PROJECTED, seed=self.seed)
        self.found.projected[place] = sketches[size].project(flat).cpu().numpy()

    def finish(self) -> LayerOutput:
        """All sheets' inputs."""
        if self.found is None:
            raise BadInput(f"layer {self.name!r}: the forward pass does not reach it; choose another")
        for array in (self.found.pooled, self.found.projected):
            wrong = np.flatnonzero(~np.isfinite(array).all(axis=1))
            if wrong.size:
                raise BadInput(
                    f"layer {self.name!r}: expected finite outputs, got NaN or infinity for sheet {wrong[0]} "
                    f"({wrong.size} such sheets); the training diverged, train again"
                )
        return self.found


def _in_memory_order(output: Tensor) -> Tensor:
    """(n, d), channel after channel at each place: no copy is made of channels-last outputs."""
    return output.permute(0, 2, 3, 1).flatten(1) if output.ndim == 4 else output.flatten(1)


def _pool(output: Tensor) -> Tensor:
    """(n, c, h, w) averaged over places, (n, d) over neighbours where there are too many."""
    if output.ndim == 4:
        grid = pooled_grid(output.shape[1], output.shape[2], output.shape[3])
        output = functional.adaptive_avg_pool2d(output, grid)
    flat = output.flatten(1)
    if flat.shape[1] > MOST_POOLED:
        flat = functional.adaptive_avg_pool1d(flat[:, None], MOST_POOLED)[:, 0]
    return flat


def _rows_within(model: SheetClassifier, image: GrayBatch, layers: Sequence[str]) -> int:
    """Sheets whose largest output fits the cap; at least one."""
    largest = [1]

    def see(_name: str, output: Tensor) -> None:
        largest[0] = max(largest[0], output.numel() * output.element_size())

    device = next(model.parameters()).device
    with torch.inference_mode(), watch(model, layers, see):
        model(to_input(torch.from_numpy(np.array(image)).to(device)))
    return max(1, BATCH_BYTES // largest[0])
