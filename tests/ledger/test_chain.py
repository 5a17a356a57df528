"""Entries, their canonical bytes and hashes."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ledger.conftest import sheet, verdict

from steelsight.errors import BadEntry
from steelsight.ledger.chain.canonical import first_hash, link_entry, read_link, time_text
from steelsight.ledger.chain.entries import (
    Action,
    Answer,
    Event,
    Recommended,
    Review,
    SheetSeen,
    check_entry,
    sheet_id,
)

START = first_hash("0" * 32, "line-1")


def link(entry, **values):
    facts = {"writer": "line-1", "seq": 1, "epoch": 1, "time_us": 1_700_000_000_000_000, "previous": START}
    return link_entry(entry, **{**facts, **values})


def test_the_hash_is_that_of_sorted_compact_json():
    """An independent writer: for ASCII and whole numbers, sorted compact JSON is the canonical form."""
    seen = SheetSeen(station="line-1", item="a.jpg", captured_us=5)
    document = {
        "data": seen.model_dump(mode="json"),
        "epoch": 1,
        "previous": START.hex(),
        "seq": 1,
        "time": "2023-11-14T22:13:20.000000Z",
        "writer": "line-1",
    }
    expected = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    made = link(seen)
    assert made.body == expected
    assert made.digest == hashlib.sha256(expected).digest()


def test_a_review_of_an_earlier_version_keeps_its_bytes():
    """Without the fields that were added later it is read, and its bytes and hash are the same."""
    review = Review(sheet="a" * 32, person="b" * 32, answer=Answer.UNSURE)
    document = json.loads(link(review).body)
    assert "recommended" not in document["data"]
    assert link(review.model_copy(update={"blind": True})).body != link(review).body
    for name in ("mask", "blind"):
        del document["data"][name]
        body = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        found = read_link(body)
        assert (found.body, found.entry) == (body, review)


def test_a_recommendation_is_in_the_bytes_only_where_there_was_one():
    shown = Recommended(action=Action.HOLD, rule="large", policy="c" * 64)
    made = link(Review(sheet="a" * 32, person="b" * 32, answer=Answer.UNSURE, recommended=shown))
    assert read_link(made.body) == made
    assert b'"recommended":{"action":"hold","chosen":null,' in made.body
    null = json.loads(link(Review(sheet="a" * 32, person="b" * 32, answer=Answer.UNSURE)).body)
    null["data"]["recommended"] = None
    with pytest.raises(BadEntry, match="not the canonical form"):
        read_link(json.dumps(null, sort_keys=True, separators=(",", ":")).encode())


@given(
    st.dictionaries(st.text(max_size=5), st.floats(-(2**53) + 1, 2**53 - 1) | st.booleans()),
    st.integers(1, 2**53 - 1),
)
def test_reading_gives_what_was_written(details, seq):
    made = link(Event(name="login", details=details), seq=seq)
    assert read_link(made.body) == made


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda body: body.replace(b'"seq":1', b'"seq": 1'), "not the canonical form"),
        (lambda body: body.replace(b'"epoch":1', b'"epoch":1.0'), "expected canonical JSON"),
        (lambda body: body[:-1], "expected canonical JSON"),
        (lambda body: body.replace(b'"kind":"sheet"', b'"kind":"shoot"'), "expected a kind of sheet"),
        (lambda body: b"[" * 100_000, "expected canonical JSON"),
        (lambda body: b"null", "expected canonical JSON"),
    ],
)
def test_bytes_that_are_no_entry_are_refused(change, message):
    with pytest.raises(BadEntry, match=message):
        read_link(change(link(sheet(1)).body))


@pytest.mark.parametrize("value", [2**53 + 1, "\ud800", {"a": float("inf")}])
def test_a_value_without_canonical_form_is_refused(value):
    with pytest.raises(BadEntry, match="canonical JSON"):
        link(Event(name="export", details={"value": value}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"station": ""}, "field station"),
        ({"station": "a\nb"}, "field station"),
        ({"item": "x" * 5000}, "field item"),
        ({"image_hash": "abc"}, "field image_hash"),
        ({"captured_us": 2**60}, "field captured_us"),
        ({"width": -1}, "field width"),
        ({"position_m": float("nan")}, "field position_m"),
        ({"side": "left"}, "field side"),
        ({"colour": "blue"}, "field colour"),
    ],
)
def test_a_sheet_with_an_impossible_value_is_refused(values, message):
    with pytest.raises(BadEntry, match=message):
        check_entry({**sheet(1).model_dump(mode="json"), **values})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"probability": 1.01}, "field probability"),
        ({"probabilities": {"none": -0.1}}, "field probabilities.none"),
        ({"sheet": "../etc"}, "field sheet"),
        ({"mode": "secret"}, "field mode"),
        ({"regions": [{"box": [1, 2, 3], "area_px": 1, "score": 1}]}, "field regions.0.box"),
        ({"label": "a\0b"}, "field label"),
        ({"latency_ms": float("inf")}, "field latency_ms"),
    ],
)
def test_a_verdict_with_an_impossible_value_is_refused(values, message):
    with pytest.raises(BadEntry, match=message):
        check_entry({**verdict(sheet(1)).model_dump(mode="json"), **values})


@pytest.mark.parametrize("data", [None, [], {}, {"kind": None}, {"kind": ["sheet"]}, "sheet"])
def test_what_is_no_entry_is_refused(data):
    with pytest.raises(BadEntry, match="expected a kind of"):
        check_entry(data)


def test_a_correction_needs_a_label():
    review = {"kind": "review", "sheet": "0" * 32, "person": "1" * 32, "answer": "corrected"}
    with pytest.raises(BadEntry, match="needs the right label"):
        check_entry(review)
    assert check_entry({**review, "label": "scratch"}).label == "scratch"


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_different_sheets_have_different_identities(station, item, other_station, other_item):
    names = [value.replace("\0", "") for value in (station, item, other_station, other_item)]
    names = [value.encode("utf-8", "ignore").decode() for value in names]
    same = names[:2] == names[2:]
    assert (sheet_id(*names[:2]) == sheet_id(*names[2:])) is same


def test_time_is_utc_to_the_microsecond():
    assert time_text(0) == "1970-01-01T00:00:00.000000Z"
    assert time_text(-1) == "1969-12-31T23:59:59.999999Z"
