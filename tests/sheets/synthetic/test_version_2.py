"""Version 2 of the generator adds harmless textures; version 1 draws what it always drew."""

import hashlib
import json

import numpy as np
import pytest

from steelsight.errors import BadRecipe
from steelsight.sheets.synthetic import EVEN_SHARES, SynthSpec, draw_sheet, synth_spec
from steelsight.sheets.synthetic.drawing.canvas import Canvas
from steelsight.sheets.synthetic.drawing.plates import paint_plate
from steelsight.sheets.synthetic.drawing.sides import Side, draw_side, paint_side
from steelsight.sheets.synthetic.drawing.textures import paint_textures
from steelsight.sheets.synthetic.sheet import draw_types

VERSION_1 = "404977c4408c1aba59e5af86d427ae959df360cf9e6d41eaee61112079c60c24"
ONLY_NONE = (1.0, 0.0, 0.0, 0.0, 0.0)


def small(**wishes: object) -> SynthSpec:
    return SynthSpec(**{"seed": 5, "height": 64, "width": 400, "class_shares": EVEN_SHARES, **wishes})


def test_version_1_draws_the_same_bytes() -> None:
    """The checksum was taken before there was a second version."""
    spec = SynthSpec(
        seed=1, height=128, width=800, class_shares=EVEN_SHARES, stain_given_none=0.5, checker_given_none=0.5
    )
    digest = hashlib.sha256()
    for index in range(10):
        sheet = draw_sheet(spec, index)
        for pixels in (sheet.gray, *sheet.masks.values(), sheet.stain):
            digest.update(pixels.tobytes())
    assert digest.hexdigest() == VERSION_1


def test_a_recipe_without_a_version_is_of_the_first() -> None:
    first, second = small(), small(version=2)
    assert "version" not in json.loads(first.text())
    assert "plate_given_none" not in json.loads(first.text())
    for spec in (first, second):
        assert SynthSpec.model_validate_json(spec.text()) == spec


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(BadRecipe, match=r"version: .*1 or 2.*found 3"):
        synth_spec(version=3)


def test_version_2_keeps_classes_and_most_masks() -> None:
    changed = 0
    for index in range(12):
        first, second = draw_sheet(small(), index), draw_sheet(small(version=2), index)
        assert first.masks.keys() == second.masks.keys()
        changed += bool((first.gray != second.gray).any())
        for defect_type, mask in second.masks.items():
            assert mask.any()
            assert not (mask & ~first.masks[defect_type]).any()  # a side hides pixels, nothing adds any
    assert changed > 6  # the others had none of the textures fall to them


def test_plates_are_sound_and_on_record() -> None:
    spec = small(version=2, plate_given_none=1.0, checker_given_none=0.0)
    for index in range(10):
        assert draw_sheet(spec, index).checker == (not draw_types(spec, index))


@pytest.mark.parametrize("paint", [paint_plate, paint_textures])
def test_paint_stays_finite_and_changes_the_sheet(paint: object) -> None:
    for seed in range(40):
        gray = np.full((96, 500), 100, np.float32)
        wishes = {"sound": True} if paint is paint_textures else {}
        paint(Canvas(gray, 96 / 256), np.random.default_rng(seed), **wishes)  # type: ignore[operator]
        assert np.isfinite(gray).all()
        assert gray.min() >= 0
        assert gray.dtype == np.float32


def test_a_side_is_black_and_never_hides_a_whole_mask() -> None:
    shape = (100, 300)
    masks = {3: np.zeros(shape, bool)}
    masks[3][90:] = True
    rng = np.random.default_rng(0)
    sides = [draw_side(rng, shape, 1.0, masks) for _ in range(600)]
    found = [side for side in sides if side is not None]
    assert 2 < len(found) < 40
    for side in found:
        assert (masks[3] & ~side.hidden(shape)).sum() >= 0.6 * masks[3].sum()
    for top in (False, True):
        side = Side(np.full(300, 60, np.float32), top)
        gray = np.full(shape, 120, np.float32)
        paint_side(Canvas(gray, 1.0), side, np.random.default_rng(1))
        dark = gray < 15
        assert dark[:30].all() == top
        assert dark[-30:].all() == (not top)
