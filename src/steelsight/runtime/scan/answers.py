"""A part's answers as the rows that are written: columns are built whole, regions where a defect is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Any, Final

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Float32, Int

from steelsight.runtime.engine.engine import Decisions, Outputs
from steelsight.runtime.engine.reading import DecodedImage
from steelsight.runtime.engine.regions import find_regions
from steelsight.runtime.scan.parts import REGION, PartRows
from steelsight.runtime.scan.sources import PlannedSheet
from steelsight.runtime.verdict import Reason, Region, State

__all__ = ["PartOutputs", "build_table"]

LARGEST: Final = 65504.0  # of half floats


@dataclass(frozen=True, eq=False)
class PartOutputs:
    """What the engine said of the readable sheets of a part."""

    rows: Int[np.ndarray, " n"]  # their places in the part
    outputs: Outputs
    gray_mean: Float32[np.ndarray, " n"]
    gray_spread: Float32[np.ndarray, " n"]

    def only(self, rows: Sequence[int]) -> PartOutputs:
        """The first answers, which are those of `rows`."""
        kept, out = len(rows), self.outputs
        cut = Outputs(out.logits[:kept], out.maps[:kept], out.embedding[:kept])
        return PartOutputs(
            np.array(rows, dtype=np.int64), cut, self.gray_mean[:kept], self.gray_spread[:kept]
        )


def build_table(
    rows: PartRows,
    part: int,
    sheets: Sequence[PlannedSheet],
    reads: Sequence[DecodedImage],
    answers: PartOutputs,
    decisions: Decisions,
    extra: Mapping[str, Any],
) -> pa.Table:
    """One row a sheet, in order; what a bad image has no answer to is null or empty."""
    card, bad = rows.card, np.ones(len(sheets), dtype=bool)
    bad[answers.rows] = False
    labels, states = [""] * len(sheets), [State.BAD_IMAGE.value] * len(sheets)
    reasons = [(read.reason or Reason.DAMAGED).value for read in reads]
    for place, label, state, reason in zip(
        answers.rows.tolist(), decisions.labels, decisions.states, decisions.reasons, strict=True
    ):
        labels[place], states[place], reasons[place] = label, state.value, reason.value
    columns: dict[str, Any] = {
        "index": [sheet.index for sheet in sheets],
        "name": [sheet.name for sheet in sheets],
        "label": labels,
        "probability": _numbers(decisions.confidence, bad),
        "state": states,
        "reason": reasons,
        "detail": [read.detail for read in reads],
        "distance": _numbers(decisions.distance, bad),
        "probabilities": _probabilities(decisions.probabilities, bad),
        "regions": _regions(_find(rows, reads, answers, decisions)),
        "height": pa.array([read.size[0] for read in reads], pa.int32(), mask=bad),
        "width": pa.array([read.size[1] for read in reads], pa.int32(), mask=bad),
        "gray_mean": _numbers(answers.gray_mean, bad),
        "gray_spread": _numbers(answers.gray_spread, bad),
        "model_id": [card.model_id] * len(sheets),
        **extra,
    }
    if rows.heatmaps:
        half = np.clip(answers.outputs.maps, -LARGEST, LARGEST).astype("<f2")
        packed = iter(half)
        columns["maps"] = [None if out else next(packed).tobytes() for out in bad.tolist()]
    return pa.table(columns, schema=rows.schema(part))


def _find(
    rows: PartRows, reads: Sequence[DecodedImage], answers: PartOutputs, decisions: Decisions
) -> list[tuple[Region, ...]]:
    spec = rows.card.input
    found: list[tuple[Region, ...]] = [()] * len(reads)
    for row, kinds in enumerate(decisions.classes):
        if kinds:
            place = int(answers.rows[row])
            maps = [answers.outputs.maps[row, kind] for kind in kinds]
            found[place] = find_regions(maps, reads[place].placement(spec), (spec.height, spec.width))
    return found


def _numbers(values: Float[np.ndarray, " n"], bad: Bool[np.ndarray, " rows"]) -> pa.Array:
    """Values of the good rows; null for the bad ones and for NaN."""
    spread = np.full(len(bad), np.nan, dtype=values.dtype)
    spread[~bad] = values
    return pa.array(spread, mask=np.isnan(spread))


def _probabilities(values: Float[np.ndarray, "n c"], bad: Bool[np.ndarray, " rows"]) -> pa.Array:
    ends = np.cumsum(np.where(bad, 0, values.shape[1]))
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.astype(np.float32).ravel()))


def _regions(regions: Sequence[Sequence[Region]]) -> pa.Array:
    offsets = list(accumulate((len(each) for each in regions), initial=0))
    flat = list(chain.from_iterable(regions))
    columns: list[list[int] | list[float]] = [[region.box[side] for region in flat] for side in range(4)]
    columns += [[region.area_px for region in flat], [region.score for region in flat]]
    arrays = [pa.array(values, REGION.field(i).type) for i, values in enumerate(columns)]
    structs = pa.StructArray.from_arrays(arrays, fields=list(REGION))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), structs)
