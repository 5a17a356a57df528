"""Build the table of a part from the engine's outputs: one row a sheet, regions where a defect is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Float32, Int

from steelsight.names import shown_name
from steelsight.runtime.engine.engine import Decisions, Outputs
from steelsight.runtime.engine.reading import DecodedImage
from steelsight.runtime.engine.regions import find_regions
from steelsight.runtime.scan.parts import REGION, PartRows
from steelsight.runtime.scan.sources import PlannedSheet
from steelsight.types import Reason, Region, State

__all__ = ["PartOutputs", "SheetReads", "build_table"]

LARGEST: Final = 65504.0  # of half floats


@dataclass(frozen=True, eq=False)
class PartOutputs:
    """The engine's outputs for the readable sheets of a part."""

    rows: Int[np.ndarray, " n"]  # row of each in the part
    outputs: Outputs
    gray_mean: Float32[np.ndarray, " n"]
    gray_spread: Float32[np.ndarray, " n"]

    def only(self, rows: Sequence[int]) -> PartOutputs:
        """The first outputs, which belong to these rows of the part."""
        kept = len(rows)
        cut = self.outputs.only(slice(kept))
        return PartOutputs(
            np.array(rows, dtype=np.int64), cut, self.gray_mean[:kept], self.gray_spread[:kept]
        )


class SheetReads(NamedTuple):
    """The sheets of a part, and the result of reading each."""

    sheets: Sequence[PlannedSheet]
    reads: Sequence[DecodedImage]


def build_table(
    rows: PartRows,
    part: int,
    part_sheets: SheetReads,
    outputs: PartOutputs,
    decisions: Decisions,
    extra: Mapping[str, Any],
) -> pa.Table:
    """One row a sheet, in order; null or empty where a bad image has no value.

    part     its number in the plan, for the metadata
    extra    further columns, one value a sheet
    returns  columns as `parts` lists them
    """
    sheets, reads = part_sheets
    card, bad = rows.card, np.ones(len(sheets), dtype=bool)
    bad[outputs.rows] = False
    labels, states = [""] * len(sheets), [State.BAD_IMAGE.value] * len(sheets)
    reasons = [(read.reason or Reason.DAMAGED).value for read in reads]
    sets: list[list[str]] = [[] for _ in sheets]
    for place, label, state, reason, classes in zip(
        outputs.rows.tolist(),
        decisions.labels,
        decisions.states,
        decisions.reasons,
        decisions.sets,
        strict=True,
    ):
        sets[place] = [card.class_names[index] for index in classes]
        labels[place], states[place], reasons[place] = label, state.value, reason.value
    columns: dict[str, Any] = {
        "index": [sheet.index for sheet in sheets],
        "name": [shown_name(sheet.name) for sheet in sheets],
        "label": labels,
        "probability": _numbers(decisions.confidence, bad),
        "state": states,
        "reason": reasons,
        "detail": [shown_name(read.detail) for read in reads],
        "distance": _numbers(decisions.distance, bad),
        "probabilities": _probabilities(decisions.probabilities, bad),
        "label_set": sets,
        "regions": _region_column(_find_regions(rows, reads, outputs, decisions)),
        "height": pa.array([read.size[0] for read in reads], pa.int32(), mask=bad),
        "width": pa.array([read.size[1] for read in reads], pa.int32(), mask=bad),
        "gray_mean": _numbers(outputs.gray_mean, bad),
        "gray_spread": _numbers(outputs.gray_spread, bad),
        "model_id": [card.model_id] * len(sheets),
        **extra,
    }
    if rows.heatmaps:
        half = np.clip(outputs.outputs.maps, -LARGEST, LARGEST).astype("<f2")
        packed = iter(half)
        columns["maps"] = [None if out else next(packed).tobytes() for out in bad.tolist()]
    return pa.table(columns, schema=rows.schema(part))


def _find_regions(
    rows: PartRows, reads: Sequence[DecodedImage], outputs: PartOutputs, decisions: Decisions
) -> list[tuple[Region, ...]]:
    spec = rows.card.input
    regions: list[tuple[Region, ...]] = [()] * len(reads)
    for row, kinds in enumerate(decisions.classes):
        if kinds:
            place = int(outputs.rows[row])
            maps = outputs.outputs.where_of(row, kinds)
            regions[place] = find_regions(maps, reads[place].placement(spec), (spec.height, spec.width))
    return regions


def _numbers(values: Float[np.ndarray, " n"], bad: Bool[np.ndarray, " rows"]) -> pa.Array:
    """Values of the good rows; null for the bad ones and for NaN."""
    column = np.full(len(bad), np.nan, dtype=values.dtype)
    column[~bad] = values
    return pa.array(column, mask=np.isnan(column))


def _probabilities(values: Float[np.ndarray, "n c"], bad: Bool[np.ndarray, " rows"]) -> pa.Array:
    ends = np.cumsum(np.where(bad, 0, values.shape[1]))
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.astype(np.float32).ravel()))


def _region_column(regions: Sequence[Sequence[Region]]) -> pa.Array:
    offsets = list(accumulate((len(each) for each in regions), initial=0))
    flat = list(chain.from_iterable(regions))
    columns: list[list[int] | list[float]] = [[region.box[side] for region in flat] for side in range(4)]
    columns += [[region.area_px for region in flat], [region.score for region in flat]]
    arrays = [pa.array(values, REGION.field(i).type) for i, values in enumerate(columns)]
    structs = pa.StructArray.from_arrays(arrays, fields=list(REGION))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), structs)
