"""Recipes that cannot be met are refused with the knob's name."""

import pytest
from pydantic import ValidationError

from steelsight.errors import BadRecipe
from steelsight.sheets.synthetic import EVEN_SHARES, STUDY_SHARES, SynthSpec, synth_spec


def test_default_shares_are_the_studys() -> None:
    assert SynthSpec().class_shares == STUDY_SHARES
    assert [round(12141 * share) for share in STUDY_SHARES] == [5902, 769, 195, 4759, 516]
    assert sum(EVEN_SHARES) == pytest.approx(1)


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"stain_given_none": 1.2}, "stain_given_none: .*less than or equal to 1, found 1.2"),
        ({"stain_given_defect": -0.1}, "stain_given_defect: .*greater than or equal to 0"),
        ({"class_shares": (0.5, 0.5, 0.5, 0, 0)}, "class_shares: .*sum to 1.*sum to 1.5"),
        ({"class_shares": (1.5, -0.5, 0, 0, 0)}, "class_shares: .*within 0..1"),
        ({"class_shares": (0.5, 0.5)}, "class_shares"),
        ({"end_given_class": (0, 0, 0, 0, 2)}, "end_given_class: .*within 0..1"),
        ({"count": 0}, "count: .*greater than or equal to 1"),
        ({"height": 8}, "height: .*greater than or equal to 32"),
        ({"sloppiness": 9}, "sloppiness"),
        ({"jpeg_quality": (96, 86)}, "jpeg_quality: .*lowest <= highest"),
        ({"stains": 1}, "stains: Extra inputs are not permitted"),
    ],
)
def test_refuses_what_cannot_be(wishes: dict[str, object], message: str) -> None:
    with pytest.raises(BadRecipe, match=message):
        synth_spec(**wishes)


def test_a_recipe_does_not_change() -> None:
    with pytest.raises(ValidationError):
        SynthSpec().seed = 3  # type: ignore[misc]
