"""What a bundle answers of a sheet whose marked places are covered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import Any, Final

import numpy as np
from PIL import Image

from steelsight.counterfactuals.covering.cover import SheetPlaces, sheet_places
from steelsight.counterfactuals.covering.search import (
    Change,
    Effect,
    PlaceSet,
    SmallestSet,
    find_smallest,
)
from steelsight.runtime.engine.engine import decide
from steelsight.runtime.engine.inspector import Inspector
from steelsight.service.pages.review.explained import model_input
from steelsight.types import GrayImage, State

__all__ = ["FILLS", "CoverAnswer", "CoverFinding", "Covered", "cover_picture", "cover_places", "places_of"]

FILLS: Final = 3  # a set turns the verdict where it does with so many fills, each from elsewhere


class CoverFinding(StrEnum):
    """What covering places says of a verdict."""

    NO_PLACES = "no_places"
    OTHER_VERDICT = "other_verdict"  # the bundle gives another label of the stored image now
    TOO_LARGE = "too_large"  # no place can be covered
    TURNED = "turned"
    KEPT = "kept"
    UNCLEAR = "unclear"  # no set turns it for sure, and some may


@dataclass(frozen=True)
class CoverAnswer:
    """What the bundle says of one image."""

    label: str
    probability: float  # of the label
    support: float  # probability of the label that the sheet has when nothing is covered
    familiar: bool  # whether the answer is valid


@dataclass(frozen=True)
class Covered:
    """What covering places says of the verdict of one sheet."""

    finding: CoverFinding
    before: CoverAnswer | None = None  # of the sheet as it is
    singles: tuple[tuple[CoverAnswer, ...], ...] = ()  # without each place, by the fills; none: not covered
    smallest: SmallestSet | None = None
    turned_to: tuple[str, ...] = ()  # labels with the smallest set covered, by the fills
    control_turned: bool | None = None  # whether as much steel elsewhere turns it too; None = no room for it


class _Judge:
    """Asks a bundle about versions of one sheet, a batch of the engine at a time."""

    def __init__(self, inspector: Inspector, gray: GrayImage) -> None:
        self._inspector = inspector
        self._named: Sequence[int] = ()  # classes of the label of the sheet as it is
        self.before = self._decide([gray], first=True)[0]

    def __call__(self, images: Sequence[GrayImage]) -> list[CoverAnswer]:
        step = self._inspector.engine.batch  # other requests use the engine between two batches
        return [
            each
            for start in range(0, len(images), step)
            for each in self._decide(images[start : start + step])
        ]

    def _decide(self, images: Sequence[GrayImage], *, first: bool = False) -> list[CoverAnswer]:
        bundle = self._inspector.bundle
        found = decide(self._inspector.engine(np.stack(images)), bundle.card, bundle.statistics)
        if first:
            self._named = found.classes[0] or (() if bundle.card.clean is None else (bundle.card.clean,))
        named = list(self._named)
        support = found.probabilities[:, named].min(axis=1) if named else 1 - found.probabilities.max(axis=1)
        return [
            CoverAnswer(
                found.labels[row],
                float(found.confidence[row]),
                float(support[row]),
                found.states[row] is not State.UNKNOWN_INPUT,
            )
            for row in range(len(images))
        ]


class _Covering:
    """Covers sets of places and keeps the answers; the probe of `find_smallest`."""

    def __init__(self, judge: _Judge, places: SheetPlaces) -> None:
        self.answers: dict[PlaceSet, list[CoverAnswer]] = {}  # by the fills that were tried, the first always
        self._judge, self._places = judge, places

    def __call__(self, sets: Sequence[PlaceSet]) -> list[Effect]:
        firsts = self._judge([self._places.cover(each) for each in sets])
        self.answers.update({each: [answer] for each, answer in zip(sets, firsts, strict=True)})
        again = [each for each in sets if self._turns(self.answers[each])]
        more = [self._places.cover(each, fill=fill) for each in again for fill in range(1, FILLS)]
        later = iter(self._judge(more))
        for each in again:
            self.answers[each] += [next(later) for _ in range(1, FILLS)]
        return [Effect(self._change(each), self.answers[each][0].support) for each in sets]

    def control_turned(self, places: PlaceSet) -> bool | None:
        """Whether the same shape, covered where there is no place, turns the verdict too."""
        image = self._places.cover_elsewhere(places)
        return None if image is None else self._judge([image])[0].label != self._judge.before.label

    def _turns(self, answers: Sequence[CoverAnswer]) -> bool:
        return all(each.familiar and each.label != self._judge.before.label for each in answers)

    def _change(self, places: PlaceSet) -> Change:
        answers = self.answers[places]
        if self._turns(answers):
            return Change.TURNED
        first = answers[0]
        same = first.familiar and first.label == self._judge.before.label
        return Change.KEPT if same else Change.UNCLEAR


def places_of(inspector: Inspector, content: bytes, regions: Sequence[dict[str, Any]]) -> SheetPlaces:
    """The marked places of a sheet in the model's input.

    content  the image file
    regions  of the verdict, in pixels of the image
    raises   Problem 409 bad_image
    """
    gray, placement = model_input(inspector, content)
    boxes = [placement.to_model(tuple(each["box"])) for each in regions]
    return sheet_places(gray, placement.model_box, boxes)


def cover_places(inspector: Inspector, places: SheetPlaces, label: str) -> Covered:
    """Cover the places of a sheet, and find the smallest set of them that turns the verdict.

    label  of the verdict
    """
    if not len(places):
        return Covered(CoverFinding.NO_PLACES)
    judge = _Judge(inspector, places.gray)
    if judge.before.label != label:
        return Covered(CoverFinding.OTHER_VERDICT, judge.before)
    seen = [each for each in range(len(places)) if places.can_cover((each,))]
    if not seen:
        return Covered(CoverFinding.TOO_LARGE, judge.before, ((),) * len(places))
    covering = _Covering(judge, places)
    found = find_smallest(len(places), covering, places.can_cover)
    answers = covering.answers
    singles = tuple(tuple(answers.get((each,), ())) for each in range(len(places)))
    if found.places is None:
        finding = CoverFinding.UNCLEAR if found.unclear else CoverFinding.KEPT
        return Covered(finding, judge.before, singles, found)
    labels = tuple(dict.fromkeys(each.label for each in answers[found.places]))
    control = covering.control_turned(found.places)
    return Covered(CoverFinding.TURNED, judge.before, singles, found, labels, control)


def cover_picture(places: SheetPlaces, covered: PlaceSet) -> bytes:
    """What fills some places, as a PNG file of the part that the sheet fills, transparent elsewhere."""
    left, top, right, bottom = places.seen
    gray = places.cover(covered)[top:bottom, left:right]
    alpha = places.hole(covered).astype(np.uint8) * 255
    buffer = BytesIO()
    Image.fromarray(np.dstack([gray, alpha]), "LA").save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
