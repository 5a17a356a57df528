"""What the page says of covered places: the rule on engines of known behaviour, the route on real sheets."""

import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sqlalchemy import select
from tests.service.access.conftest import code
from tests.service.pages.review_sheets import defective, judged

from steelsight.counterfactuals.covering.cover import sheet_places
from steelsight.counterfactuals.covering.search import SmallestSet
from steelsight.ledger.database import schema
from steelsight.runtime.bundle.default import default_bundle
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.engine.engine import Engine, Outputs
from steelsight.runtime.engine.inspector import Inspector
from steelsight.service.pages.review.evidence.covered import CoverAnswer, Covered, CoverFinding, cover_places
from steelsight.service.pages.review.evidence.sentences import finding_words, without_words
from steelsight.service.pages.words import words_in

SIZE = (64, 400)
BOXES = [
    (20.0, 10.0, 40.0, 30.0),
    (100.0, 20.0, 130.0, 50.0),
    (200.0, 5.0, 215.0, 60.0),
    (300.0, 30.0, 330.0, 40.0),
]
WHOLE = (0, 0, 400, 64)
ENGLISH, GERMAN = words_in("en"), words_in("de")
BUNDLE = open_bundle(default_bundle())


class RuleEngine(Engine):
    """Says "type 1" of images for which a rule holds, and "none" of others."""

    def __init__(self, rule, *, unfamiliar=lambda gray: False, batch=8):
        self.rule, self.unfamiliar, self.batch = rule, unfamiliar, batch
        self.images = []

    def __call__(self, images):
        self.images.extend(images)
        assert len(images) <= self.batch
        logits = np.zeros((len(images), 5), np.float32)
        for row, gray in enumerate(images):
            logits[row, 1 if self.rule(gray) else 0] = 5
        embedding = np.zeros((len(images), 384), np.float32)
        embedding[[self.unfamiliar(gray) for gray in images]] = 1e15
        return Outputs(logits, np.zeros((len(images), 5, 3, 24), np.float32), embedding)


def inspector_of(rule, unfamiliar=None):
    """A bundle with such an engine; every sheet is familiar unless a rule says otherwise."""
    statistics = (
        None if unfamiliar is None else replace(BUNDLE.statistics, means=np.zeros((1, 384), np.float32))
    )
    engine = RuleEngine(rule, unfamiliar=unfamiliar or (lambda gray: False))
    return Inspector(replace(BUNDLE, statistics=statistics), engine)


def sheet(boxes=BOXES):
    """Steel with a bright square in each box."""
    gray = np.random.default_rng(3).normal(110, 8, SIZE).round().astype(np.uint8)
    for left, top, right, bottom in boxes:
        gray[int(top) : int(bottom), int(left) : int(right)] = 250
    return sheet_places(gray, WHOLE, boxes)


def bright(gray):
    """Which of some places are bright."""
    return {
        at
        for at in range(len(BOXES))
        if gray[int(BOXES[at][1]) : int(BOXES[at][3]), int(BOXES[at][0]) : int(BOXES[at][2])].mean() > 200
    }


@settings(max_examples=8)
@given(st.sets(st.integers(0, 3), min_size=1))
def test_the_smallest_set_is_what_the_model_looks_at(needed):
    """A model that says type 1 while any of some places is bright turns where all of them are covered."""
    inspector = inspector_of(lambda gray: bool(bright(gray) & needed))
    covered = cover_places(inspector, sheet(), "type 1")
    assert covered.finding is CoverFinding.TURNED
    assert set(covered.smallest.places) == needed
    assert covered.smallest.exact
    assert covered.turned_to == ("none",)
    assert covered.control_turned is False
    assert [answers[0].label for answers in covered.singles] == [
        "none" if needed == {at} else "type 1" for at in range(4)
    ]
    sentence = finding_words(ENGLISH, covered)
    numbers = [int(each) for each in re.findall(r"\d+", sentence)]
    assert numbers == sorted(each + 1 for each in needed)
    assert "turns the verdict to none" in sentence
    assert "elsewhere" not in sentence


def told(rule, unfamiliar=None, places=None, label="type 1"):
    covered = cover_places(inspector_of(rule, unfamiliar), sheet() if places is None else places, label)
    return covered, finding_words(ENGLISH, covered)


def test_a_verdict_that_no_covering_changes():
    covered, sentence = told(lambda gray: True)
    assert covered.finding is CoverFinding.KEPT
    assert sentence == "Covering the marked places, alone or together, does not change the verdict."


def test_a_model_that_minds_any_change_is_told_by_the_control():
    """It turns for the first place, and for steel without a place as well."""
    start = sheet().gray
    covered, sentence = told(lambda gray: bool((gray == start).all()))
    assert covered.finding is CoverFinding.TURNED
    assert covered.control_turned is True
    assert "turns the verdict to none" in sentence
    assert "So does covering as much of the sheet elsewhere: this says little" in sentence


def test_what_depends_on_the_fill_is_not_called_a_turn():
    places = sheet()
    lucky = [places.cover((at,)) for at in range(4)]
    covered, sentence = told(lambda gray: not any((gray == each).all() for each in lucky))
    assert covered.finding is CoverFinding.UNCLEAR
    assert "does not turn the verdict for sure" in sentence
    assert "does not change" not in sentence
    row = without_words(ENGLISH, 1, covered.before, covered.singles[0])
    assert row.startswith("Without place 1: none / type 1, by what fills it (before type 1 ")


def test_an_answer_that_is_not_valid_turns_nothing():
    """Whatever is covered: the model calls the result none, and unlike every training sheet."""
    start = sheet().gray
    covered, sentence = told(
        lambda gray: bool((gray == start).all()), lambda gray: bool((gray != start).any())
    )
    assert covered.finding is CoverFinding.UNCLEAR
    assert "unlike every training sheet" in sentence
    assert not any(each.familiar for answers in covered.singles for each in answers)
    row = without_words(ENGLISH, 1, covered.before, covered.singles[0])
    assert row == "Without place 1: not known, the covered sheet is unlike every training sheet"


def test_another_verdict_on_the_same_image_explains_nothing():
    covered, sentence = told(lambda gray: True, label="type 3")
    assert covered.finding is CoverFinding.OTHER_VERDICT
    assert covered.singles == ()
    assert "says type 1 of this image now" in sentence


def test_places_that_leave_too_little_steel():
    covered, sentence = told(lambda gray: True, places=sheet([(0.0, 0.0, 390.0, 64.0)]))
    assert covered.finding is CoverFinding.TOO_LARGE
    assert "too little steel" in sentence
    assert "too little steel" in without_words(ENGLISH, 1, covered.before, covered.singles[0])
    wide = [(0.0, 0.0, 150.0, 64.0), (250.0, 0.0, 399.0, 64.0)]
    covered, sentence = told(lambda gray: True, places=sheet(wide))
    assert covered.finding is CoverFinding.KEPT
    assert not covered.smallest.exact
    assert "where enough steel is left" in sentence
    assert "together" not in sentence


def test_no_place():
    covered, sentence = told(lambda gray: True, places=sheet([]))
    assert (covered.finding, sentence) == (CoverFinding.NO_PLACES, "No place is marked on this sheet.")


BEFORE = CoverAnswer("type 3", 0.714, 0.714, True)
SETS = {
    "one": (SmallestSet((1,), True, 4, 0, 0), False, "Covering place 2 turns the verdict to none."),
    "two": (
        SmallestSet((0, 2), True, 9, 0, 0),
        False,
        "Covering places 1 and 3 turns the verdict to none. No fewer of them do so for sure.",
    ),
    "three of many": (
        SmallestSet((0, 2, 6), False, 30, 0, 0),
        False,
        "Covering places 1, 3 and 7 turns the verdict to none. Not every smaller set was tried.",
    ),
    "no control": (
        SmallestSet((1,), True, 4, 0, 0),
        None,
        "Covering place 2 turns the verdict to none. "
        "There was no room to cover as much of the sheet elsewhere.",
    ),
}


@pytest.mark.parametrize("name", SETS)
def test_the_sentence_claims_what_was_tried(name):
    found, control, expected = SETS[name]
    covered = Covered(CoverFinding.TURNED, BEFORE, (), found, ("none",), control)
    assert finding_words(ENGLISH, covered) == expected
    assert finding_words(GERMAN, covered) != expected


def test_a_greedy_search_without_result_claims_no_more_than_it_tried():
    covered = Covered(CoverFinding.KEPT, BEFORE, (), SmallestSet(None, False, 30, 0, 0))
    assert finding_words(ENGLISH, covered).endswith("nor did any set that was tried.")


def test_without_a_place_in_both_languages():
    answer = CoverAnswer("none", 0.83, 0.1, True)
    assert (
        without_words(ENGLISH, 2, BEFORE, [answer]) == "Without place 2: none 83.0 % (before type 3 71.4 %)"
    )
    assert without_words(GERMAN, 2, BEFORE, [answer]) == "Ohne Stelle 2: none 83,0 % (vorher type 3 71,4 %)"
    assert "\n" not in without_words(ENGLISH, 2, BEFORE, [replace(answer, label="a\nb")])


# ---- over HTTP ----

ROUTES = ("covered", "covered/picture?places=1", "nearest", "map?label=type 1")


def get(client, name, what, **headers):
    return client.get(f"/review/sheets/{name}/{what}", headers=headers)


def test_covered_places_of_a_real_sheet_and_what_fills_them(closed, member, packaged):
    content, verdict = defective(packaged)[0]
    name = judged(closed, content, verdict)
    anna = member(closed)
    answer = get(anna, name, "covered")
    assert answer.status_code == 200, answer.text
    assert answer.text.count("Without place") + answer.text.count("cannot be covered") == len(verdict.regions)
    assert f"(before {verdict.label} " in answer.text
    assert 'class="finding"' in answer.text
    assert "Ohne Stelle" in get(anna, name, "covered", **{"accept-language": "de"}).text
    picture = get(anna, name, "covered/picture?places=1")
    assert picture.headers["content-type"] == "image/png"
    alpha = np.asarray(Image.open(BytesIO(picture.content)))[..., 1]
    assert alpha.shape == SIZE
    left, top, right, bottom = verdict.regions[0].box
    rows, columns = np.nonzero(alpha)
    assert abs(columns.min() - left / 2) <= 2  # the model's pixels are two of the image
    assert abs(columns.max() - right / 2) <= 2
    assert abs(rows.min() - top / 2) <= 2
    assert abs(rows.max() - bottom / 2) <= 2


@pytest.mark.parametrize("places", ["9", "0", "", "1,", "1,9", "x", "1" * 300])
def test_places_that_there_are_not_are_refused(closed, member, packaged, places):
    content, verdict = defective(packaged)[0]
    name = judged(closed, content, verdict)
    answer = get(member(closed), name, f"covered/picture?places={places}")
    assert (answer.status_code, code(answer) in ("bad_region", "invalid_request")) == (422, True)


@pytest.mark.parametrize("route", ROUTES)
def test_what_may_not_be_explained_is_refused_alike(closed, member, packaged, route):
    content, verdict = defective(packaged)[0]
    anna = member(closed)
    cases = {
        "decide_first": judged(closed, content, verdict, number=1, drawn=True),
        "unknown_input": judged(
            closed, content, verdict, number=2, state="unknown_input", reason="unfamiliar"
        ),
        "other_bundle": judged(closed, content, verdict, number=3, bundle="an earlier bundle"),
        "unknown_sheet": "0" * 32,
    }
    assert {expected: code(get(anna, name, route)) for expected, name in cases.items()} == {
        each: each for each in cases
    }


def test_a_verdict_that_the_bundle_does_not_give_any_more(closed, member, packaged):
    content, verdict = defective(packaged)[0]
    other = "type 1" if verdict.label != "type 1" else "type 2"
    name = judged(closed, content, verdict, label=other)
    text = get(member(closed), name, "covered").text
    assert "covering explains nothing" in text
    assert "data-places" not in text


def test_a_sheet_whose_image_is_gone(closed, member, packaged):
    content, verdict = defective(packaged)[0]
    name = judged(closed, content, verdict)
    anna = member(closed)
    with closed.ledger.read() as connection:
        closed.images.remove(connection.execute(select(schema.sheets.c.image_hash)).scalar_one())
    assert code(get(anna, name, "covered")) == "image_missing"
