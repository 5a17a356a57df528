"""Mask rules against the formula, scikit-image's Otsu, and their edges."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_otsu

from steelsight.errors import BadRecipe
from steelsight.explanations.masks import MaskRule, blur_maps, make_masks, thresholds


@pytest.fixture
def maps(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(3, 24, 40)).astype(np.float32)


@pytest.mark.parametrize("k", [2.0, 3.0])
def test_the_study_rule_equals_its_formula(maps: np.ndarray, k: float) -> None:
    for heat, mask in zip(maps, make_masks(maps, MaskRule(amount=k)), strict=True):
        blurred = gaussian_filter(np.maximum(heat, 0).astype(np.float64), 2, mode="nearest")
        assert (mask == (blurred > blurred.mean() + k * blurred.std())).mean() > 0.999


def test_each_map_is_blurred_and_thresholded_separately(maps: np.ndarray) -> None:
    for rule in (MaskRule(), MaskRule("otsu"), MaskRule("share", 0.1), MaskRule("peak", 0.5)):
        together = make_masks(maps, rule)
        for row in range(len(maps)):
            assert np.array_equal(make_masks(maps[row : row + 1], rule)[0], together[row])


def test_sign_decides_whether_inhibition_counts() -> None:
    heat = np.zeros((1, 20, 20), dtype=np.float32)
    heat[0, 4, 4], heat[0, 15, 15] = 1.0, -2.0
    positive = make_masks(heat, MaskRule(sigma=1.0))[0]
    absolute = make_masks(heat, MaskRule(sigma=1.0, sign="absolute"))[0]
    assert positive[4, 4]
    assert not positive[15, 15]
    assert absolute[15, 15]


def test_otsu_equals_scikit_image(maps: np.ndarray) -> None:
    blurred = blur_maps(maps, 2.0)
    for heat, cut in zip(blurred, thresholds(blurred, MaskRule("otsu")), strict=True):
        width = float(heat.max() - heat.min()) / 256
        assert cut == pytest.approx(float(threshold_otsu(heat)), abs=1.01 * width)


def test_the_share_rule_marks_its_share(maps: np.ndarray) -> None:
    masks = make_masks(maps, MaskRule("share", 0.1, sigma=1.0))
    assert masks.mean(axis=(1, 2)) == pytest.approx([0.1] * 3, abs=0.002)


def test_peak_follows_the_highest_value(maps: np.ndarray) -> None:
    blurred = blur_maps(maps, 1.0)
    masks = make_masks(maps, MaskRule("peak", 0.5, sigma=1.0))
    assert np.array_equal(masks, blurred > 0.5 * blurred.max(axis=(1, 2), keepdims=True))


@pytest.mark.parametrize("value", [0.0, 7.3, -1.0])
def test_a_constant_map_has_an_empty_mask(value: float) -> None:
    heat = np.full((1, 16, 16), value, dtype=np.float32)
    for rule in (MaskRule(), MaskRule("otsu"), MaskRule("share", 0.5), MaskRule("peak", 0.5)):
        assert not make_masks(heat, rule).any(), rule


def test_rules_do_not_depend_on_the_scale(maps: np.ndarray) -> None:
    for rule in (MaskRule(), MaskRule("otsu"), MaskRule("share", 0.2), MaskRule("peak", 0.4)):
        same = make_masks(maps * 1024, rule)  # a power of two: no rounding
        assert np.array_equal(make_masks(maps, rule), same), rule


def test_keys_are_one_word() -> None:
    assert MaskRule(amount=3.0).key == "deviations:3@2"
    assert MaskRule("otsu", sigma=4.0).key == "otsu@4"
    assert MaskRule("share", 0.05, 1.0, "absolute").key == "share:0.05@1abs"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("share", 1.5), "expected an amount between 0 and 1, got 1.5"),
        (("peak", 0.0), "expected an amount between 0 and 1, got 0.0"),
        (("deviations", 2.0, -1.0), "a blur of 0 px or more"),
        (("deviations", float("nan")), "finite amount"),
    ],
)
def test_bad_rules_are_refused(values: tuple[object, ...], message: str) -> None:
    with pytest.raises(BadRecipe, match=message):
        MaskRule(*values)  # type: ignore[arg-type]
