"""Wrong types, other guards and other epochs, which no writer makes: `verify` finds each."""

import pytest
from sqlalchemy import insert, text
from tests.ledger.conftest import judged
from tests.ledger.test_verify import Unguarded

from steelsight.errors import BadInput, BadLedger, LedgerAltered
from steelsight.ledger.chain.canonical import first_hash, link_entry
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.chain.event_names import PRUNED, REVIEW_WITHDRAWN
from steelsight.ledger.database import schema
from steelsight.ledger.database.open import create_ledger, open_ledger
from steelsight.ledger.keeping.backup import back_up
from steelsight.ledger.proof.anchors import make_anchor, read_anchor
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.writing.writer import open_writer


def fill(ledger):
    with open_writer(ledger, "line-1") as writer:
        writer.append(judged(0, 3))
        writer.append([Event(name=PRUNED, details={"days": 1, "images": ["a" * 64, "b" * 64]})])
    return ledger


@pytest.fixture
def filled(ledger):
    return fill(ledger)


@pytest.fixture
def filled_sqlite(sqlite_ledger):
    return fill(sqlite_ledger)


def kinds(ledger, anchors=()):
    return {finding.kind for finding in verify(ledger, anchors).findings}


VALUES = ["'text'", "x'ff00'", "4.5", "9e99", "1000000000000", "CAST(x'ff' AS TEXT)", "-1", "0"]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("column", ["writer", "seq", "epoch", "kind", "body", "digest"])
def test_a_value_of_another_type_is_a_finding(filled_sqlite, column, value):
    with Unguarded(filled_sqlite) as connection:
        connection.execute(text(f"UPDATE entries SET {column} = {value} WHERE seq = 4"))
    assert {"altered", "dropped"} & kinds(filled_sqlite)


def test_a_null_where_the_constraint_was_removed_is_a_finding(filled_sqlite):
    with Unguarded(filled_sqlite) as connection:
        change_definition(connection, " NOT NULL", "")
    with Unguarded(filled_sqlite) as connection:
        connection.execute(text("UPDATE entries SET writer = NULL, body = NULL WHERE seq = 4"))
    assert {"guard", "altered", "dropped"} <= kinds(filled_sqlite)


@pytest.mark.parametrize("number", [-5, 0, 2, 99])
def test_a_row_that_was_moved_in_the_order_of_the_table_is_a_finding(filled, number):
    """Backup and rebuild read entries in this order."""
    with Unguarded(filled) as connection:
        connection.execute(text("UPDATE entries SET id = 50 WHERE seq = 2"))
        connection.execute(text(f"UPDATE entries SET id = {number} WHERE seq = 3"))
    assert ("altered", 3) in {(each.kind, each.seq) for each in verify(filled).findings} or number == 99
    assert "altered" in kinds(filled)


def change_definition(connection, old, new):
    """What SQLite's own tools for repairs allow."""
    statement = f"UPDATE sqlite_master SET sql = replace(sql, '{old}', '{new}') WHERE name = 'entries'"
    connection.execute(text("PRAGMA writable_schema = ON"))
    connection.execute(text(statement))
    connection.execute(text("PRAGMA writable_schema = RESET"))


@pytest.mark.parametrize("value", ["'text'", "x'ff00'", "4.5", "CAST(x'ff' AS TEXT)", "-1"])
@pytest.mark.parametrize("column", ["name", "seq", "digest"])
def test_a_head_of_another_type_is_a_finding(filled_sqlite, column, value):
    with filled_sqlite.write() as connection:
        connection.execute(text(f"UPDATE writers SET {column} = {value} WHERE name = 'line-1'"))
    assert not verify(filled_sqlite).clean


@pytest.mark.parametrize(
    "table", [table.name for table in schema.READ_MODELS if table.name not in ("reviews", "review_marks")]
)
@pytest.mark.parametrize("value", ["'text'", "x'ff00'", "4.5", "CAST(x'ff' AS TEXT)"])
def test_a_read_model_with_values_of_another_type_is_a_finding(filled_sqlite, table, value):
    numbers = {"sheets": "repeated", "draws": "value", "pruned_images": "pruned_us"}
    with filled_sqlite.write() as connection:
        if table == "draws":
            connection.execute(text(f"INSERT INTO draws VALUES ('x', 'line-1', 1, 'other', 1, {value})"))
        elif table in ("recommendations", "second_reviews"):
            more = ", 'hold', 'a rule', 'a policy', NULL" if table == "recommendations" else ""
            connection.execute(text(f"INSERT INTO {table} VALUES ('line-1', {value}, 'x'{more})"))
        elif table == "withdrawals":
            connection.execute(text(f"INSERT INTO withdrawals VALUES ('x', 1, 'line-1', 1, {value})"))
        else:
            connection.execute(text(f"UPDATE {table} SET {numbers.get(table, 'entered_us')} = {value}"))
    assert kinds(filled_sqlite) == {"read_model"}


@pytest.mark.parametrize("seq", [-(2**63), -1, 0, 2**62, 2**63 - 1])
def test_an_entry_with_an_impossible_number_is_a_finding(filled, seq):
    with filled.write() as connection:
        row = {
            "writer": "line-1",
            "seq": seq,
            "epoch": 1,
            "kind": "none",
            "body": b"{}",
            "digest": b"\0" * 32,
        }
        connection.execute(insert(schema.entries).values(row))
    found = verify(filled)
    assert seq in {finding.seq for finding in found.findings}
    assert found.entries == 8


def test_an_entry_of_a_writer_that_is_not_utf8_is_a_finding(filled_sqlite):
    with filled_sqlite.write() as connection:
        connection.execute(
            text(
                "INSERT INTO entries (writer, seq, epoch, kind, body, digest) "
                "VALUES (CAST(x'6cff' AS TEXT), 1, 1, 'event', x'00', x'00')"
            )
        )
    messages = [finding.message for finding in verify(filled_sqlite).findings]
    assert any(r"l\xff: its name is not UTF-8" in message for message in messages)


def replaced_guards(kind):
    if kind == "sqlite":
        yield "CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries BEGIN SELECT 1; END"
        yield "CREATE TRIGGER entries_no_update BEFORE UPDATE OF kind ON entries BEGIN SELECT 1; END"
        yield "CREATE TRIGGER entries_no_update BEFORE UPDATE ON writers BEGIN SELECT 1; END"
        return
    for event in ("BEFORE UPDATE OF kind", "AFTER UPDATE", "BEFORE UPDATE"):
        when = " WHEN (false)" * (event == "BEFORE UPDATE")
        yield (
            f"CREATE TRIGGER entries_no_update {event} ON entries FOR EACH ROW{when} "
            "EXECUTE FUNCTION entries_refuse()"
        )


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_guard_with_another_content_is_a_finding(filled, number):
    kind = filled.engine.dialect.name
    statement = list(replaced_guards(kind))[number]
    with filled.write() as connection:
        connection.execute(text("DROP TRIGGER entries_no_update" + (" ON entries" * (kind == "postgresql"))))
        connection.execute(text(statement))
    assert "has another content" in verify(filled).findings[0].message


def test_a_function_of_the_guards_that_refuses_nothing_is_a_finding(ledger):
    if ledger.engine.dialect.name == "sqlite":
        pytest.skip("SQLite's triggers have no function")
    with ledger.write() as connection:
        connection.execute(
            text(
                "CREATE OR REPLACE FUNCTION entries_refuse() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RETURN NEW; END $$"
            )
        )
    assert len(verify(ledger).findings) == 3


def test_a_trigger_that_was_added_is_a_finding(ledger):
    if ledger.engine.dialect.name == "sqlite":
        statement = "CREATE TRIGGER more BEFORE INSERT ON entries BEGIN SELECT RAISE(IGNORE); END"
    else:
        statement = (
            "CREATE TRIGGER more BEFORE INSERT ON verdicts FOR EACH ROW EXECUTE FUNCTION entries_refuse()"
        )
    with ledger.write() as connection:
        connection.execute(text(statement))
    assert [finding.message for finding in verify(ledger).findings] == [
        "the trigger more was added; this version makes none of this name"
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE RULE more AS ON INSERT TO entries DO INSTEAD NOTHING",
        "ALTER TABLE entries ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE entries DROP CONSTRAINT one_entry_a_number",
        "ALTER TABLE entries RENAME TO hidden; CREATE VIEW entries AS SELECT * FROM hidden WHERE seq < 7",
    ],
)
def test_what_changes_the_tables_of_postgresql_is_a_finding(filled, statement):
    if filled.engine.dialect.name == "sqlite":
        pytest.skip("statements of PostgreSQL")
    with filled.write() as connection:
        for each in statement.split(";"):
            connection.execute(text(each))
    assert "guard" in kinds(filled)


def test_tables_of_sqlite_with_other_constraints_are_a_finding(filled_sqlite):
    with filled_sqlite.write() as connection:
        change_definition(connection, "seq BIGINT NOT NULL", "seq BIGINT")
    assert "the table entries has other columns or constraints" in str(verify(filled_sqlite).findings)


def test_a_view_in_place_of_a_table_is_a_finding(filled_sqlite):
    with filled_sqlite.write() as connection:
        connection.execute(text("ALTER TABLE entries RENAME TO hidden"))
        connection.execute(text("CREATE VIEW entries AS SELECT * FROM hidden WHERE seq < 7"))
    assert {"guard", "truncated"} <= kinds(filled_sqlite)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE pruned_images SET pruned_us = 5",
        "DELETE FROM pruned_images WHERE image_hash LIKE 'b%'",
        "DELETE FROM pruned_images",
        "INSERT INTO pruned_images VALUES ('line-1', 7, 'cc', 5)",
        "INSERT INTO pruned_images VALUES ('line-1', 99, 'cc', 5)",
        "INSERT INTO pruned_images VALUES ('nobody', 1, 'cc', 5)",
    ],
)
def test_an_altered_list_of_removed_images_is_a_finding(filled, statement):
    assert verify(filled).clean
    with filled.write() as connection:
        connection.execute(text(statement))
    assert kinds(filled) == {"read_model"}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE withdrawals SET entered_us = 5",
        "UPDATE withdrawals SET review_seq = 5",
        "DELETE FROM withdrawals",
        "INSERT INTO withdrawals VALUES ('line-1', 4, 'line-1', 8, 5)",
        "INSERT INTO withdrawals VALUES ('line-1', 4, 'line-1', 99, 5)",
        "INSERT INTO withdrawals VALUES ('line-1', 4, 'nobody', 1, 5)",
    ],
)
def test_an_altered_list_of_withdrawn_reviews_is_a_finding(filled, statement):
    with open_writer(filled, "line-1") as writer:
        withdrawn = Event(name=REVIEW_WITHDRAWN, details={"writer": "console", "seq": 4})
        assert writer.append([withdrawn])[0].seq == 8
    assert verify(filled).clean
    with filled.write() as connection:
        connection.execute(text(statement))
    assert kinds(filled) == {"read_model"}


@pytest.mark.parametrize("details", [{}, {"writer": 3, "seq": 4}, {"writer": "console", "seq": True}])
def test_a_withdrawal_of_no_review_is_refused(ledger, details):
    with pytest.raises(BadInput, match="writer and seq"), open_writer(ledger, "w") as writer:
        writer.append([Event(name=REVIEW_WITHDRAWN, details=details)])


@pytest.mark.parametrize("details", [{}, {"images": 5}, {"images": [5]}, {"images": ["a", "a"]}])
def test_an_event_of_retention_without_images_is_refused(ledger, details):
    with pytest.raises(BadInput, match="a list of different hashes"), open_writer(ledger, "w") as writer:
        writer.append([Event(name=PRUNED, details=details)])
    event = Event(name=PRUNED, details=details)
    link = link_entry(event, writer="w", seq=1, epoch=1, time_us=0, previous=first_hash(ledger.id, "w"))
    with ledger.write() as connection:  # behind the writer's back
        row = {"writer": "w", "seq": 1, "epoch": 1, "kind": "event", "body": link.body, "digest": link.digest}
        connection.execute(insert(schema.entries).values(row))
    assert ("read_model", "w", 1) in {(each.kind, each.writer, each.seq) for each in verify(ledger).findings}


def test_an_epoch_that_no_restore_began_is_a_finding(filled):
    anchor = make_anchor(filled)
    with filled.write() as connection:
        connection.execute(text("UPDATE ledger SET epoch = 7"))
    assert kinds(filled) == {"epoch"}
    with open_writer(filled, "line-1") as writer:
        writer.append(judged(5, 6))
    later = make_anchor(filled)
    with filled.write() as connection:
        connection.execute(text("UPDATE ledger SET epoch = 1"))
    messages = [finding.message for finding in verify(filled, [anchor]).findings]
    assert any("entry 8 of line-1 is of epoch 7, and no restore began" in message for message in messages)
    assert any("it was set back" in message for message in messages)
    assert "epoch" in kinds(filled, [later])


def test_every_anchor_of_one_number_is_checked(filled):
    from dataclasses import replace

    anchor = make_anchor(filled)
    forged = replace(anchor, heads=tuple(replace(head, digest="0" * 64) for head in anchor.heads))
    assert kinds(filled, [anchor, forged]) == {"unanchored"}
    assert kinds(filled, [forged, anchor]) == {"unanchored"}


@pytest.mark.parametrize("seq", ["1e999", "NaN", "-1e999", str(2**70), "1" * 5000])
def test_an_anchor_with_an_impossible_number_is_refused(tmp_path, seq):
    path = tmp_path / "anchor.json"
    head = f'{{"writer": "w", "seq": {seq}, "digest": "00"}}'
    path.write_text(f'{{"ledger": "x", "epoch": 1, "time": "t", "heads": [{head}]}}')
    with pytest.raises(BadInput, match="expected an anchor"):
        read_anchor(path)


def test_an_anchor_with_text_that_is_not_unicode_is_refused(tmp_path):
    path = tmp_path / "anchor.json"
    path.write_text('{"ledger": "\\ud800", "epoch": 1, "time": "t", "heads": []}')
    with pytest.raises(BadInput, match="expected an anchor"):
        read_anchor(path)


def test_a_backup_of_bytes_that_are_no_text_is_refused(filled_sqlite, tmp_path):
    with Unguarded(filled_sqlite) as connection:
        connection.execute(text("UPDATE entries SET body = x'ff' WHERE seq = 2"))
    with pytest.raises(LedgerAltered, match="row 2 of entries: was altered"):
        back_up(filled_sqlite, tmp_path / "ledger.backup")


def test_a_restore_that_was_broken_off_is_not_opened(address):
    create_ledger(address, restored_id="0" * 32).close()
    with pytest.raises(BadLedger, match="a restore into it was not finished"):
        open_ledger(address)
    with pytest.raises(BadLedger, match="a restore into it was not finished"):
        create_ledger(address)
