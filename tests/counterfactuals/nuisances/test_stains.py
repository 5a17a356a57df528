"""The detector of white stains: detections and rejections on drawn and generated sheets."""

from __future__ import annotations

import numpy as np
import pytest
from tests.counterfactuals.proof_cases import stained, steel

from steelsight.counterfactuals.nuisances.stains import LEAST_AREA_PX, above_surround, find_stain, stain_areas
from steelsight.sheets.images.pixels import fit_gray
from steelsight.sheets.synthetic import SynthSpec, draw_sheet
from steelsight.types import InputSpec


def test_a_white_square_is_found_to_the_pixel(rng: np.random.Generator) -> None:
    gray, mask = stained(steel(rng))
    assert (find_stain(gray) == mask).all()
    assert stain_areas(np.stack([gray, steel(rng)])).tolist() == [168, 0]


def test_lengths_grow_with_the_sheet(rng: np.random.Generator) -> None:
    gray, mask = stained(steel(rng))
    large = np.kron(gray, np.ones((4, 4), np.uint8))
    assert (find_stain(large) == np.kron(mask, np.ones((4, 4), bool))).all()
    small = steel(rng)
    small[10:14, 20:27] = 255  # 28 pixels, as a glint
    assert LEAST_AREA_PX > 28
    assert not find_stain(small).any()


def test_bright_surfaces_defects_and_black_are_not_stains(rng: np.random.Generator) -> None:
    overexposed = np.full((64, 160), 252, np.uint8)
    assert not find_stain(overexposed).any()
    shining = steel(rng)
    shining[::8, ::8] = 255  # dots all over: checker plate
    assert not find_stain(np.tile(shining, (1, 2))).any()
    gray, mask = stained(steel(rng))
    assert not find_stain(gray, keep_off=mask).any()  # a bright defect
    assert not find_stain(np.zeros((64, 160), np.uint8)).any()


def test_the_black_beyond_the_end_does_not_lower_the_surround(rng: np.random.Generator) -> None:
    bright = steel(rng, level=200)
    bright[:, 120:] = 3
    assert np.abs(above_surround(bright)[:, 120:]).max() == 0
    assert not find_stain(bright).any()


@pytest.mark.parametrize("has_it", [True, False])
def test_generated_sheets_with_and_without_stains_are_distinguished(has_it: bool) -> None:
    spec = SynthSpec(seed=5, count=1, height=128, width=800)
    found = []
    for index in range(14):
        sheet = draw_sheet(spec, index, stain=has_it)
        if sheet.stain.any() == has_it:
            found.append(find_stain(fit_gray(sheet.gray, InputSpec())).any())
    assert len(found) >= 10
    assert np.mean(found) >= 0.85 if has_it else np.mean(found) <= 0.15
