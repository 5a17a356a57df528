"""Concepts: clusters of similar image segments, found without labels; each may be a nuisance.

Sheets are cut into segments; the segments are described by gray level, contrast and direction, and clustered.
The property of a sheet is the share of its free steel in segments of the concept. Segments of a defect are
left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from sklearn.cluster import KMeans

from steelsight.counterfactuals.nuisances.properties import Property
from steelsight.counterfactuals.pasting.paste import Stamp, cut_stamp
from steelsight.explanations.lime.segments import segment_sheet
from steelsight.types import GrayBatch, GrayImage, Mask

__all__ = ["Concept", "find_concepts"]

CONCEPTS: Final = 8
MOST_SEGMENTS = 20_000  # largest sample that clusters are fitted to
TOUCHES = 0.05  # share of a segment inside a defect from which it is left out
EXAMPLES = 6
# Words for a feature of a concept that is CLEAR_WORD standard deviations above or below the mean.
WORDS: Final = (
    ("bright", "dark"),
    ("uneven", "even"),
    ("vertical lines", "no vertical lines"),
    ("horizontal lines", "no horizontal lines"),
    ("with highlights", "without highlights"),
    ("with deep spots", "without deep spots"),
)
CLEAR_WORD = 0.7

Segments = Int[np.ndarray, "h w"]
Descriptions = Float[np.ndarray, "s d"]


@dataclass(frozen=True)
class Concept:
    """One cluster of segments."""

    property: Property
    examples: tuple[tuple[int, Mask], ...]  # sheet and segment, the most typical first, at most one per sheet

    def stamps(self, images: GrayBatch) -> list[Stamp]:
        """Cut out the examples as stamps."""
        return [cut_stamp(np.asarray(images[row]), mask) for row, mask in self.examples]


def find_concepts(
    images: GrayBatch,
    defects: Iterable[Mask],
    *,
    rng: np.random.Generator,
    kind: str = "slic",
    count: int = CONCEPTS,
) -> list[Concept]:
    """Cluster the segments of these sheets into concepts, the commonest first.

    images   (n, h, w) uint8
    defects  one (h, w) mask per sheet
    kind     how sheets are cut, see explanations.lime.segments
    count    largest number of concepts
    returns  an empty list for fewer than 2 * count segments
    source   Ghorbani et al. 2019, with simple features instead of a network's
    """
    cuts = [segment_sheet(np.asarray(gray).astype(np.float64), kind) for gray in images]
    described = [
        _describe(gray, cut, defect) for gray, cut, defect in zip(images, cuts, defects, strict=True)
    ]
    sheet = np.concatenate([np.full(len(numbers), row) for row, (numbers, _, _) in enumerate(described)])
    number = np.concatenate([numbers for numbers, _, _ in described])
    size = np.concatenate([sizes for _, sizes, _ in described])
    features = np.concatenate([features for _, _, features in described])
    if len(features) < 2 * count:
        return []
    spread = features.std(0)
    scaled = (features - features.mean(0)) / np.where(spread > 0, spread, 1)
    sample = rng.permutation(len(scaled))[:MOST_SEGMENTS]
    means = KMeans(count, n_init=3, random_state=int(rng.integers(2**31))).fit(scaled[sample])
    member = means.predict(scaled)
    free = np.bincount(sheet, size, minlength=len(images))
    concepts: list[Concept] = []
    for label in np.argsort(-np.bincount(member, size, minlength=count), kind="stable").tolist():
        segments = np.flatnonzero(member == label)
        if not segments.size:
            continue
        centre = means.cluster_centers_[label]
        share = np.bincount(sheet[segments], size[segments], minlength=len(images)) / np.maximum(free, 1)
        away = np.linalg.norm(scaled[segments] - centre, axis=1)
        examples = _typical(segments[np.argsort(away, kind="stable")], sheet, number, cuts)
        name = len(concepts) + 1
        title = f"concept {name}: {_words(centre)}"
        concepts.append(Concept(Property(f"concept:{name}", title, share, presence=True), examples))
    return concepts


def _describe(
    gray: GrayImage, cut: Segments, defect: Mask
) -> tuple[Int[np.ndarray, " s"], Float[np.ndarray, " s"], Descriptions]:
    """Numbers, sizes and features of the segments outside a defect; features in the order of WORDS."""
    numbers = np.arange(int(cut.max()) + 1)
    level = gray.astype(np.float32)
    flat = np.bincount(cut.ravel())
    inside = np.bincount(cut.ravel(), defect.ravel()) / flat
    across = np.abs(np.diff(level, axis=1, append=level[:, -1:]))
    down = np.abs(np.diff(level, axis=0, append=level[-1:]))

    def mean(values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, " s"]:
        return np.bincount(cut.ravel(), values.ravel()) / flat

    middle = mean(level)
    spread = np.sqrt(np.maximum(mean(level**2) - middle**2, 0))
    order = np.argsort(cut.ravel().astype(np.uint16), kind="stable")  # 16 bits are sorted by radix
    starts = np.concatenate([[0], np.cumsum(flat)[:-1]])
    top, bottom = (extreme.reduceat(level.ravel()[order], starts) for extreme in (np.maximum, np.minimum))
    features = np.stack([middle, spread, mean(across), mean(down), top - middle, middle - bottom], axis=1)
    kept = inside <= TOUCHES
    return numbers[kept], flat[kept].astype(np.float64), features[kept].astype(np.float64)


def _typical(
    order: Int[np.ndarray, " m"],
    sheet: Int[np.ndarray, " s"],
    number: Int[np.ndarray, " s"],
    cuts: list[Segments],
) -> tuple[tuple[int, Mask], ...]:
    chosen: dict[int, Mask] = {}
    for segment in order.tolist():
        row = int(sheet[segment])
        if row not in chosen:
            chosen[row] = cuts[row] == number[segment]
        if len(chosen) == EXAMPLES:
            break
    return tuple(chosen.items())


def _words(centre: Float[np.ndarray, " d"]) -> str:
    clear = np.flatnonzero(np.abs(centre) >= CLEAR_WORD)
    order = clear[np.argsort(-np.abs(centre[clear]), kind="stable")][:3]
    return ", ".join(WORDS[i][0 if centre[i] > 0 else 1] for i in order.tolist()) or "ordinary steel"
