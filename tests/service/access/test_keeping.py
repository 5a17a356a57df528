"""Accounts in backups, and accounts of people who are erased."""

import gzip

import pytest
from sqlalchemy import select
from tests.service.access.conftest import SAME, client, event_names, token_of, user

from steelsight.ledger.database import accounts as tables
from steelsight.ledger.database import schema
from steelsight.ledger.keeping.backup import back_up, restore
from steelsight.ledger.keeping.people import erase_person
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.writing.projection import rebuild
from steelsight.ledger.writing.writer import open_writer
from steelsight.service.access.accounts import first_login, make_link, set_disabled
from steelsight.service.access.roles import Permission, Role

PASSWORD = "oil on the third stand"


def log_in(http, login="anna"):
    return http.post("/api/v1/login", json={"login": login, "password": PASSWORD}, headers=SAME)


def counts(ledger):
    found = (*tables.OF_PEOPLE, tables.tokens, tables.throttles)
    with ledger.read() as connection:
        return {table.name: len(connection.execute(select(table)).all()) for table in found}


def test_erasing_a_person_removes_the_account(parts):
    person = user(parts, "anna", Role.VIEWER, PASSWORD, address="anna@plant.example")
    user(parts, "ben", Role.VIEWER, PASSWORD)
    anna, ben = client(parts), client(parts)
    assert log_in(anna).status_code == log_in(ben, "ben").status_code == 200
    with parts.console.transaction() as (connection, writer):
        make_link(connection, writer, person, hours=1.0, by=None)
    before = counts(parts.ledger)
    assert {name: before[name] for name in ("accounts", "sessions", "links", "devices")} == {
        "accounts": 2,
        "sessions": 2,
        "links": 1,
        "devices": 2,
    }
    with open_writer(parts.ledger, "ledger") as writer:
        erase_person(parts.ledger, writer, person)
    after = counts(parts.ledger)
    assert [after[name] for name in ("accounts", "sessions", "links", "devices")] == [1, 1, 0, 1]
    assert anna.get("/api/v1/me").status_code == log_in(client(parts)).status_code == 401
    assert ben.get("/api/v1/me").status_code == 200
    assert verify(parts.ledger).clean


def test_what_was_erased_is_in_no_file(sqlite_ledger, make_parts, tmp_path):
    parts = make_parts(sqlite_ledger)
    login = "averylongloginnamethatnobodyelsehas"
    person = user(parts, login, Role.VIEWER, PASSWORD)
    assert log_in(client(parts), login).status_code == 200
    with parts.ledger.read() as connection:
        hashed = connection.execute(select(tables.accounts.c.password)).scalar_one()
    with open_writer(parts.ledger, "ledger") as writer:
        erase_person(parts.ledger, writer, person)
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert login.encode() not in content
    assert hashed.encode() not in content
    assert person.encode() in content  # entries keep the random id


def test_the_last_administrator_can_be_erased_and_a_new_one_gets_a_link(lite):
    person = user(lite, "anna", Role.ADMIN, PASSWORD)
    assert first_login(lite) is None
    with open_writer(lite.ledger, "ledger") as writer:
        erase_person(lite.ledger, writer, person)
    assert first_login(lite) is not None


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_accounts_are_in_a_backup_and_nothing_that_was_revoked(parts, make_parts, tmp_path, request, target):
    anna = user(parts, "anna", Role.ADMIN, PASSWORD)
    ben = user(parts, "ben", Role.VIEWER, PASSWORD)
    http = client(parts)
    assert log_in(http).status_code == 200
    _, secret = token_of(parts, Permission.READ)
    with parts.console.transaction() as (connection, writer):
        make_link(connection, writer, anna, hours=1.0, by=None)
        set_disabled(connection, writer, ben, True, by=None)
        hashed = connection.execute(select(tables.accounts.c.password)).scalars().all()
    back_up(parts.ledger, tmp_path / "backup")
    content = gzip.decompress((tmp_path / "backup").read_bytes()).decode()
    assert all(each in content for each in hashed)  # the documentation says so
    assert [name for name in ("sessions", "tokens", "links", "devices") if f'["{name}"' in content] == []
    if target == "sqlite":
        address = str(tmp_path / "restored.db")
    else:
        cluster = request.getfixturevalue("cluster")
        address = cluster.create(f"access_{parts.ledger.engine.dialect.name}")
    restored, found = restore(tmp_path / "backup", address)
    try:
        assert found.clean
        with parts.ledger.read() as one, restored.read() as other:
            for table in (tables.accounts, schema.people):
                assert one.execute(select(table)).all() == other.execute(select(table)).all()
        assert set(counts(restored).values()) == {0, 2}
        again = make_parts(restored)
        late = client(again, cookies=dict(http.cookies))
        assert late.get("/api/v1/me").status_code == 401
        assert client(again, headers={"authorization": f"Bearer {secret}"}).get("/read").status_code == 401
        assert log_in(client(again), "ben").status_code == 401  # stays disabled
        assert log_in(client(again)).status_code == 200
        rebuild(restored)
        assert verify(restored).clean
        again.console.close()
    finally:
        restored.close()


def test_a_ledger_and_its_backup_are_readable_by_their_owner_alone(lite, tmp_path):
    user(lite, "anna", Role.ADMIN, PASSWORD)
    back_up(lite.ledger, tmp_path / "backup")
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert {path.name for path in files} >= {"backup", "ledger.db", "ledger.db-wal"}
    assert [path.name for path in files if path.stat().st_mode & 0o077] == []


def test_an_altered_account_is_found(sqlite_ledger, make_parts):
    """A value of another type, as an error of a program leaves it; the chain does not cover accounts."""
    parts = make_parts(sqlite_ledger)
    user(parts, "anna", Role.VIEWER)
    with parts.ledger.write() as connection:
        connection.exec_driver_sql("UPDATE accounts SET login = x'00ff'")
    assert [(each.kind, each.message) for each in verify(parts.ledger).findings] == [
        ("altered", "row 1 of accounts: login is blob")
    ]
    assert "account_added" in event_names(parts)
