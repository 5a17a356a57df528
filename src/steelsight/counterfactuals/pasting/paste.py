"""Pastes a stain, or clean texture of the same shape, on a sheet; never on the defect.

A stamp stores opacity and gray level separately, so that one formula serves drawn stains, stains cut from
sheets, and controls: pasted = (1 - cover) * sheet + cover * gray. Parts on pixels to keep off are cut away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32
from PIL import Image
from scipy.ndimage import binary_dilation
from scipy.signal import fftconvolve

from steelsight.errors import BadInput
from steelsight.sheets.synthetic.drawing.stains import draw_stain
from steelsight.types import GrayImage, Mask

__all__ = [
    "PastedSheet",
    "Stamp",
    "control_stamp",
    "cut_stamp",
    "draw_stamp",
    "lay",
    "mirrored_stamp",
    "place_stamp",
    "resize_stamp",
]

Place = tuple[int, int]  # top row, left column of a stamp on a sheet

CAMERA_HEIGHT, DRAWN_WIDTH = 256, 352  # pixels a stain is drawn at before it is scaled to a sheet's height
SOLID = 0.4  # opacity from which a pixel counts as covered, as in the generator's stain mask
FAINT = 0.02  # opacity up to which border rows and columns are cropped
CORE_DARKENS = (0.35, 0.6)  # range of opacities of a ring's dark inside, as in sheets.synthetic
MOST_LOST = 0.25  # share of a stamp that may fall on pixels to keep off and be cut away


@dataclass(frozen=True)
class Stamp:
    """Opacity and gray level of something to paste."""

    cover: Float32[np.ndarray, "h w"]  # opacity, 0..1
    gray: Float32[np.ndarray, "h w"]  # gray level, 0..255; above 255 a pasted pixel saturates

    @property
    def area_px(self) -> int:
        """Pixels it covers."""
        return int((self.cover >= SOLID).sum())

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its box, in pixels."""
        return self.cover.shape[0], self.cover.shape[1]

    def faded(self, brightness: float) -> Stamp:
        """The stamp at a share of its opacity: 0 = the steel unchanged, 1 = the stamp itself."""
        return replace(self, cover=self.cover * np.float32(brightness))


@dataclass(frozen=True)
class PastedSheet:
    """A sheet with a stamp on it."""

    gray: GrayImage
    mask: Mask  # pixels the stamp covers
    place: Place

    @property
    def area_px(self) -> int:
        """Pixels covered."""
        return int(self.mask.sum())


def draw_stamp(rng: np.random.Generator, height_px: int) -> Stamp:
    """Generate a white stain for sheets of a height, drawn at camera size and averaged down.

    returns  a stamp at most as high as the sheet and 1.4 times as wide
    """
    empty = np.zeros((CAMERA_HEIGHT, DRAWN_WIDTH), dtype=bool)
    stain = draw_stain(rng, empty.shape, 1.0, empty, (0, DRAWN_WIDTH))
    kept = (1 - np.float32(rng.uniform(*CORE_DARKENS)) * stain.core) * (1 - stain.white)
    paint = stain.white * np.float32(stain.level)  # cover times gray; the core has gray 0
    scale = height_px / CAMERA_HEIGHT
    return _cropped(_scaled(Stamp(1 - kept, _divide(paint, 1 - kept)), scale, scale))


def cut_stamp(gray: GrayImage, mask: Mask) -> Stamp:
    """Cut a stain from a sheet, with a half-opaque seam one pixel wide.

    mask    (h, w) pixels of the stain, as `stains.find_stain` gives them
    raises  BadInput for an empty mask or another size
    """
    if mask.shape != gray.shape or not mask.any():
        raise BadInput(
            f"stain: expected a mask of {gray.shape[0]}x{gray.shape[1]} with a marked pixel, "
            f"got {mask.shape[0]}x{mask.shape[1]} with {int(mask.sum())}"
        )
    seam = binary_dilation(mask, structure=np.ones((3, 3))) & ~mask
    cover = mask.astype(np.float32) + np.float32(0.5) * seam
    return _cropped(Stamp(cover, gray.astype(np.float32)))


def resize_stamp(stamp: Stamp, area_share: float) -> Stamp:
    """Scale a stamp to a share of its area.

    area_share  above 0
    raises      BadInput otherwise
    """
    if not area_share > 0:
        raise BadInput(f"area share: expected a number above 0, got {area_share}")
    side = float(np.sqrt(area_share))
    return stamp if area_share == 1 else _scaled(stamp, side, side)


def control_stamp(stamp: Stamp, sheet: GrayImage, place: Place, donor: GrayImage, origin: Place) -> Stamp:
    """Fill a stamp with another sheet's clean texture, shifted to the mean of the pixels it replaces.

    Place, shape, opacity and seam are the stamp's; only its gray differs.
    sheet, place    the sheet it will be pasted on, and where
    donor, origin   a clean sheet, and where its texture is taken from; the stamp must fit within both
    """
    height, width = stamp.size
    replaced = sheet[place[0] : place[0] + height, place[1] : place[1] + width].astype(np.float32)
    texture = donor[origin[0] : origin[0] + height, origin[1] : origin[1] + width].astype(np.float32)
    weight = stamp.cover / max(float(stamp.cover.sum()), 1e-6)
    shift = np.float32((weight * (replaced - texture)).sum())
    return replace(stamp, gray=texture + shift)


def mirrored_stamp(stamp: Stamp, sheet: GrayImage, place: Place) -> Stamp:
    """Fill a sheet's end with the sheet's own steel, mirrored at the boundary of the end.

    Another sheet's texture would meet the sheet in a straight line, which resembles a defect.
    place  at the left or the right edge
    """
    width = stamp.size[1]
    steel = sheet[:, width:] if place[1] == 0 else sheet[:, :-width]
    sides = (width, 0) if place[1] == 0 else (0, width)
    grown = np.pad(steel, ((0, 0), sides), mode="symmetric").astype(np.float32)
    return replace(stamp, gray=grown[:, :width] if place[1] == 0 else grown[:, -width:])


def place_stamp(
    stamp: Stamp, keep_off: Mask, rng: np.random.Generator, *, most_lost: float = MOST_LOST
) -> Place | None:
    """Choose a random place among those where the least of a stamp falls on pixels to keep off.

    keep_off   (h, w) such as the defect and the black beyond a sheet's end
    most_lost  largest share of the stamp that may be cut away, 0..1
    returns    None where it does not fit
    """
    rows, columns = keep_off.shape[0] - stamp.size[0] + 1, keep_off.shape[1] - stamp.size[1] + 1
    total = float(stamp.cover.sum())
    if rows < 1 or columns < 1 or total <= 0:
        return None
    lost = fftconvolve(keep_off.astype(np.float64), stamp.cover[::-1, ::-1], mode="valid")  # (rows, columns)
    least = max(float(lost.min()), 0.0)
    if least > most_lost * total + 1e-6 * keep_off.size:
        return None
    good = np.flatnonzero(lost.ravel() <= max(least, 1e-3 * total) + 1e-6)
    top, left = divmod(int(rng.choice(good)), columns)
    return top, left


def lay(sheet: GrayImage, stamp: Stamp, place: Place, *, keep_off: Mask | None = None) -> PastedSheet:
    """Paste a stamp on a sheet; pixels to keep off stay unchanged.

    place   the stamp must lie within the sheet
    raises  BadInput otherwise
    """
    (top, left), (height, width) = place, stamp.size
    if top < 0 or left < 0 or top + height > sheet.shape[0] or left + width > sheet.shape[1]:
        raise BadInput(
            f"stamp of {height}x{width} at row {top}, column {left}: expected it within the sheet of "
            f"{sheet.shape[0]}x{sheet.shape[1]}"
        )
    window = (slice(top, top + height), slice(left, left + width))
    cover = stamp.cover if keep_off is None else stamp.cover * ~keep_off[window]
    pasted = sheet.copy()
    mixed = sheet[window] * (1 - cover) + cover * stamp.gray
    pasted[window] = np.where(cover > 0, np.clip(np.rint(mixed), 0, 255), sheet[window]).astype(np.uint8)
    mask = np.zeros(sheet.shape, dtype=bool)
    mask[window] = cover >= SOLID * float(stamp.cover.max())
    return PastedSheet(pasted, mask, place)


def _scaled(stamp: Stamp, down: float, across: float) -> Stamp:
    """Resample a stamp; opacity and opacity times gray are resampled separately."""
    height, width = stamp.size
    size = (max(1, round(width * across)), max(1, round(height * down)))  # Pillow's order
    method = Image.Resampling.BOX if down < 1 else Image.Resampling.BILINEAR

    def resampled(values: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "i j"]:
        return np.asarray(Image.fromarray(values).resize(size, method), dtype=np.float32)

    cover = np.clip(resampled(stamp.cover), 0, 1)
    return Stamp(cover, _divide(resampled(stamp.cover * stamp.gray), cover))


def _cropped(stamp: Stamp) -> Stamp:
    """Remove the empty rows and columns around a stamp."""
    rows = np.flatnonzero((stamp.cover > FAINT).any(axis=1))
    columns = np.flatnonzero((stamp.cover > FAINT).any(axis=0))
    if not rows.size:
        return Stamp(stamp.cover[:1, :1], stamp.gray[:1, :1])
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    return Stamp(stamp.cover[box], stamp.gray[box])


def _divide(
    paint: Float32[np.ndarray, "h w"], cover: Float32[np.ndarray, "h w"]
) -> Float32[np.ndarray, "h w"]:
    return np.where(cover > 1e-3, paint / np.maximum(cover, 1e-3), 0).astype(np.float32)
