"""Where stamps come from: stains and ends cut from a folder's own sheets, or drawn; and where they go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from scipy.ndimage import binary_dilation

from steelsight.errors import BadInput
from steelsight.shortcuts.nuisances.nuisance import Kind, Nuisance
from steelsight.shortcuts.nuisances.sheet_ends import find_end
from steelsight.shortcuts.nuisances.stains import find_stain
from steelsight.shortcuts.pasting.paste import Place, Stamp, cut_stamp, draw_stamp, place_stamp
from steelsight.shortcuts.sheets import ProofSheets
from steelsight.types import Mask

__all__ = ["MATERIALS", "StampBook", "gather_stamps", "off_limits", "refuse_material"]

MATERIALS = ("auto", "real", "drawn")
MOST_STAMPS, FEWEST_REAL = 32, 3  # with fewer real ones, `auto` draws
RIM_PX = 3  # columns of steel beside the black that belong to an end's look
TRIES = 4  # stamps that are tried for a sheet before it counts as having no room
END_LEVEL = 4.0  # gray levels of the empty table, where no sheet shows it
END_SHARES = (0.1, 0.25, 0.5)  # of the width, drawn ends


@dataclass(frozen=True)
class StampBook:
    """Stamps of one nuisance."""

    kind: Kind
    stamps: tuple[Stamp, ...]  # an end: its black at the left, the whole height
    real: int  # of them cut from sheets; the first ones

    @property
    def told(self) -> str:
        """What is pasted, in words."""
        drawn = len(self.stamps) - self.real
        parts = [f"{self.real} cut from these sheets"] * (self.real > 0) + [f"{drawn} drawn"] * (drawn > 0)
        return " and ".join(parts)

    def fit(self, keep_off: Mask, rng: np.random.Generator) -> tuple[Stamp, Place] | None:
        """A stamp and a place for it on a sheet; None where there is no room for any that was tried."""
        for choice in rng.permutation(len(self.stamps))[:TRIES]:
            stamp = self.stamps[int(choice)]
            if self.kind == "stain":
                place = place_stamp(stamp, keep_off, rng)
                if place is not None:
                    return stamp, place
            elif (found := _fit_end(stamp, keep_off, rng)) is not None:
                return found
        return None


def gather_stamps(
    sheets: ProofSheets,
    nuisance: Nuisance,
    rng: np.random.Generator,
    *,
    material: str = "auto",
    most: int = MOST_STAMPS,
) -> StampBook:
    """Stamps of a nuisance that has a kind.

    material  real: cut from sheets that have it; drawn; auto: real where there are at least FEWEST_REAL
    most      of them; a training that is to forget a nuisance needs many
    raises    BadInput for real stamps where no sheet shows the nuisance
    """
    refuse_material(material)
    if nuisance.kind is None:
        raise BadInput(f"{nuisance.name}: what its sheets share is not known, so nothing can be pasted")
    kind = nuisance.kind
    height, width = sheets.images.shape[1:]
    found: list[Stamp] = []
    if material != "drawn":
        rows = _sources(sheets, nuisance, rng)
        found = _cut_stains(sheets, rows, most) if kind == "stain" else _cut_ends(sheets, rows, most)
    if material == "real" and not found:
        raise BadInput(f"{sheets.name}: no sheet shows a {kind} to cut out; use --material drawn")
    if material == "real" or len(found) >= FEWEST_REAL:
        return StampBook(kind, tuple(found), len(found))
    drawn = _draw_stains(rng, height, most) if kind == "stain" else _draw_ends(height, width)
    return StampBook(kind, (*found, *drawn), len(found))


def refuse_material(material: str) -> None:
    """Raise BadInput for a material that is none of MATERIALS."""
    if material not in MATERIALS:
        raise BadInput(f"--material: expected one of {', '.join(MATERIALS)}, got {material!r}")


def off_limits(sheets: ProofSheets, row: int, *, margin_px: int = 1) -> Mask:
    """Pixels of a sheet that nothing is pasted on: its defect with a margin, and the black beyond its end."""
    gray = np.asarray(sheets.images[row])
    defect = sheets.defect(row)
    near = binary_dilation(defect, iterations=margin_px) if margin_px and defect.any() else defect
    limits: Mask = near | find_end(gray).mask(gray.shape[0])
    return limits


def _sources(sheets: ProofSheets, nuisance: Nuisance, rng: np.random.Generator) -> Int[np.ndarray, " m"]:
    """Sheets to cut from, in random order: defect-free ones, where there are enough of them."""
    clean = np.flatnonzero(nuisance.present & (sheets.labels == 0))
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


def _cut_ends(sheets: ProofSheets, rows: Int[np.ndarray, " m"], most: int) -> list[Stamp]:
    stamps: list[Stamp] = []
    for row in rows.tolist():
        gray, end = np.asarray(sheets.images[row]), find_end(np.asarray(sheets.images[row]))
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
    shapes = [np.ones((height, each), dtype=np.float32) for each in widths]
    return [Stamp(cover, cover * np.float32(END_LEVEL)) for cover in shapes]


def _fit_end(stamp: Stamp, keep_off: Mask, rng: np.random.Generator) -> tuple[Stamp, Place] | None:
    """An end at the left or the right edge, wherever nothing to keep off lies under it."""
    width = stamp.size[1]
    sides: Sequence[tuple[Stamp, int]] = [
        (stamp, 0),
        (Stamp(stamp.cover[:, ::-1], stamp.gray[:, ::-1]), keep_off.shape[1] - width),
    ]
    free = [(each, left) for each, left in sides if left >= 0 and not keep_off[:, left : left + width].any()]
    if not free:
        return None
    chosen, left = free[int(rng.integers(len(free)))]
    return chosen, (0, left)
