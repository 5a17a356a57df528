"""One synthetic sheet, all ingredients together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from steelsight.sheets.synthetic.drawing.canvas import Canvas
from steelsight.sheets.synthetic.drawing.checker import paint_checker
from steelsight.sheets.synthetic.drawing.defects import paint_defect
from steelsight.sheets.synthetic.drawing.ends import paint_end, paint_worn_strip
from steelsight.sheets.synthetic.drawing.fields import Field
from steelsight.sheets.synthetic.drawing.harmless import paint_harmless
from steelsight.sheets.synthetic.drawing.layout import (
    NO_END,
    Box,
    End,
    EndSide,
    draw_boxes,
    draw_end,
    end_beside,
)
from steelsight.sheets.synthetic.drawing.plates import paint_plate
from steelsight.sheets.synthetic.drawing.sides import Side, draw_side, paint_side
from steelsight.sheets.synthetic.drawing.stains import draw_stain, paint_stain
from steelsight.sheets.synthetic.drawing.surface import draw_light, draw_surface
from steelsight.sheets.synthetic.drawing.textures import paint_textures
from steelsight.sheets.synthetic.spec import SynthSpec
from steelsight.sheets.synthetic.statistics import PARTNERS, REFERENCE_SIZE
from steelsight.sheets.synthetic.streams import Streams
from steelsight.types import GrayImage, Mask

__all__ = ["SyntheticSheet", "draw_sheet"]

# Chance that an end, if there is one, stands just outside the defects: types 1 and 2 live there.
_BESIDE = {1: 0.75, 2: 0.85, 3: 0.25}


@dataclass(frozen=True)
class SyntheticSheet:
    """A drawn sheet and the truth about it."""

    gray: GrayImage
    masks: dict[int, Mask]  # by defect type, as annotated; empty for a sound sheet
    stain: Mask  # all False without a stain
    end: EndSide
    end_width_px: int
    checker: bool  # checker plate; from version 2 on chequer or tear plate
    exposure: float  # gray level the light was drawn around
    quality: int  # JPEG quality it is to be written at


def draw_sheet(spec: SynthSpec, index: int, *, stain: bool | None = None) -> SyntheticSheet:
    """Draw the sheet of one index; depends on (spec, index) alone.

    stain   None = as the recipe's chances fall; True or False = the same sheet with or without its stain,
            pixel for pixel equal elsewhere
    """
    return _draw_sheet(spec, index, stain=stain, narrow_end=False)


def _draw_sheet(spec: SynthSpec, index: int, *, stain: bool | None, narrow_end: bool) -> SyntheticSheet:
    """As `draw_sheet`; drawn again with a narrower end where all of a type's defects lie beyond the end."""
    streams = Streams(spec.seed, index)
    size = (spec.height, spec.width)
    types = draw_types(spec, index)
    checker = not types and streams.of("checker").random() < spec.checker_given_none
    boxes, end = _draw_layout(spec, streams, types, narrow_end)
    light = draw_light(streams, size)
    canvas = Canvas(
        draw_surface(streams, light, spec.height / REFERENCE_SIZE[0]), spec.height / REFERENCE_SIZE[0]
    )
    if checker:
        paint_checker(canvas, streams.of("checker", 1))
    plate = spec.version == 2 and not checker and _paint_version_2(canvas, spec, streams, sound=not types)
    paint_worn_strip(canvas, end, streams.of("end", 1))
    paint_harmless(canvas, streams.of("harmless"))
    masks = _paint_defects(canvas, boxes, streams, spec.sloppiness)
    steel = end.visible(spec.width)
    if not narrow_end and not all(mask[:, slice(*steel)].any() for mask in masks.values()):
        return _draw_sheet(spec, index, stain=stain, narrow_end=True)
    _keep_to_steel(masks, steel)
    side = draw_side(streams.of("side"), size, canvas.unit, masks) if spec.version == 2 else None
    stained = _paint_stain(canvas, spec, streams, masks, steel, stain)
    if side is not None:
        _lay_side(canvas, side, streams, masks, stained)
    paint_end(canvas, end, streams.of("end", 2))
    gray, quality = _take_picture(canvas.gray, streams.of("camera"), spec)
    return SyntheticSheet(
        gray, masks, stained, end.side, end.width_px, checker or plate, light.exposure, quality
    )


def _paint_version_2(canvas: Canvas, spec: SynthSpec, streams: Streams, *, sound: bool) -> bool:
    """The harmless textures of version 2; returns whether the sheet is patterned plate."""
    rng = streams.of("plate")
    plate = sound and rng.random() < spec.plate_given_none
    if plate:
        paint_plate(canvas, rng)
    else:
        paint_textures(canvas, streams.of("texture"), sound=sound)
    return plate


def _lay_side(canvas: Canvas, side: Side, streams: Streams, masks: dict[int, Mask], stained: Mask) -> None:
    """Paint the strip's side; what it hides belongs to no mask."""
    visible = ~side.hidden(canvas.shape)
    for mask in (*masks.values(), stained):
        mask &= visible
    paint_side(canvas, side, streams.of("side", 1))


def draw_types(spec: SynthSpec, index: int) -> tuple[int, ...]:
    """The defect types of a sheet, ascending.

    The first type walks the shares in golden-ratio steps, so that small sets keep them too.
    """
    rng = Streams(spec.seed, index).of("class")
    start = np.random.default_rng(np.random.SeedSequence(spec.seed)).random()
    place = (start + index * 0.6180339887498949) % 1.0
    bounds = np.cumsum(spec.class_shares) / np.sum(spec.class_shares)
    first = min(int(np.searchsorted(bounds, place, side="right")), 4)
    if first == 0 or rng.random() >= spec.multi_type_share:
        return (first,) if first else ()
    partners = PARTNERS[first]
    chances = np.array(list(partners.values()))
    second = list(partners)[int(rng.choice(len(chances), p=chances / chances.sum()))]
    return (min(first, second), max(first, second))


def _draw_layout(
    spec: SynthSpec, streams: Streams, types: tuple[int, ...], narrow_end: bool
) -> tuple[dict[int, list[Box]], End]:
    """Boxes by type and the sheet's end: the end first, unless the defects draw it to their side."""
    size = (spec.height, spec.width)
    rng = streams.of("end")
    wanted = rng.random() < max(spec.end_given_class[t] for t in types or (0,))
    beside = wanted and rng.random() < max(_BESIDE.get(t, 0.0) for t in types or (0,))
    end = draw_end(rng, spec.width) if wanted and not beside else NO_END
    boxes: dict[int, list[Box]] = {}
    for defect_type in types:
        taken = [box for others in boxes.values() for box in others]
        visible = end.visible(spec.width)
        boxes[defect_type] = draw_boxes(
            defect_type,
            streams.of("layout", defect_type),
            size,
            visible=visible,
            taken=taken,
            beside=boxes.get(1, ()) if defect_type == 2 else (),  # a crack runs on from a chip
        )
        if beside and defect_type in _BESIDE and end.side == "none":
            end = end_beside(boxes[defect_type], rng, spec.width, narrow=narrow_end)
    return boxes, end


def _paint_defects(
    canvas: Canvas, boxes: dict[int, list[Box]], streams: Streams, sloppiness: float
) -> dict[int, Mask]:
    masks = {}
    for defect_type in sorted(boxes, reverse=True):  # large patches first: small defects lie on top of them
        mask = np.zeros(canvas.shape, bool)
        for number, box in enumerate(boxes[defect_type]):
            part = 1000 * defect_type + number
            mask |= paint_defect(
                canvas,
                defect_type,
                box,
                streams.of("defect", part),
                theme=streams.of("defect", defect_type),
                outline=streams.of("outline", part),
                sloppiness=sloppiness,
            )
        masks[defect_type] = mask
    return dict(sorted(masks.items()))


def _keep_to_steel(masks: dict[int, Mask], steel: tuple[int, int]) -> None:
    """Remove what lies beyond the end; a mask that would become empty keeps the pixel nearest to it."""
    for mask in masks.values():
        rows, columns = np.nonzero(mask)
        mask[:, : steel[0]] = False
        mask[:, steel[1] :] = False
        if not mask.any():
            mask[rows[rows.size // 2], np.clip(columns[columns.size // 2], steel[0], steel[1] - 1)] = True


def _paint_stain(
    canvas: Canvas,
    spec: SynthSpec,
    streams: Streams,
    masks: dict[int, Mask],
    steel: tuple[int, int],
    wanted: bool | None,
) -> Mask:
    rng = streams.of("stain")
    fell = rng.random() < (spec.stain_given_defect if masks else spec.stain_given_none)
    if not (fell if wanted is None else wanted):
        return np.zeros(canvas.shape, bool)
    defects = np.logical_or.reduce([np.zeros(canvas.shape, bool), *masks.values()])
    keep_off = np.zeros_like(defects) if spec.stain_may_cover else defects
    stain = draw_stain(rng, canvas.shape, canvas.unit, keep_off, steel)
    paint_stain(canvas, stain, rng)
    mask = stain.mask
    mask[:, : steel[0]] = False
    mask[:, steel[1] :] = False
    return mask


def _take_picture(gray: Field, rng: np.random.Generator, spec: SynthSpec) -> tuple[GrayImage, int]:
    """What the camera makes of the light: a little blur, noise that grows with it, saturation, 8 bits."""
    blur = max(rng.normal(0.15, 0.25), 0)
    quality = int(rng.integers(spec.jpeg_quality[0], spec.jpeg_quality[1] + 1))
    noise = rng.standard_normal(gray.shape, dtype=np.float32) * np.float32(rng.uniform(0.3, 1.6))
    if blur > 0.25:
        gray = ndimage.gaussian_filter(gray, blur)
    shot = np.sqrt(np.clip(gray, 4, 255) / np.float32(100))
    return np.clip(gray + noise * shot + np.float32(0.5), 0, 255).astype(np.uint8), quality
