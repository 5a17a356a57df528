"""Cursors and what is read after them: each entry once, in each writer's order, none missed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text, update
from tests.ledger.conftest import judged

from steelsight.errors import BadCursor, LedgerAltered
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.database import schema
from steelsight.ledger.database.open import create_ledger
from steelsight.ledger.keeping.backup import back_up, restore
from steelsight.ledger.reading import tail
from steelsight.ledger.reading.cursors import LONGEST, Cursor, cursor_text, parse_cursor
from steelsight.ledger.reading.tail import Lost, read_after, read_heads, resume
from steelsight.ledger.writing.writer import open_writer

NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=100)
CURSORS = st.builds(
    Cursor,
    st.integers(1, 2**31 - 1),
    st.dictionaries(NAMES, st.integers(1, 2**63 - 1), max_size=20),
)


def note(ledger, writer, count=1):
    with open_writer(ledger, writer) as opened:
        return opened.append([Event(name="note", details={"number": number}) for number in range(count)])


def after(ledger, cursor, limit=100, **bounds):
    with ledger.read() as connection:
        return read_after(connection, cursor, limit=limit, **bounds)


def places(batch):
    return [(entry.writer, entry.seq) for entry in batch.entries]


def heads(ledger):
    with ledger.read() as connection:
        return read_heads(connection)


def resumed(ledger, cursor):
    with ledger.read() as connection:
        return resume(connection, ledger.id, cursor_text(ledger.id, cursor))


@given(CURSORS, st.uuids())
def test_the_text_of_a_cursor_is_safe_and_reads_back(cursor, ledger):
    shown = cursor_text(ledger.hex, cursor)
    assert re.fullmatch(r"1\.[A-Za-z0-9_-]+", shown)
    marks = parse_cursor(shown)
    assert marks.epoch == cursor.epoch
    assert sorted(marks.seqs.values()) == sorted(cursor.seqs.values())
    assert cursor_text(ledger.hex, Cursor(cursor.epoch, {**cursor.seqs, "idle": 0})) == shown


@given(CURSORS, st.data())
def test_a_cursor_that_was_cut_or_altered_is_refused(cursor, data):
    shown = cursor_text("a" * 32, cursor)
    place = data.draw(st.integers(0, len(shown) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda found: found != shown[place]))
    for wrong in (shown[:place], shown[:place] + other + shown[place + 1 :], shown + other):
        with pytest.raises(BadCursor, match=r"^cursor: "):
            parse_cursor(wrong)


@given(st.text() | st.from_regex(r"1\.[A-Za-z0-9_-]{0,40}", fullmatch=True))
def test_any_other_text_is_refused_by_name(shown):
    with pytest.raises(BadCursor, match=r"^cursor: (expected|was cut or altered)"):
        parse_cursor(shown)


def test_a_cursor_of_600_writers_fits_and_longer_ones_are_refused():
    seqs = {f"station {number}": 1_000_000 + number for number in range(600)}
    assert len(cursor_text("a" * 32, Cursor(1, seqs))) <= LONGEST
    with pytest.raises(BadCursor, match=r"1200 writers need \d+ characters, and a cursor has at most 8000"):
        cursor_text("a" * 32, Cursor(1, {f"station {number}": 10**6 for number in range(1200)}))
    with pytest.raises(BadCursor, match="at most 8000"):
        parse_cursor("1." + "A" * LONGEST)


def test_entries_of_all_writers_are_read_and_new_writers_appear(ledger):
    start = heads(ledger)
    assert start == Cursor(1, {})
    note(ledger, "a", 2)
    batch = after(ledger, start)
    assert places(batch) == [("a", 1), ("a", 2)]
    assert not batch.more
    note(ledger, "b")
    note(ledger, "a")
    batch = after(ledger, batch.cursor)
    assert places(batch) == [("b", 1), ("a", 3)]
    assert batch.cursor == heads(ledger) == Cursor(1, {"a": 3, "b": 1})
    assert batch.cursor.reaches(start)
    assert not start.reaches(batch.cursor)
    assert start.behind(batch.cursor) == 4


def test_a_limit_gives_every_writer_a_share(ledger):
    for writer, count in (("a", 50), ("b", 1), ("c", 10)):
        note(ledger, writer, count)
    batch = after(ledger, Cursor(), limit=12)
    assert batch.cursor.seqs == {"b": 1, "c": 5, "a": 6}
    assert batch.more
    seen = set()
    cursor = Cursor()
    for _ in range(6):
        batch = after(ledger, cursor, limit=1)
        seen.add(batch.entries[0].writer)
        cursor = batch.cursor
    assert seen == {"a", "b", "c"}


def test_nothing_is_read_after_a_given_end(ledger):
    note(ledger, "a", 5)
    note(ledger, "b", 5)
    batch = after(ledger, Cursor(1, {"a": 1}), until=Cursor(1, {"a": 3}))
    assert places(batch) == [("a", 2), ("a", 3)]


def test_large_entries_are_read_a_few_at_a_time(ledger, monkeypatch):
    monkeypatch.setattr(tail, "MOST_BYTES", 10_000)
    for name in ("a", "b"):
        with open_writer(ledger, name) as writer:
            for size in (100, 3000, 30_000, 100, 100):
                writer.append([Event(name="note", details={"text": "x" * size})])
    cursor, sizes, got = Cursor(), [], []
    while (batch := after(ledger, cursor)).entries:
        sizes.append(sum(len(entry.body) for entry in batch.entries))
        assert sizes[-1] <= 10_000 or len(batch.entries) == 1
        got += places(batch)
        cursor = batch.cursor
        assert batch.more == (cursor != heads(ledger))
    assert sorted(got) == [(name, seq) for name in ("a", "b") for seq in range(1, 6)]
    assert [place for place in got if place[0] == "b"] == [("b", seq) for seq in range(1, 6)]
    assert max(sizes) > 30_000


def test_many_writers_are_read_at_once(ledger):
    for number in range(120):
        note(ledger, f"station {number}", 2)
    batch = after(ledger, Cursor(), limit=1000)
    assert len(batch.entries) == 240
    assert batch.cursor == heads(ledger)
    assert [entry.id for entry in batch.entries] == sorted(entry.id for entry in batch.entries)


def test_a_lower_number_of_the_database_that_is_committed_later_is_not_missed(ledger, reopen):
    """PostgreSQL gives the first writer lower row numbers, and commits the second writer first."""
    if ledger.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one write transaction at a time")
    other = reopen(ledger)
    with open_writer(ledger, "slow") as slow, open_writer(other, "quick") as quick:
        with ledger.write() as connection:
            early = slow.append_within(connection, judged(0, 2, station="slow"))
            quick.append(judged(2, 4, station="quick"))
            first = after(other, Cursor())
            assert [writer for writer, _ in places(first)] == ["quick"] * 4
        second = after(other, first.cursor)
    assert places(second) == [("slow", link.seq) for link in early]
    assert max(entry.id for entry in second.entries) < min(entry.id for entry in first.entries)


def test_a_reader_resumes_from_the_text_of_its_cursor(ledger):
    note(ledger, "a", 3)
    found = resumed(ledger, Cursor(1, {"a": 2}))
    assert found.cursor == Cursor(1, {"a": 2})
    assert found.lost == ()


def test_a_cursor_past_the_end_is_refused(ledger):
    note(ledger, "a", 3)
    for call in (resumed, after):
        with pytest.raises(
            BadCursor, match="a ends with entry 3, the cursor is after entry 4; it is of another"
        ):
            call(ledger, Cursor(1, {"a": 4}))
    with pytest.raises(BadCursor, match=r"unknown writer [0-9a-f]{10} ends with entry 0, the cursor"):
        resumed(ledger, Cursor(1, {"b": 1}))
    with pytest.raises(BadCursor, match="is of epoch 2, the ledger of 1: it is of another copy"):
        resumed(ledger, Cursor(2, {"a": 1}))


def test_a_cursor_of_another_ledger_is_refused(ledger):
    note(ledger, "a")
    with ledger.read() as connection, pytest.raises(BadCursor, match="is of another ledger"):
        resume(connection, ledger.id, cursor_text("f" * 32, Cursor(1, {"a": 1})))


def test_a_missing_entry_is_told(ledger):
    note(ledger, "a", 3)
    with ledger.write() as connection:
        connection.execute(update(schema.writers).values(seq=5))
    with pytest.raises(LedgerAltered, match="entry 4 of a is missing; run `steelsight ledger verify`"):
        after(ledger, Cursor())
    assert places(after(ledger, Cursor(), limit=3)) == [("a", 1), ("a", 2), ("a", 3)]
    with ledger.write() as connection:
        for name in ("entries_no_delete",):
            on = " ON entries" if connection.dialect.name == "postgresql" else ""
            connection.execute(text(f"DROP TRIGGER {name}{on}"))
        connection.execute(text("DELETE FROM entries WHERE seq = 2"))
    with pytest.raises(LedgerAltered, match="entry 2 of a is missing"):
        after(ledger, Cursor(), limit=3)


def test_after_a_restore_a_reader_learns_what_was_lost(ledger, tmp_path):
    note(ledger, "a", 3)
    note(ledger, "b", 1)
    note(ledger, "quiet", 2)
    back_up(ledger, tmp_path / "backup")
    note(ledger, "a", 4)
    note(ledger, "new", 2)
    seen = heads(ledger)
    restored, _ = restore(tmp_path / "backup", str(tmp_path / "restored.db"))
    try:
        with pytest.raises(BadCursor, match="is of epoch 1, the ledger of 2: it was restored; resume"):
            after(restored, seen)
        found = resumed(restored, seen)
        assert found.cursor == Cursor(2, {"a": 3, "b": 1, "quiet": 2})
        unknown = found.lost[1 - found.lost.index(Lost("a", 3, 7))]
        assert (unknown.kept, unknown.seen) == (0, 2)
        assert unknown.writer.startswith("unknown writer ")
        note(restored, "a", 6)
        again = resumed(restored, seen)
        assert again.cursor.seq("a") == 3
        assert set(again.lost) == set(found.lost)
        assert ("a", 4) in places(after(restored, again.cursor))
        assert resumed(restored, Cursor(1, {"a": 2})).lost == ()
        back_up(restored, tmp_path / "second")
    finally:
        restored.close()
    third, _ = restore(tmp_path / "second", str(tmp_path / "third.db"))
    try:
        assert resumed(third, seen).cursor.seq("a") == 3
        assert resumed(third, Cursor(2, {"a": 9})).lost == ()
    finally:
        third.close()


WRITERS = ("a", "b", "c", "d")
STEPS = st.lists(
    st.tuples(st.just("write"), st.sampled_from(WRITERS), st.integers(1, 5))
    | st.tuples(st.just("read"), st.integers(0, 2), st.integers(1, 7))
    | st.tuples(st.just("reconnect"), st.integers(0, 2), st.just(0)),
    max_size=25,
)


@given(STEPS)
def test_any_order_of_writes_and_reads_gives_every_entry_once_and_in_order(database_of_examples, steps):
    ledger = database_of_examples
    begin = heads(ledger)
    wrote = {name: begin.seq(name) for name in WRITERS}
    cursors, got = [begin] * 3, [[], [], []]

    def read(reader, limit):
        batch = after(ledger, cursors[reader], limit=limit)
        assert len(batch.entries) <= limit
        got[reader] += places(batch)
        cursors[reader] = batch.cursor
        return batch.more

    for action, who, number in steps:
        if action == "write":
            note(ledger, who, number)
            wrote[who] += number
        elif action == "read":
            read(who, number)
        else:
            cursors[who] = resumed(ledger, cursors[who]).cursor
    for reader in range(3):
        while read(reader, 3):
            pass
        for name in WRITERS:
            own = [seq for writer, seq in got[reader] if writer == name]
            assert own == list(range(begin.seq(name) + 1, wrote[name] + 1))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_of_examples(request, tmp_path_factory):
    """One ledger for all examples: a new one for each would take most of the time."""
    if request.param == "sqlite":
        opened = create_ledger(str(tmp_path_factory.mktemp("tail") / "ledger.db"))
    else:
        opened = create_ledger(request.getfixturevalue("cluster").create("test_tail_examples"))
    yield opened
    opened.close()
