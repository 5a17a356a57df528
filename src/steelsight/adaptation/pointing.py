"""Do the maps point into the masks, before and after? On labelled sheets that were left out of the fit.

A sheet counts as inside where the centre of the strongest place of its true class lies in its mask. Scored
are sheets of one type with a mask, of classes that the bundle has: at most MOST, of every class in turn. The
new head's maps are those of the fold that left the sheet out, of the first repetition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.adaptation.classes import ClassPlan
from steelsight.adaptation.features import PooledFeatures, head_maps, place_evidence
from steelsight.adaptation.nested import NestedScores
from steelsight.adaptation.sheets import LabelledSheets, SheetLabels
from steelsight.evaluation.heatmaps.localization import reduce_mask
from steelsight.evaluation.intervals.bootstrap import wilson
from steelsight.runtime.bundle.open import Bundle
from steelsight.runtime.parity.verify import in_turns
from steelsight.sheets.masks import mask_fractions
from steelsight.types import Interval, Mask

__all__ = ["FEWEST", "MOST", "MapHits", "centre_inside", "score_maps"]

MOST: Final = 100  # sheets: each takes two more passes through the network
FEWEST: Final = 5  # below which a share says nothing


@dataclass(frozen=True)
class MapHits:
    """On how many sheets the strongest place lies in the mask."""

    sheets: int
    place_head: int | None  # which adapting leaves as it is; None = the bundle has none
    before: int  # by Grad-CAM of the bundle's own head
    after: int  # by Grad-CAM of the new head

    def as_dict(self) -> dict[str, Any]:
        """Plain values with Wilson's intervals, for the card."""
        named = {
            "place_head": self.place_head,
            "grad_cam_before": self.before,
            "grad_cam_after": self.after,
        }
        return {"sheets": self.sheets} | {
            name: None if hits is None else {"inside": hits, **_share(wilson(hits, self.sheets))}
            for name, hits in named.items()
        }


def score_maps(
    opened: Bundle,
    features: PooledFeatures,
    scores: NestedScores,
    sheets: LabelledSheets,
    labels: SheetLabels,
    plan: ClassPlan,
) -> MapHits | None:
    """Score the maps of at most MOST sheets; None where fewer than FEWEST have masks.

    raises  BadAnnotation for a mask that does not fit its image
    """
    rows = _with_masks(sheets, labels, plan)
    rows = rows[in_turns(labels.labels[rows], MOST)]
    if rows.size < FEWEST:
        return None
    truths = [reduce_mask(mask_fractions(sheets.items[row], opened.card.input)) for row in rows.tolist()]
    kinds = labels.labels[rows]
    own = np.array([plan.own[kind] for kind in kinds.tolist()], dtype=np.int64)
    images, each = sheets.images[rows], np.arange(rows.size)
    fold = np.full(len(sheets.ids), -1)
    for number, (_, test) in enumerate(scores.folds):
        fold[test] = number
    after = head_maps(opened, [scores.heads[number] for number in fold[rows].tolist()], images)
    places = place_evidence(opened, images)
    return MapHits(
        int(rows.size),
        None if places is None else _hits(places[each, own], truths),
        _hits(features.maps[rows, own], truths),
        _hits(after[each, kinds], truths),
    )


def centre_inside(heatmap: Float[np.ndarray, "gh gw"], truth: Bool[np.ndarray, "h w"]) -> bool:
    """Whether the centre of the strongest place lies in the mask; no, for a map that is equal everywhere."""
    if heatmap.max() == heatmap.min():
        return False
    place = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
    row, column = (
        int((cell + 0.5) * pixels / cells)
        for cell, pixels, cells in zip(place, truth.shape, heatmap.shape, strict=True)
    )
    return bool(truth[row, column])


def _hits(maps: Float[np.ndarray, "m gh gw"], truths: list[Mask]) -> int:
    return sum(centre_inside(heatmap, truth) for heatmap, truth in zip(maps, truths, strict=True))


def _with_masks(sheets: LabelledSheets, labels: SheetLabels, plan: ClassPlan) -> Int[np.ndarray, " s"]:
    """Defective sheets of one type, of a class that the bundle has, whose place is known."""
    clean = -1 if plan.clean is None else plan.names.index(plan.clean)
    kept = [
        row
        for row, (item, label) in enumerate(zip(sheets.items, labels.labels.tolist(), strict=True))
        if item.evidence == "mask" and item.masks and label != clean and plan.own[label] is not None
    ]
    rows = np.array(kept, dtype=np.int64)
    single: Int[np.ndarray, " s"] = rows[labels.single[rows]]
    return single


def _share(interval: Interval) -> dict[str, float]:
    return {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
