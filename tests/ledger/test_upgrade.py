"""Ledgers and backups of every earlier schema are brought to this version's, on both databases."""

import gzip
import hashlib
import json
from importlib.resources import files

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select
from tests.ledger.conftest import judged

from steelsight.errors import BadInput, BadLedger
from steelsight.ledger.chain.entries import Answer, Event, Review
from steelsight.ledger.database import migrate, schema
from steelsight.ledger.database.connect import connect, writing
from steelsight.ledger.database.open import Ledger, identify, open_ledger, opened
from steelsight.ledger.keeping.backup import back_up, restore
from steelsight.ledger.keeping.people import add_person, commit_text, read_text
from steelsight.ledger.proof.anchors import make_anchor
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.writing.projection import rebuild
from steelsight.ledger.writing.writer import open_writer

SCRIPT = ScriptDirectory.from_config(migrate._config())
EARLIER = sorted(each.revision for each in SCRIPT.walk_revisions() if each.revision != migrate.HEAD)
# A schema that was released never changes: ledgers have it. SHA-256 of its file.
RELEASED = {
    "0001_first.py": "afc8a21485e8284444aa0b7ad425fc1f474ab1908d99a84e3767bb9b630a13dc",
    "0002_access.py": "5bf4ed8e0eb216b07e312810c5f9401633e33c54f7d68fe6bec62b030cd7c4c7",
    "0003_idempotency.py": "ed425e81975731678115c45e341b53a0b3ae126eec609f8a3e4c0f1ca2137447",
    "0004_outbox.py": "0aad4d5d5b39b474dd26209006aa049cc2fadc7b1e037fec90223423277511d0",  # 0.2.0
}


def create_earlier(address: str, revision: str) -> Ledger:
    """A ledger as an earlier version made it."""
    engine = connect(address, create=True)
    with writing(engine) as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        identify(connection, "a" * 32, epoch=1)
    return Ledger(engine, "a" * 32)


def fill(ledger: Ledger) -> str:
    """Write entries of every kind, a person and a text; returns the commitment."""
    with open_writer(ledger, "line-1") as writer, ledger.write() as connection:
        entries = judged(0, 5)
        person = add_person(connection, "Anna", "anna@plant.example")
        comment = commit_text(connection, person.id, "oil")
        writer.append_within(connection, entries)
        review = Review(sheet=entries[0].sheet, person=person.id, answer=Answer.UNSURE, comment=comment)
        writer.append_within(connection, [review, Event(name="export")])
    return comment


def rows(ledger: Ledger) -> dict:
    tables = (schema.entries, *schema.READ_MODELS, schema.people, schema.texts, schema.ledger, schema.writers)
    with ledger.read() as connection:
        there = set(inspect(connection).get_table_names())
        return {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=str)
            for table in tables
            if table.name in there
        }


def new_ones_are_empty(found: dict, before: dict) -> bool:
    return not any(found[name] for name in set(found) - set(before))


@pytest.mark.parametrize("revision", EARLIER)
def test_a_ledger_of_an_earlier_schema_is_upgraded(address, revision):
    earlier = create_earlier(address, revision)
    comment = fill(earlier)
    before, anchor = rows(earlier), make_anchor(earlier)
    earlier.close()
    with pytest.raises(BadLedger, match=f"has schema {revision}, this version reads {migrate.HEAD}"):
        open_ledger(address)
    engine = connect(address)
    migrate.upgrade(engine)
    migrate.upgrade(engine)  # a second time changes nothing
    engine.dispose()
    ledger = open_ledger(address)
    try:
        assert rows(ledger).items() >= before.items()
        assert new_ones_are_empty(rows(ledger), before)
        assert verify(ledger, [anchor]).clean
        rebuild(ledger)
        assert rows(ledger).items() >= before.items()
        assert new_ones_are_empty(rows(ledger), before)
        with ledger.read() as connection:
            assert read_text(connection, comment) == "oil"
            assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        with open_writer(ledger, "line-1") as writer:
            writer.append(judged(5, 6))
        assert verify(ledger, [anchor]).clean
    finally:
        ledger.close()


@pytest.mark.parametrize("revision", EARLIER)
def test_an_upgraded_ledger_has_the_tables_of_a_new_one(address, revision):
    earlier = create_earlier(address, revision)
    migrate.upgrade(earlier.engine)
    tables = set(inspect(earlier.engine).get_table_names())
    earlier.close()
    assert tables == {*schema.metadata.tables, "alembic_version"}


@pytest.mark.parametrize("revision", EARLIER)
def test_a_backup_is_made_before_an_upgrade(address, tmp_path, revision):
    """The message that asks for an upgrade asks for a backup first: this version makes one."""
    earlier = create_earlier(address, revision)
    comment = fill(earlier)
    anchor = make_anchor(earlier)
    earlier.close()
    with opened(address, earlier=True) as found:
        back_up(found, tmp_path / "backup.gz")
    restored, result = restore(tmp_path / "backup.gz", str(tmp_path / "restored.db"), [anchor])
    check_restored(restored, result, comment)


def check_restored(restored, found, comment):
    try:
        assert found.clean
        with restored.read() as connection:
            assert read_text(connection, comment) == "oil"
    finally:
        restored.close()


def of_schema(path, revision, leave_out=("accounts",)):
    """A backup as an earlier version wrote it: its header, and none of the tables it did not have."""
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()][:-1]
    lines[0][1]["schema"] = revision
    kept = [json.dumps(line).encode() + b"\n" for line in lines if line[0] not in leave_out]
    entries = sum(line[0] == "entry" for line in lines)
    end = {"entries": entries, "sha256": hashlib.sha256(b"".join(kept)).hexdigest()}
    path.write_bytes(gzip.compress(b"".join(kept) + json.dumps(["end", end]).encode() + b"\n"))
    return path


@pytest.mark.parametrize("revision", EARLIER)
def test_a_backup_of_an_earlier_schema_is_restored(ledger, revision, tmp_path):
    comment = fill(ledger)
    back_up(ledger, tmp_path / "backup")
    restored, found = restore(of_schema(tmp_path / "backup", revision), str(tmp_path / "restored.db"))
    check_restored(restored, found, comment)


def test_a_backup_of_a_later_schema_is_refused(sqlite_ledger, tmp_path):
    back_up(sqlite_ledger, tmp_path / "backup")
    later = of_schema(tmp_path / "backup", "9999")
    with pytest.raises(BadInput, match=r"is of schema '9999', this version restores those up to"):
        restore(later, str(tmp_path / "restored.db"))
    assert not (tmp_path / "restored.db").exists()


def test_a_released_schema_never_changes():
    folder = files("steelsight.ledger.database.migrations") / "versions"
    found = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in RELEASED}
    assert found == RELEASED
