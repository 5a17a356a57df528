"""The one place where a threshold is applied: equality, 1, no threshold, NaN, several types at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadInput
from steelsight.evaluation.abstention.thresholds import (
    ANSWER_NOTHING,
    PRESENT,
    answered,
    card_threshold,
    present_confidence,
    present_types,
)

JUST_BELOW_1 = float(np.nextafter(1.0, 0.0))


def test_a_sheet_is_answered_at_equality() -> None:
    confidence = np.array([np.nextafter(0.6, 0), 0.6, np.nextafter(0.6, 1)])
    assert answered(confidence, 0.6).tolist() == [False, True, True]
    assert answered(np.array([0.0, 0.5]), 0.0).all()


def test_a_threshold_of_1_answers_nothing_and_the_number_below_it_answers_certainty() -> None:
    confidence = np.array([1.0, 1 + 1e-9, JUST_BELOW_1, 0.9])
    assert not answered(confidence, ANSWER_NOTHING).any()
    assert answered(confidence, JUST_BELOW_1).tolist() == [True, True, True, False]


def test_nan_is_never_answered() -> None:
    for threshold in (None, 0.0, 0.5, 1.0):
        assert answered(np.array([np.nan, 0.7]), threshold)[0] == False  # noqa: E712  # a NumPy bool
    assert not present_types(np.array([[np.nan, 0.2]])).any()


def test_without_a_threshold_every_sheet_is_answered() -> None:
    assert answered(np.array([0.0, 0.3, 1.0]), None).all()
    assert answered(np.zeros(0), 0.5).shape == (0,)


@given(st.floats(0, 1), st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_a_higher_threshold_never_answers_more(threshold: float, confidences: list[float]) -> None:
    confidence = np.array(confidences)
    loose, strict = answered(confidence, threshold / 2), answered(confidence, threshold)
    assert not (strict & ~loose).any()


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), float("inf")])
def test_thresholds_outside_0_to_1_are_refused(threshold: float) -> None:
    with pytest.raises(BadInput, match=f"threshold: expected from 0 to 1, got {threshold}"):
        answered(np.array([0.5]), threshold)
    with pytest.raises(BadInput, match=f"threshold: expected from 0 to 1, got {threshold}"):
        present_types(np.array([[0.5]]), threshold)


@pytest.mark.parametrize(
    ("open_scale", "on_the_card"),
    [(0.0, 0.0), (0.7, 0.7), (1.0, JUST_BELOW_1), (3.0, JUST_BELOW_1), (float("inf"), ANSWER_NOTHING)],
)
def test_thresholds_by_cost_come_to_the_cards_scale(open_scale: float, on_the_card: float) -> None:
    assert card_threshold(open_scale) == on_the_card
    wholly_sure = np.array([1.0])
    assert answered(wholly_sure, card_threshold(open_scale)).all() == np.isfinite(open_scale)


def test_types_are_present_from_the_threshold_on() -> None:
    probabilities = np.array([[0.5, 0.49, 0.9], [0.1, 0.2, 0.3], [1.0, 0.0, 0.0]])
    default = present_types(probabilities)
    assert default.tolist() == [[True, False, True], [False] * 3, [True, False, False]]
    assert (present_types(probabilities, PRESENT) == default).all()
    assert (present_types(probabilities, 0.0) == default).all()
    assert present_types(probabilities, 1.0).sum() == 1
    assert present_confidence(probabilities, default).tolist() == [0.5, 0.7, 1.0]
