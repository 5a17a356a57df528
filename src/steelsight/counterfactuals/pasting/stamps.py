"""Stamps of a nuisance: stains and ends cut from a folder's own sheets, or drawn; and places for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from scipy.ndimage import binary_dilation

from steelsight.counterfactuals.nuisances.nuisance import Kind, Nuisance
from steelsight.counterfactuals.nuisances.sheet_ends import find_end
from steelsight.counterfactuals.nuisances.stains import find_stain
from steelsight.counterfactuals.pasting.paste import Place, Stamp, cut_stamp, draw_stamp, place_stamp
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.errors import BadInput
from steelsight.types import GrayBatch, Mask

__all__ = ["MATERIALS", "StampBook", "gather_stamps", "off_limits", "refuse_material"]

MATERIALS = ("auto", "real", "drawn")
MOST_STAMPS, FEWEST_REAL = 32, 3  # with fewer than FEWEST_REAL cut ones, `auto` adds drawn ones
RIM_PX = 3  # columns of steel beside the black that belong to the appearance of an end
TRIES = 4  # stamps tried for a sheet before it counts as having no room
END_LEVEL = 4.0  # gray level of a drawn end
END_SHARES = (0.1, 0.25, 0.5)  # widths of drawn ends, as shares of the sheet's width


@dataclass(frozen=True)
class StampBook:
    """Stamps of one nuisance."""

    kind: Kind
    stamps: tuple[Stamp, ...]  # an end has its black at the left and the whole height
    real: int  # number of them that were cut from sheets; these come first
    others: int = 0  # number of these that were cut from other sheets, which a list shows

    @property
    def description(self) -> str:
        """The origin of the stamps, in words."""
        counts = {
            "cut from these sheets": self.real - self.others,
            "cut from the sheets of the list": self.others,
            "drawn": len(self.stamps) - self.real,
        }
        return " and ".join(f"{count} {origin}" for origin, count in counts.items() if count)

    def fit(self, keep_off: Mask, rng: np.random.Generator) -> tuple[Stamp, Place] | None:
        """Choose a stamp and a place for it on a sheet.

        keep_off  (h, w) pixels of the sheet that must not be covered
        returns   None where none of TRIES stamps fits
        """
        for choice in rng.permutation(len(self.stamps))[:TRIES]:
            stamp = self.stamps[int(choice)]
            if self.kind != "end":
                place = place_stamp(stamp, keep_off, rng)
                if place is not None:
                    return stamp, place
            elif (fitted := _fit_end(stamp, keep_off, rng)) is not None:
                return fitted
        return None


def gather_stamps(
    sheets: ProofSheets,
    nuisance: Nuisance,
    rng: np.random.Generator,
    *,
    material: str = "auto",
    most: int = MOST_STAMPS,
) -> StampBook:
    """Cut or draw stamps of a nuisance of a known kind.

    material  real: cut from sheets that have it; drawn; auto: real where there are at least FEWEST_REAL,
              else both
    most      largest number of stamps of either material; training against a nuisance needs many
    raises    BadInput for a nuisance of unknown kind, an unknown material, or real stamps where no sheet
              shows the nuisance
    """
    refuse_material(material)
    if nuisance.kind is None:
        raise BadInput(f"{nuisance.name}: the kind of this nuisance is unknown, so nothing can be pasted")
    kind = nuisance.kind
    if kind == "mark":
        return _gather_marks(sheets, nuisance, rng, material, most)
    height, width = sheets.images.shape[1:]
    cut: list[Stamp] = []
    others: list[Stamp] = []
    if material != "drawn":
        rows = _sources(sheets, nuisance, rng)
        cut = _cut_stains(sheets, rows, most) if kind == "stain" else _cut_ends(sheets.images[rows], most)
        others = _cut_examples(nuisance, len(cut), most, rng)
    real = (*cut, *others)
    if material == "real" and not real:
        raise BadInput(f"{sheets.name}: no sheet shows a {kind} to cut out; use --material drawn")
    if material == "real" or len(real) >= FEWEST_REAL:
        return StampBook(kind, real, len(real), len(others))
    drawn = _draw_stains(rng, height, most) if kind == "stain" else _draw_ends(height, width)
    return StampBook(kind, (*real, *drawn), len(real), len(others))


def _gather_marks(
    sheets: ProofSheets, nuisance: Nuisance, rng: np.random.Generator, material: str, most: int
) -> StampBook:
    """What was marked on sheets, cut out; such a nuisance cannot be drawn."""
    stamps: list[Stamp] = []
    for row in _sources(sheets, nuisance, rng).tolist():
        marked = nuisance.region(sheets, row) & ~sheets.defect(row)
        if sheets.located[row] and marked.any():
            stamps.append(cut_stamp(np.asarray(sheets.images[row]), marked))
        if len(stamps) == most:
            break
    others = _cut_examples(nuisance, len(stamps), most, rng)
    real = (*stamps, *others)
    if not real or material == "drawn":
        raise BadInput(
            f"{sheets.name}: expected sheets on which {nuisance.name} is marked, to cut it out, found "
            f"{len(real)}; it cannot be drawn: mark it on more sheets, and use --material real or auto"
        )
    return StampBook("mark", real, len(real), len(others))


def _cut_examples(nuisance: Nuisance, own: int, most: int, rng: np.random.Generator) -> list[Stamp]:
    """Stamps from other sheets that a list shows, where the evaluated ones gave too few.

    own  number of stamps cut from these
    """
    if nuisance.examples is None or own >= FEWEST_REAL:
        return []
    order = rng.permutation(len(nuisance.examples))
    images, marks = nuisance.examples.images[order], nuisance.examples.marks[order]
    if nuisance.kind == "end":
        return _cut_ends(images, most - own)
    stamps: list[Stamp] = []
    for gray, marked in zip(images, marks, strict=True):
        if len(stamps) >= most - own:
            break
        mask = marked
        if nuisance.kind == "stain":
            mask = find_stain(gray) & (marked | ~marked.any())
        if mask.any():
            stamps.append(cut_stamp(gray, mask))
    return stamps


def refuse_material(material: str) -> None:
    """Raise BadInput for a material that is not one of MATERIALS."""
    if material not in MATERIALS:
        raise BadInput(f"--material: expected one of {', '.join(MATERIALS)}, got {material!r}")


def off_limits(sheets: ProofSheets, row: int, *, margin_px: int = 1) -> Mask:
    """Mark the pixels that must not be pasted on: the defect with a margin, and the black beyond an end.

    margin_px  width of the margin around the defect
    returns    (h, w)
    """
    gray = np.asarray(sheets.images[row])
    defect = sheets.defect(row)
    near = binary_dilation(defect, iterations=margin_px) if margin_px and defect.any() else defect
    limits: Mask = near | find_end(gray).mask(gray.shape[0])
    return limits


def _sources(sheets: ProofSheets, nuisance: Nuisance, rng: np.random.Generator) -> Int[np.ndarray, " m"]:
    """Sheets to cut from, in random order: only defect-free ones where there are at least FEWEST_REAL."""
    clean = np.flatnonzero(nuisance.present & sheets.defect_free)
    rows = clean if clean.size >= FEWEST_REAL else np.flatnonzero(nuisance.present)
    order: Int[np.ndarray, " m"] = rng.permutation(rows)
    return order


def _cut_stains(sheets: ProofSheets, rows: Int[np.ndarray, " m"], most: int) -> list[Stamp]:
    stamps: list[Stamp] = []
    for row in rows.tolist():
        gray = np.asarray(sheets.images[row])
        mask = find_stain(gray, keep_off=sheets.defect(row))
        if sheets.located[row] and mask.any():
            stamps.append(cut_stamp(gray, mask))
        if len(stamps) == most:
            break
    return stamps


def _cut_ends(images: GrayBatch, most: int) -> list[Stamp]:
    stamps: list[Stamp] = []
    for gray in map(np.asarray, images):
        end = find_end(gray)
        for side, width in ((gray, end.left_px), (gray[:, ::-1], end.right_px)):
            if 0 < width <= gray.shape[1] // 2:
                black = side[:, : width + RIM_PX].astype(np.float32)
                stamps.append(Stamp(np.ones_like(black), black))
        if len(stamps) >= most:
            break
    return stamps


def _draw_stains(rng: np.random.Generator, height: int, most: int) -> list[Stamp]:
    return [draw_stamp(rng, height) for _ in range(most)]


def _draw_ends(height: int, width: int) -> list[Stamp]:
    widths = [max(1, round(share * width)) for share in END_SHARES]
    shapes = [np.ones((height, end_width), dtype=np.float32) for end_width in widths]
    return [Stamp(cover, cover * np.float32(END_LEVEL)) for cover in shapes]


def _fit_end(stamp: Stamp, keep_off: Mask, rng: np.random.Generator) -> tuple[Stamp, Place] | None:
    """Place an end at the left or the right edge, where it covers nothing to keep off."""
    width = stamp.size[1]
    sides: Sequence[tuple[Stamp, int]] = [
        (stamp, 0),
        (Stamp(stamp.cover[:, ::-1], stamp.gray[:, ::-1]), keep_off.shape[1] - width),
    ]
    free = [(side, left) for side, left in sides if left >= 0 and not keep_off[:, left : left + width].any()]
    if not free:
        return None
    chosen, left = free[int(rng.integers(len(free)))]
    return chosen, (0, left)
