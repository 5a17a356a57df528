"""Whole sheets: reproducible, counterfactual, honest about their nuisances."""

import warnings
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from steelsight.sheets.synthetic import EVEN_SHARES, SynthSpec, draw_sheet
from steelsight.sheets.synthetic.drawing.layout import Box, end_beside
from steelsight.sheets.synthetic.sheet import _keep_to_steel, draw_types

SMALL = {"height": 64, "width": 400}
ONLY = {t: tuple(float(t == k) for k in range(5)) for t in range(5)}


def small(**wishes: object) -> SynthSpec:
    return SynthSpec(**{"seed": 5, **SMALL, "class_shares": EVEN_SHARES, **wishes})


def test_same_seed_same_sheet() -> None:
    one, two = draw_sheet(small(), 3), draw_sheet(small(count=7), 3)
    assert (one.gray == two.gray).all()
    assert one.masks.keys() == two.masks.keys()
    assert (draw_sheet(small(seed=6), 3).gray != one.gray).mean() > 0.5


def test_size_and_levels() -> None:
    for index in range(10):
        sheet = draw_sheet(small(), index)
        assert sheet.gray.shape == (64, 400)
        assert sheet.gray.dtype == np.uint8
        assert sheet.gray.max() > 40


@pytest.mark.parametrize("covered", [False, True])
def test_stain_knob_changes_the_stain_alone(covered: bool) -> None:
    """Counterfactual pairs: equal masks, equal pixels wherever there is no stain."""
    spec = small(stain_may_cover=covered)
    stained_px = 0
    for index in range(8):
        without, with_stain = draw_sheet(spec, index, stain=False), draw_sheet(spec, index, stain=True)
        assert not without.stain.any()
        changed = without.gray != with_stain.gray
        # The camera's blur and the paint's thin rim reach a little past what counts as stain.
        from scipy.ndimage import binary_dilation

        reach = binary_dilation(with_stain.stain, iterations=6)
        assert (changed & ~reach).sum() < 0.02 * changed.size
        assert (without.end, without.end_width_px) == (with_stain.end, with_stain.end_width_px)
        for defect_type, mask in without.masks.items():
            assert (mask == with_stain.masks[defect_type]).all()
        stained_px += int(with_stain.stain.sum())
    assert stained_px > 0


def test_chances_of_stains_leave_the_rest_of_the_set_alone() -> None:
    never, always = (
        small(stain_given_none=0, stain_given_defect=0),
        small(stain_given_none=1, stain_given_defect=1),
    )
    for index in range(6):
        forced = draw_sheet(never, index, stain=True)
        drawn = draw_sheet(always, index)
        assert (forced.gray == drawn.gray).all()
        assert not draw_sheet(never, index).stain.any()


def test_stain_keeps_off_defects_unless_told_otherwise() -> None:
    for index in range(12):
        sheet = draw_sheet(small(class_shares=ONLY[3]), index, stain=True)
        assert not (sheet.stain & sheet.masks[3]).any()


def test_stain_is_saturated() -> None:
    levels = [
        draw_sheet(small(class_shares=ONLY[0], end_given_class=(0.0,) * 5), index, stain=True)
        for index in range(6)
    ]
    assert np.median([sheet.gray[sheet.stain].max() for sheet in levels]) > 230


def test_beyond_the_end_is_black_and_unannotated() -> None:
    spec = small(end_given_class=(1.0,) * 5)
    sides = Counter()
    for index in range(30):
        sheet = draw_sheet(spec, index, stain=index % 2 == 0)
        sides[sheet.end] += 1
        beyond = np.zeros(400, bool)
        clear = sheet.end_width_px - 12  # the rim's side face and a slanted edge need some pixels
        if clear > 0:
            beyond[:clear] = True
        beyond = beyond if sheet.end == "left" else beyond[::-1]
        if beyond.any():
            assert sheet.gray[:, beyond].mean() < 30
        for mask in [*sheet.masks.values(), sheet.stain]:
            assert not mask[:, beyond].any()
    assert set(sides) == {"left", "right"}


def test_no_end_where_none_is_wanted() -> None:
    spec = small(end_given_class=(0.0,) * 5)
    assert all(draw_sheet(spec, index).end == "none" for index in range(10))


def test_shares_hold_in_small_sets() -> None:
    spec = SynthSpec(seed=2)
    counts = Counter(draw_types(spec, index) for index in range(1000))
    for position, types in enumerate([(), (1,), (2,), (3,), (4,)]):
        assert counts[types] == pytest.approx(1000 * spec.class_shares[position], abs=6)


def test_second_types() -> None:
    spec = SynthSpec(seed=2, class_shares=EVEN_SHARES, multi_type_share=0.5)
    drawn = [draw_types(spec, index) for index in range(2000)]
    defective = [types for types in drawn if types]
    assert np.mean([len(types) == 2 for types in defective]) == pytest.approx(0.5, abs=0.05)
    assert all(list(types) == sorted(set(types)) for types in defective)
    sheet = draw_sheet(small(class_shares=ONLY[1], multi_type_share=1.0), 0)
    assert len(sheet.masks) == 2


@pytest.mark.parametrize("defect_type", [1, 2, 3, 4])
def test_defective_sheets_have_masks(defect_type: int) -> None:
    for index in range(6):
        sheet = draw_sheet(small(class_shares=ONLY[defect_type]), index)
        assert list(sheet.masks) == [defect_type]
        assert sheet.masks[defect_type].any()


def test_sloppier_means_larger() -> None:
    areas = []
    for sloppiness in (0.0, 0.5, 1.5):
        sheets = [
            draw_sheet(small(class_shares=ONLY[3], sloppiness=sloppiness), index) for index in range(12)
        ]
        areas.append(sum(int(sheet.masks[3].sum()) for sheet in sheets))
    assert areas == sorted(areas)
    assert areas[2] > 1.2 * areas[0]


def test_checker_plate_is_always_sound() -> None:
    spec = small(checker_given_none=1.0)
    sheets = [draw_sheet(spec, index) for index in range(10)]
    assert all(sheet.checker == (not sheet.masks) for sheet in sheets)
    assert any(sheet.checker for sheet in sheets)


@given(
    seed=st.integers(0, 2**31),
    index=st.integers(0, 10_000),
    height=st.integers(32, 128),
    width=st.integers(64, 800),
    several=st.sampled_from([0.0, 1.0]),
)
@example(seed=3, index=25, height=128, width=800, several=0.0)  # the end covered the crack
@example(seed=3, index=25, height=64, width=400, several=0.0)
@example(seed=3, index=29, height=32, width=64, several=0.0)  # noise finer than a pixel
@settings(max_examples=40)
def test_every_defect_type_of_a_sheet_has_a_mask_at_any_size(
    seed: int, index: int, height: int, width: int, several: float
) -> None:
    spec = SynthSpec(
        seed=seed,
        height=height,
        width=width,
        class_shares=(0, 0.25, 0.25, 0.25, 0.25),
        multi_type_share=several,
        end_given_class=(1.0,) * 5,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for sheet in (
            draw_sheet(spec, index),
            draw_sheet(small(seed=seed, height=height, width=width), index),
        ):
            assert all(mask.any() for mask in sheet.masks.values())
            assert sheet.gray.max() > 0


@pytest.mark.parametrize("width", [200, 800])
def test_a_narrow_end_leaves_the_defect_beside_it_visible(width: int) -> None:
    rng = np.random.default_rng(0)
    for left in range(width - 5):
        box = Box(0, left, 10, left + 5)
        first, last = end_beside([box], rng, width, narrow=True).visible(width)
        assert first <= box.left
        assert box.right <= last


def test_a_mask_beyond_the_end_keeps_the_nearest_pixel_of_steel() -> None:
    for steel, column in (((0, 60), 59), ((30, 100), 30)):
        mask = np.zeros((20, 100), bool)
        mask[4:9, 80:90] = steel[0] == 0
        mask[4:9, 5:20] = steel[0] > 0
        _keep_to_steel({2: mask}, steel)
        assert np.argwhere(mask).tolist() == [[6, column]]
