"""Contract over every defect style: paints finite levels inside its box only, whatever the box's shape."""

import numpy as np
import pytest

from steelsight.sheets.synthetic.drawing import defects
from steelsight.sheets.synthetic.drawing.abrasions import ABRASION_STYLES
from steelsight.sheets.synthetic.drawing.canvas import Canvas
from steelsight.sheets.synthetic.drawing.chips import CHIP_STYLES, paint_chip
from steelsight.sheets.synthetic.drawing.cracks import paint_crack
from steelsight.sheets.synthetic.drawing.layout import Box
from steelsight.sheets.synthetic.drawing.patches import PATCH_STYLES, paint_patch
from steelsight.sheets.synthetic.drawing.scratches import SCRATCH_STYLES

STYLES = {
    **{f"chip-{name}": (lambda c, b, r, name=name: paint_chip(c, b, r, name)) for name in CHIP_STYLES},
    "crack": paint_crack,
    **{f"scratch-{name}": style for name, style in SCRATCH_STYLES.items()},
    **{f"abrasion-{name}": style for name, style in ABRASION_STYLES.items()},
    **{f"patch-{name}": (lambda c, b, r, name=name: paint_patch(c, b, r, name)) for name in PATCH_STYLES},
}
BOXES = [(3, 3), (4, 60), (90, 3), (48, 26), (128, 300)]


def blank() -> Canvas:
    return Canvas(np.full((128, 640), 100, np.float32), 1.0)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", BOXES, ids=str)
def test_paints_inside_its_box_only(style: str, size: tuple[int, int], rng: np.random.Generator) -> None:
    canvas = blank()
    box = Box(min(20, 128 - size[0]), 20, min(20, 128 - size[0]) + size[0], 20 + size[1])
    extent = STYLES[style](canvas, box, rng)
    outside = canvas.gray.copy()
    outside[box.window] = 100
    assert extent.shape == size
    assert np.isfinite(canvas.gray).all()
    assert canvas.gray.dtype == np.float32
    assert (outside == 100).all()


@pytest.mark.parametrize("style", STYLES)
def test_leaves_a_mark_where_it_says(style: str) -> None:
    changes = []
    for seed in range(5):
        canvas = blank()
        box = Box(20, 200, 100, 236)
        extent = STYLES[style](canvas, box, np.random.default_rng(seed))
        if extent.any():
            changes.append(np.abs(canvas.gray[box.window] - 100)[extent].mean())
    assert max(changes) > 5  # gray levels: visible over the grain on one of a few tries


@pytest.mark.parametrize("defect_type", [1, 2, 3, 4])
def test_annotation_covers_the_defect(defect_type: int) -> None:
    for seed in range(4):
        canvas = blank()
        box = Box(10, 200, 110, 232)
        mask = defects.paint_defect(
            canvas,
            defect_type,
            box,
            np.random.default_rng(seed),
            theme=np.random.default_rng(seed + 50),
            outline=np.random.default_rng(seed + 90),
            sloppiness=0.5,
        )
        changed = np.abs(canvas.gray - 100) > 25
        assert mask.any()
        assert mask.sum() < 2.5 * box.height * box.width
        assert (changed & mask).sum() >= 0.6 * changed.sum()


def test_every_style_can_be_drawn() -> None:
    chosen = set(defects._CHIPS) | set(defects._PATCHES)
    for weights in (defects._SLIM, defects._STOUT, defects._MEDIUM, defects._WIDE):
        chosen |= set(weights)
    assert chosen == {*CHIP_STYLES, *PATCH_STYLES, *SCRATCH_STYLES, *ABRASION_STYLES}
