"""Concept segments: pieces of sheets that look alike, found without names; each kind may be a nuisance.

Sheets are cut into segments, segments described by gray level, contrast and direction, and clustered. What a
sheet has of a concept is the share of its free steel in such segments. Segments of a defect are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from sklearn.cluster import KMeans

from steelsight.explanations.lime.segments import segment_sheet
from steelsight.shortcuts.nuisances.properties import Property
from steelsight.shortcuts.pasting.paste import Stamp, cut_stamp
from steelsight.types import GrayBatch, GrayImage, Mask

__all__ = ["Concept", "find_concepts"]

CONCEPTS: Final = 8
MOST_SEGMENTS = 20_000  # that clusters are found in
TOUCHES = 0.05  # share of a segment in a defect from which it is left out
EXAMPLES = 6
# Words for a concept that stands this many standard deviations off the others.
WORDS: Final = (
    ("bright", "dark"),
    ("uneven", "even"),
    ("upright lines", "no upright lines"),
    ("lying lines", "no lying lines"),
    ("with highlights", "without highlights"),
    ("with deep spots", "without deep spots"),
)
CLEAR_WORD = 0.7

Segments = Int[np.ndarray, "h w"]
Descriptions = Float[np.ndarray, "s d"]


@dataclass(frozen=True)
class Concept:
    """One kind of segment."""

    property: Property
    examples: tuple[tuple[int, Mask], ...]  # sheet and segment, the most typical first, one a sheet

    def stamps(self, images: GrayBatch) -> list[Stamp]:
        """Its examples, cut out."""
        return [cut_stamp(np.asarray(images[row]), mask) for row, mask in self.examples]


def find_concepts(
    images: GrayBatch,
    defects: Iterable[Mask],
    *,
    rng: np.random.Generator,
    kind: str = "slic",
    count: int = CONCEPTS,
) -> list[Concept]:
    """Concepts of these sheets, the commonest first.

    defects where a defect is annotated, one (h, w) a sheet
    kind    how sheets are cut, see explanations.segments
    count   at most so many
    """
    cuts = [segment_sheet(np.asarray(gray).astype(np.float64), kind) for gray in images]
    told = [_describe(gray, cut, defect) for gray, cut, defect in zip(images, cuts, defects, strict=True)]
    sheet = np.concatenate([np.full(len(numbers), row) for row, (numbers, _, _) in enumerate(told)])
    number = np.concatenate([numbers for numbers, _, _ in told])
    size = np.concatenate([sizes for _, sizes, _ in told])
    looks = np.concatenate([looks for _, _, looks in told])
    if len(looks) < 2 * count:
        return []
    spread = looks.std(0)
    scaled = (looks - looks.mean(0)) / np.where(spread > 0, spread, 1)
    sample = rng.permutation(len(scaled))[:MOST_SEGMENTS]
    means = KMeans(count, n_init=3, random_state=int(rng.integers(2**31))).fit(scaled[sample])
    member = means.predict(scaled)
    free = np.bincount(sheet, size, minlength=len(images))
    found: list[Concept] = []
    for label in np.argsort(-np.bincount(member, size, minlength=count), kind="stable").tolist():
        mine = np.flatnonzero(member == label)
        if not mine.size:
            continue
        centre = means.cluster_centers_[label]
        share = np.bincount(sheet[mine], size[mine], minlength=len(images)) / np.maximum(free, 1)
        away = np.linalg.norm(scaled[mine] - centre, axis=1)
        examples = _typical(mine[np.argsort(away, kind="stable")], sheet, number, cuts)
        title = f"concept {len(found) + 1}: {_words(centre)}"
        found.append(Concept(Property(f"concept:{len(found) + 1}", title, share, presence=True), examples))
    return found


def _describe(
    gray: GrayImage, cut: Segments, defect: Mask
) -> tuple[Int[np.ndarray, " s"], Float[np.ndarray, " s"], Descriptions]:
    """Numbers, sizes and looks of the segments that do not touch a defect; looks as in WORDS."""
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
    top, bottom = (each.reduceat(level.ravel()[order], starts) for each in (np.maximum, np.minimum))
    looks = np.stack([middle, spread, mean(across), mean(down), top - middle, middle - bottom], axis=1)
    kept = inside <= TOUCHES
    return numbers[kept], flat[kept].astype(np.float64), looks[kept].astype(np.float64)


def _typical(
    order: Int[np.ndarray, " m"],
    sheet: Int[np.ndarray, " s"],
    number: Int[np.ndarray, " s"],
    cuts: list[Segments],
) -> tuple[tuple[int, Mask], ...]:
    found: dict[int, Mask] = {}
    for segment in order.tolist():
        row = int(sheet[segment])
        if row not in found:
            found[row] = cuts[row] == number[segment]
        if len(found) == EXAMPLES:
            break
    return tuple(found.items())


def _words(centre: Float[np.ndarray, " d"]) -> str:
    clear = np.flatnonzero(np.abs(centre) >= CLEAR_WORD)
    order = clear[np.argsort(-np.abs(centre[clear]), kind="stable")][:3]
    return ", ".join(WORDS[i][0 if centre[i] > 0 else 1] for i in order.tolist()) or "ordinary steel"
