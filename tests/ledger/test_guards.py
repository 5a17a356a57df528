"""Nobody changes an entry through the database: UPDATE, DELETE, REPLACE and TRUNCATE are refused."""

import sqlite3

import pytest
from sqlalchemy import func, select, text
from tests.ledger.conftest import judged

from steelsight.errors import BadLedger
from steelsight.ledger.database import schema
from steelsight.ledger.writing.writer import open_writer

REFUSED = "entries of the ledger cannot be changed"


@pytest.fixture
def filled(ledger):
    with open_writer(ledger, "line-1") as writer:
        writer.append(judged(0, 3))
    return ledger


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET kind = 'event' WHERE seq = 2",
        "UPDATE entries SET seq = 99 WHERE seq = 2",
        "DELETE FROM entries WHERE seq = 6",
        "DELETE FROM entries",
    ],
)
def test_a_change_is_refused(filled, statement):
    with pytest.raises(BadLedger, match=REFUSED), filled.write() as connection:
        connection.execute(text(statement))
    with filled.read() as connection:
        assert connection.execute(select(func.count()).select_from(schema.entries)).scalar_one() == 6


def test_truncate_is_refused(filled):
    if filled.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no TRUNCATE")
    for statement in ("TRUNCATE entries", "TRUNCATE entries CASCADE"):
        with pytest.raises(BadLedger, match=REFUSED), filled.write() as connection:
            connection.execute(text(statement))


@pytest.mark.parametrize("recursive", ["ON", "OFF"])
@pytest.mark.parametrize("column", ["id", "writer, seq"])
def test_replace_is_refused_in_every_connection(sqlite_ledger, recursive, column):
    """Another program may leave recursive_triggers off."""
    with open_writer(sqlite_ledger, "line-1") as writer:
        writer.append(judged(0, 1))
    other = sqlite3.connect(sqlite_ledger.engine.url.database)
    other.execute(f"PRAGMA recursive_triggers = {recursive}")
    values = "1, 'x', 1" if column == "id" else "99, 'line-1', 1"
    with pytest.raises(sqlite3.IntegrityError, match=REFUSED):
        other.execute(
            "INSERT OR REPLACE INTO entries (id, writer, seq, epoch, kind, body, digest) "
            f"VALUES ({values}, 1, 'event', x'00', x'00')"
        )
    other.close()


def test_an_upsert_is_refused(filled):
    statement = (
        "INSERT INTO entries (writer, seq, epoch, kind, body, digest) "
        "SELECT writer, seq, epoch, kind, body, digest FROM entries WHERE seq = 1 "
        "ON CONFLICT (writer, seq) DO UPDATE SET kind = 'event'"
    )
    if filled.engine.dialect.name == "sqlite":
        statement = statement.replace("WHERE seq = 1", "WHERE seq = 1 AND true")
    with pytest.raises(BadLedger, match=REFUSED), filled.write() as connection:
        connection.execute(text(statement))
