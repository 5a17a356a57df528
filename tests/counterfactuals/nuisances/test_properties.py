"""Properties of pixels: measured outside the defect, and changed by the change of the same name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from tests.counterfactuals.conftest import Draw

from steelsight.counterfactuals.nuisances.properties import PIXEL_PROPERTIES, measure_pixels
from steelsight.shortcuts.find.changes import PAINTS, picture_changes


def _by_key(images: np.ndarray, defects: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
    return {each.key: each.values for each in measure_pixels(images, defects)}


def test_stains_and_ends_are_measured(draw: Draw) -> None:
    stained, ended = draw(20, stain=(1.0, 1.0)), draw(20, end=(1.0, 1.0))
    plain = draw(20)
    values = [_by_key(each.images, each.defects()) for each in (stained, ended, plain)]
    assert (values[0]["stain"] > 0).all()
    assert (values[1]["end"] > 0.08).all()
    assert not values[2]["stain"].any()
    assert not values[2]["end"].any()


def test_a_defect_under_its_mask_changes_nothing(draw: Draw) -> None:
    sheets = draw(10)
    brighter = sheets.images.copy()
    brighter[np.stack(list(sheets.defects()))] = 255
    before, after = (_by_key(images, sheets.defects()) for images in (sheets.images, brighter))
    for key in ("stain", "end", "exposure", "contrast", "uneven_light", "border"):
        assert before[key] == pytest.approx(after[key]), key


@pytest.mark.parametrize("key", sorted(set(PAINTS) - {"checker"}))
def test_a_change_moves_its_property(draw: Draw, key: str, rng: np.random.Generator) -> None:
    sheets = draw(16)
    none = np.zeros(sheets.images.shape, dtype=bool)
    properties = {each.key: each for each in measure_pixels(sheets.images, none)}
    most = 1.8 if key == "stripes" else 2 * properties[key].values.max() + 1
    values = np.concatenate([properties[key].values, np.full(16, most)])
    wide = replace(properties[key], values=values)
    change = picture_changes([wide])[key]
    changed = [change(gray, none[0], True, rng) for gray in sheets.images]
    after = _by_key(np.stack([pair[0] for pair in changed if pair is not None]), none)[key]
    assert (after > properties[key].values).mean() > 0.9
    assert all((pair[1] == gray).all() for pair, gray in zip(changed, sheets.images, strict=True) if pair)


def test_a_lattice_is_distinguished_from_grain_and_stripes(rng: np.random.Generator) -> None:
    grain = np.clip(rng.normal(120, 15, (6, 64, 400)), 0, 255)
    stripes = np.clip(grain + rng.normal(0, 15, (6, 1, 400)), 0, 255)
    paint = PAINTS["checker"]
    plates = np.stack([paint(each.astype(np.float32), np.zeros((64, 400), bool), 0.0, rng) for each in grain])
    images = np.concatenate([grain, stripes, plates]).clip(0, 255).astype(np.uint8)
    found = _by_key(images, np.zeros(images.shape, bool))["checker"]
    assert found[12:].min() > found[:12].max()


def test_sheets_covered_by_the_defect_get_the_median(draw: Draw) -> None:
    sheets = draw(9)
    defects = list(sheets.defects())
    defects[0] = np.ones_like(defects[0])
    found = {each.key: each.values for each in measure_pixels(sheets.images, defects)}
    assert found["exposure"][0] == np.median(found["exposure"][1:])
    assert set(found) == set(PIXEL_PROPERTIES)
