"""Rows by COPY are those of an ordinary insert, for every value that a column can hold."""

from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Boolean, Column, Double, LargeBinary, MetaData, Table, Text, insert, select
from sqlalchemy.exc import IntegrityError, ProgrammingError

from steelsight.errors import BadEntry, BadLedger
from steelsight.ledger.database import schema
from steelsight.ledger.database.bulk import insert_rows
from steelsight.ledger.database.open import create_ledger

_numbers = count()
VALUES = Table(
    "values_of_every_kind",
    MetaData(),
    Column("number", BigInteger, primary_key=True),
    Column("text", Text),
    Column("share", Double),
    Column("flag", Boolean),
    Column("raw", LargeBinary),
)
NASTY = (
    *("", "\\", "\\N", "\\.", "\\\\N", "\t", "\n", "\r", "\r\n", "\\t", "a\\", "\\x00", "N", " ", "NULL"),
    *("'", '"', "''", ",", "$1", ":text", "%s", "%", "{}", "\x01\x08\x0b\x0c\x7f\x1b", "\u2028\u2029\ufeff"),
    *("钢 😀 é", "e\u0301", "\uffff", "\U0010ffff", "\ud7ff\ue000", "x" * 100_000, "\\" * 1001),
)
TEXTS = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.text(st.sampled_from("\\Nntrb.\t\n\r x0")),
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.none() | TEXTS,
            "share": st.none() | st.floats(),
            "flag": st.none() | st.booleans(),
            "raw": st.none() | st.binary(),
        }
    ),
    min_size=1,
    max_size=20,
)


@pytest.fixture
def table(ledger):
    with ledger.write() as connection:
        VALUES.create(connection)
    return VALUES


def stored(connection, rows, put):
    """The rows as the database has them after `put`, as text so that NaN equals itself."""
    with connection.begin_nested() as undone:
        put(connection, VALUES, rows)
        found = connection.execute(select(VALUES).order_by(VALUES.c.number)).all()
        undone.rollback()
    return [repr((*row[:4], None if row.raw is None else bytes(row.raw))) for row in found]


def one_by_one(connection, table, rows):
    for row in rows:
        connection.execute(insert(table).values(row))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(rows=ROWS)
def test_rows_are_those_of_an_ordinary_insert(ledger, table, rows):
    numbered = [{"number": number, **row} for number, row in enumerate(rows)]
    if ledger.engine.dialect.name == "sqlite":  # SQLite stores NaN as NULL
        numbered = [
            {**row, "share": None if row["share"] != row["share"] else row["share"]} for row in numbered
        ]
    with ledger.write() as connection:
        expected = stored(connection, numbered, one_by_one)
        assert stored(connection, numbered, insert_rows) == expected
    assert len(expected) == len(rows)


def test_nasty_texts_come_back_unchanged(ledger, table):
    rows = [{"number": number, "text": text} for number, text in enumerate(NASTY)]
    with ledger.write() as connection:
        insert_rows(connection, table, rows)
    with ledger.read() as connection:
        query = select(table.c.text).order_by(table.c.number)
        assert tuple(connection.execute(query).scalars()) == NASTY


@pytest.fixture
def postgres(cluster):
    """A ledger in PostgreSQL, which takes rows by COPY, with the table of values in it."""
    made = create_ledger(cluster.create(f"copied{next(_numbers)}"))
    with made.write() as connection:
        VALUES.create(connection)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({"number": 1, "text": "a\0b"}, BadEntry),
        ({"number": 1, "text": "\ud800"}, UnicodeEncodeError),
        ({"number": 1, "text": {"a": 1}}, TypeError),
    ],
)
def test_a_value_that_postgresql_cannot_hold_is_refused(postgres, row, error):
    with postgres.write() as connection:
        with pytest.raises(error):
            insert_rows(connection, VALUES, [row])
        insert_rows(connection, VALUES, [{"number": 2, "text": "after it"}])


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({"number": 1, "text": "again"}, IntegrityError),
        ({"number": None, "text": "none"}, ProgrammingError),
        ({"number": "one", "text": "no number"}, ProgrammingError),
        ({"number": 2**63, "text": "large"}, ProgrammingError),
        ({"number": 2, "raw": "no bytes \\"}, ProgrammingError),
    ],
)
def test_what_the_table_refuses_is_refused_and_undone(postgres, row, error):
    with postgres.write() as connection:
        insert_rows(connection, VALUES, [{"number": 1, "text": "first"}])
        with pytest.raises(error), connection.begin_nested():
            insert_rows(connection, VALUES, [row])
        assert connection.execute(select(VALUES.c.text)).scalars().all() == ["first"]


def test_guards_of_entries_hold_for_copied_rows(postgres):
    row = {"writer": "a", "seq": 1, "epoch": 1, "kind": "event", "body": b"{}", "digest": b"0"}
    with pytest.raises(BadLedger, match="duplicate key"), postgres.write() as connection:
        insert_rows(connection, schema.entries, [row, row])
    with postgres.read() as connection:
        assert connection.execute(select(schema.entries)).all() == []


def test_a_connection_that_broke_in_a_copy_is_replaced(postgres):
    """The database ends the connection; the next transaction gets another one."""

    def insert_without_connection():
        with postgres.write() as connection, postgres.engine.connect() as other:
            mine = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            other.exec_driver_sql(f"SELECT pg_terminate_backend({mine})")
            for number in range(100):
                insert_rows(connection, VALUES, [{"number": number, "text": "x" * 100_000}])

    with pytest.raises(BadLedger, match="the database refused"):
        insert_without_connection()
    with postgres.write() as connection:
        insert_rows(connection, VALUES, [{"number": 1, "text": "after it"}])
