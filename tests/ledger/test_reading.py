"""Lists, cursors, histories, exports and draws."""

import csv
import hashlib
from collections import Counter

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ledger.conftest import judged, sheet, verdict

from steelsight.errors import BadInput
from steelsight.ledger.chain.draws import AuditPlan, draw_value
from steelsight.ledger.chain.entries import Draw, Review, sheet_id
from steelsight.ledger.reading.export import export_tables
from steelsight.ledger.reading.lists import VerdictFilter, list_verdicts, sheet_history
from steelsight.ledger.writing.writer import open_writer


@pytest.fixture
def many(ledger):
    """60 sheets of two stations, some captured at the same time, with shadow verdicts."""
    entries = []
    for number in range(60):
        station = f"line-{number % 2 + 1}"
        seen = sheet(number, station=station, captured_us=1000 + number // 3)
        state = "doubtful" if number % 7 == 0 else "decided"
        entries += [seen, verdict(seen, "scratch" if number % 4 else "none", state=state)]
        if number % 5 == 0:
            entries.append(verdict(seen, "patch", mode="shadow", bundle="c" * 16))
    with open_writer(ledger, "line-1") as writer:
        writer.append(entries)
    return ledger


FILTERS = [
    VerdictFilter(),
    VerdictFilter(mode=None),
    VerdictFilter(mode="shadow"),
    VerdictFilter(station="line-2"),
    VerdictFilter(label="none", station="line-1"),
    VerdictFilter(state="doubtful"),
    VerdictFilter(coil="C3"),
    VerdictFilter(bundle="c" * 16, mode=None),
    VerdictFilter(since_us=1005, until_us=1010),
    VerdictFilter(label="nothing"),
]


def matching(ledger, wanted):
    """An independent reading: every verdict, filtered and sorted in Python."""
    with ledger.read() as connection:
        rows = list_verdicts(connection, VerdictFilter(mode=None), limit=500).rows
    assert len(rows) == 72
    named = {name: getattr(wanted, name) for name in ("station", "coil", "label", "state", "bundle", "mode")}
    kept = [
        row
        for row in rows
        if all(value is None or row[name] == value for name, value in named.items())
        and (wanted.since_us is None or row["captured_us"] >= wanted.since_us)
        and (wanted.until_us is None or row["captured_us"] < wanted.until_us)
    ]
    return sorted(kept, key=lambda row: (row["captured_us"], row["writer"], row["seq"]), reverse=True)


@pytest.mark.parametrize("limit", [1, 7, 500])
@pytest.mark.parametrize("wanted", FILTERS)
def test_pages_hold_every_matching_verdict_once(many, wanted, limit):
    rows, cursor = [], None
    with many.read() as connection:
        while True:
            page = list_verdicts(connection, wanted, limit=limit, cursor=cursor)
            rows += page.rows
            cursor = page.cursor
            if cursor is None:
                break
            assert len(page.rows) == limit
    assert rows == matching(many, wanted)


def test_a_page_is_not_moved_by_what_arrives_meanwhile(many):
    with many.read() as connection:
        first = list_verdicts(connection, limit=10)
        whole = list_verdicts(connection, limit=30)
    with open_writer(many, "line-1") as writer:
        writer.append(judged(1000, 1010))
    with many.read() as connection:
        second = list_verdicts(connection, limit=20, cursor=first.cursor)
    assert first.rows + second.rows == whole.rows


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "!!", "W10", "bnVsbA", "WzEsMiwzXQ", "WzEuNSwiYSIsM10", "WzFlOTk5LCJhIiwzXQ", "é", "A" * 9999],
)
def test_a_cursor_that_no_page_gave_is_refused(many, cursor):
    with many.read() as connection, pytest.raises(BadInput, match="expected one that a page gave"):
        list_verdicts(connection, cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_a_limit_out_of_range_is_refused(many, limit):
    with many.read() as connection, pytest.raises(BadInput, match="expected 1 to 500"):
        list_verdicts(connection, limit=limit)


def test_a_sheet_has_its_whole_history(ledger):
    seen = sheet(1)
    draw = Draw(sheet=seen.sheet, stratum="other", probability=0.5, value=0.25, key_commitment="a" * 64)
    review = Review(sheet=seen.sheet, person="1" * 32, answer="unsure")
    with open_writer(ledger, "line-1") as writer:
        writer.append([seen, verdict(seen), draw, verdict(seen, "none", mode="replay"), review])
    with ledger.read() as connection:
        found = sheet_history(connection, seen.sheet)
        assert sheet_history(connection, "0" * 32) is None
    assert found["item"] == seen.item
    assert [each["label"] for each in found["verdicts"]] == ["scratch", "none"]
    assert found["verdicts"][0]["regions"][0]["box"] == [1, 2, 30, 40]
    assert found["draw"]["stratum"] == "other"
    assert found["reviews"][0]["answer"] == "unsure"


def test_an_export_holds_every_row(many, tmp_path):
    counts = export_tables(many, tmp_path / "out")
    assert export_tables(many, tmp_path / "out", "csv") == counts
    assert counts == {"sheets": 60, "verdicts": 72, "draws": 0, "reviews": 0, "events": 0}
    table = pq.read_table(tmp_path / "out" / "verdicts.parquet").to_pylist()
    with (tmp_path / "out" / "verdicts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = matching(many, VerdictFilter(mode=None))
    assert {(row["seq"], row["label"], row["probability"]) for row in table} == {
        (row["seq"], row["label"], row["probability"]) for row in expected
    }
    assert [int(row["seq"]) for row in rows] == [row["seq"] for row in table]


KEY = b"0123456789abcdef"


def test_a_draw_can_be_repeated_with_the_key():
    plan = AuditPlan(KEY, {"scratch": 0.5, "other": 0.1})
    draws = {item: plan.draw(sheet_id("line-1", item), "scratch") for item in map(str, range(200))}
    assert draws == {item: plan.draw(sheet_id("line-1", item), "scratch") for item in map(str, range(200))}
    made = next(draw for draw in draws.values() if draw)
    assert made.key_commitment == hashlib.sha256(KEY).hexdigest()
    assert made.value == draw_value(KEY, made.sheet) < 0.5


def test_each_stratum_is_drawn_with_its_share():
    plan = AuditPlan(KEY, {"scratch": 0.5, "other": 0.1, "none": 0.0})
    drawn = Counter()
    for number in range(6000):
        stratum = ("scratch", "patch", "none")[number % 3]
        drawn[stratum] += plan.draw(sheet_id("line-1", str(number)), stratum) is not None
    assert abs(drawn["scratch"] / 2000 - 0.5) < 0.05  # 4.5 standard deviations
    assert abs(drawn["patch"] / 2000 - 0.1) < 0.03
    assert drawn["none"] == 0


@given(st.binary(min_size=16, max_size=40), st.text("0123456789abcdef", min_size=32, max_size=32))
def test_a_larger_share_draws_what_a_smaller_one_draws(key, identity):
    drawn = [
        AuditPlan(key, {"other": share}).draw(identity, "x") is not None for share in (0.0, 0.2, 0.7, 1.0)
    ]
    assert drawn == sorted(drawn)
    assert (drawn[0], drawn[-1]) == (False, True)


@pytest.mark.parametrize(("key", "shares"), [(b"short", {}), (KEY, {"a": 1.5}), (KEY, {"a": float("nan")})])
def test_an_impossible_plan_is_refused(key, shares):
    with pytest.raises(BadInput, match="expected"):
        AuditPlan(key, shares)


def test_the_key_is_not_shown():
    assert "0123" not in repr(AuditPlan(KEY, {}))
