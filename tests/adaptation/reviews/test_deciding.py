"""What several reviews of one sheet say together."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.adaptation.reviews.review_cases import ANNA, BERT, CARL

from steelsight.adaptation.reviews.deciding import decide_sheet, nuisance_name, types_of
from steelsight.adaptation.reviews.reading import GivenAnswer, ReviewedSheet
from steelsight.ledger.chain.entries import Answer

YES, NO, UNSURE = Answer.CONFIRMED, Answer.CORRECTED, Answer.UNSURE


def _given(person: str, answer: Answer, label: str | None, seq: int, **values: object) -> GivenAnswer:
    facts = GivenAnswer("console", seq, seq * 1_000_000, person, answer, label, "bar", None, (), None, False)
    return replace(facts, **values)


def _sheet(*answers: GivenAnswer) -> ReviewedSheet:
    classes = ("none", "bar", "dent", "roll + mark")
    return ReviewedSheet("f" * 32, "line-1", "a.png", "C1", 0, "0" * 64, False, False, classes, answers)


@pytest.mark.parametrize(
    ("answers", "label"),
    [
        ([(ANNA, YES, "bar")], "bar"),
        ([(ANNA, YES, "bar"), (ANNA, NO, "dent")], "dent"),  # the latest of a reviewer
        ([(ANNA, NO, "dent"), (BERT, YES, "bar"), (CARL, YES, "bar")], "bar"),  # the majority
        ([(ANNA, NO, "dent"), (BERT, YES, "bar"), (ANNA, YES, "bar")], "bar"),
        ([(ANNA, YES, "bar"), (BERT, UNSURE, None)], "bar"),  # who cannot tell has no vote
        ([(ANNA, NO, "bar + dent"), (BERT, NO, "dent + bar")], "bar + dent"),
    ],
)
def test_the_latest_of_each_reviewer_and_the_majority_of_reviewers(
    answers: list[tuple[str, Answer, str | None]], label: str
) -> None:
    found = decide_sheet(_sheet(*(_given(*each, seq) for seq, each in enumerate(answers, start=1))))
    assert not isinstance(found, str)
    assert found.label == label


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([(ANNA, YES, "bar"), (BERT, NO, "dent")], r"2 reviewers disagree: bar \(1\), dent \(1\)"),
        ([(ANNA, YES, "bar"), (BERT, NO, "dent"), (CARL, NO, "none")], "3 reviewers disagree"),
        ([(ANNA, UNSURE, None)], "cannot tell"),
        ([(ANNA, YES, "bar"), (ANNA, UNSURE, None)], "cannot tell"),  # took it back in effect
        ([(ANNA, YES, None)], "give no label"),  # of an image that could not be read
    ],
)
def test_what_stays_open_is_left_out(answers: list[tuple[str, Answer, str | None]], reason: str) -> None:
    found = decide_sheet(_sheet(*(_given(*each, seq) for seq, each in enumerate(answers, start=1))))
    assert isinstance(found, str)
    assert pytest.importorskip("re").search(reason, found)


def test_marks_are_of_the_defect_or_of_the_wrong_reason() -> None:
    box = ((1, 2, 3, 4),)
    defect = _given(ANNA, NO, "bar", 1, boxes=box)
    reason = _given(BERT, YES, "bar", 2, boxes=box)
    named = _given(CARL, YES, "bar", 3, nuisance="Sheet end ")
    found = decide_sheet(_sheet(defect, reason, named))
    assert not isinstance(found, str)
    assert found.defect == defect
    assert found.reasons == (named, reason)
    assert [nuisance_name(each) for each in found.reasons] == ["end", "marked"]
    assert found.counted == {("console", 1), ("console", 2), ("console", 3)}


def test_marks_of_an_outvoted_review_do_not_count() -> None:
    outvoted = _given(ANNA, NO, "dent", 3, boxes=((1, 2, 3, 4),), nuisance="stain")
    found = decide_sheet(_sheet(_given(BERT, YES, "bar", 1), _given(CARL, YES, "bar", 2), outvoted))
    assert not isinstance(found, str)
    assert (found.label, found.defect, found.reasons) == ("bar", None, ())


def test_places_are_confirmed_only_by_who_saw_them() -> None:
    places = ((1, 2, 3, 4),)
    seen = _given(ANNA, YES, "bar", 1, places=places)
    for other in (
        replace(seen, blind=True),
        replace(seen, nuisance="stain"),
        replace(seen, answer=NO),
        replace(seen, places=()),
    ):
        found = decide_sheet(_sheet(other))
        assert not isinstance(found, str)
        assert found.confirmed is None
    found = decide_sheet(_sheet(seen))
    assert not isinstance(found, str)
    assert found.confirmed == seen


def test_the_types_of_a_label() -> None:
    classes, clean = ("none", "bar", "dent", "roll + mark"), {"none"}
    assert types_of("none", clean, classes) == ()
    assert types_of("bar + dent", clean, classes) == ("bar", "dent")
    assert types_of("roll + mark", clean, classes) == ("roll + mark",)  # one class of that name
