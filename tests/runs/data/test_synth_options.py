"""From the options of `synth`, which are text, to the specification of a synthetic set."""

import pytest

from steelsight.errors import BadRecipe
from steelsight.runs.data.options import SynthOptions
from steelsight.runs.data.synth import read_spec
from steelsight.sheets.synthetic import EVEN_SHARES, STUDY_SHARES, SynthSpec


def test_defaults_are_those_of_the_specification():
    assert read_spec(SynthOptions()) == SynthSpec(version=2)


def test_named_shares_and_five_numbers():
    assert read_spec(SynthOptions(shares="even")).class_shares == EVEN_SHARES
    assert read_spec(SynthOptions(shares="study")).class_shares == STUDY_SHARES
    assert read_spec(SynthOptions(shares=".5,.5,0,0,0")).class_shares == (0.5, 0.5, 0, 0, 0)


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"size": "256"}, "--size: expected two whole numbers joined by 'x'; found '256'"),
        ({"quality": "a-b"}, "--quality: expected two whole numbers joined by '-'; found 'a-b'"),
        ({"shares": "1,2"}, "--shares: expected five numbers, none and types 1-4"),
        ({"end_given_class": "x"}, "--end-given-class: expected five numbers, none and types 1-4"),
        ({"workers": 0}, "--workers: expected at least 1, got 0"),
        ({"count": 0}, "count: Input should be greater than or equal to 1, found 0"),
    ],
)
def test_values_that_cannot_be_read_or_met(wishes, message):
    with pytest.raises(BadRecipe, match=message):
        read_spec(SynthOptions(**wishes))
