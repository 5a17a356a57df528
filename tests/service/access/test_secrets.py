"""What the database and the chain hold, and the work that a login takes."""

import json
import threading

import pytest
from sqlalchemy import select, update
from tests.service.access.conftest import (
    API,
    OTHER,
    PASSWORD,
    SAME,
    client,
    code,
    event_names,
    log_in,
    token_of,
    user,
)

from steelsight.ledger.database import accounts as tables
from steelsight.ledger.database import schema
from steelsight.ledger.writing.writer import now_us
from steelsight.service.access.accounts import make_link, set_disabled
from steelsight.service.access.passwords import hasher_of
from steelsight.service.access.roles import Permission, Role


def test_no_secret_is_in_the_database(lite, tmp_path):
    person = user(lite, "anna", Role.ADMIN, PASSWORD)
    http = client(lite)
    log_in(http)
    _, token = token_of(lite, Permission.READ)
    with lite.console.transaction() as (connection, writer):
        link = make_link(connection, writer, person, hours=1.0, by=None)
    secrets = [token, link, PASSWORD, *http.cookies.values()]
    assert len(secrets) == 5
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    for secret in secrets:
        assert secret.encode() not in content
        assert secret.removeprefix("sst_").encode() not in content
    assert b"anna" in content


def test_names_are_not_in_the_chain(lite):
    user(lite, "anna", Role.ADMIN, PASSWORD, address="anna@plant.example")
    http = client(lite)
    log_in(http)
    http.post(f"{API}/users", json={"login": "ben", "role": "viewer", "name": "Benjamin"}, headers=SAME)
    http.post(f"{API}/tokens", json={"name": "machine of Benjamin", "scopes": ["read"]}, headers=SAME)
    for _ in range(6):
        log_in(client(lite), "ben", "wrong")
    with lite.ledger.read() as connection:
        bodies = b"".join(connection.execute(select(schema.entries.c.body)).scalars())
    assert not [name for name in (b"anna", b"ben", b"Benjamin", b"plant.example") if name in bodies]
    assert set(event_names(lite)) == {
        *("account_added", "password_changed", "login", "link_made", "token_created", "login_failures"),
    }


def test_every_login_computes_one_hash_whatever_is_wrong(lite, monkeypatch):
    """An unknown name, a wrong password and a disabled account take the same work."""
    user(lite, "anna", Role.VIEWER, PASSWORD)
    off = user(lite, "off", Role.VIEWER, PASSWORD)
    user(lite, "linked", Role.VIEWER)  # has no password yet
    with lite.console.transaction() as (connection, writer):
        set_disabled(connection, writer, off, True, by=None)
    hasher, computed = hasher_of(lite.settings), []
    plain = hasher._argon2.verify

    class Counting:
        """The library's hasher; keeps the parameters that each verification works with."""

        def verify(self, stored, password):
            computed.append(stored.split("$")[1:4])
            return plain(stored, password)

        def hash(self, password):
            raise AssertionError("no login succeeds")

        check_needs_rehash = hash

    monkeypatch.setattr(hasher, "_argon2", Counting())
    answers = [
        log_in(client(lite), login, password)
        for login, password in (
            *(("nobody", PASSWORD), ("anna", "wrong"), ("off", PASSWORD), ("off", "wrong"), ("linked", "")),
            *(("linked", PASSWORD), ("a\0b", PASSWORD), ("anna", "x" * 1024), ("anna", "a\0b")),
        )
        if password
    ]
    assert len(computed) == len(answers) == 8
    assert computed == [["argon2id", "v=19", "m=8,t=1,p=1"]] * 8
    assert {answer.status_code for answer in answers} == {401}
    texts = {answer.text for answer in answers}
    assert len(texts) == 1


def test_a_very_long_password_is_refused_before_any_work(lite):
    user(lite, "anna", Role.VIEWER, PASSWORD)
    assert log_in(client(lite), password="x" * 4097).status_code == 422
    assert log_in(client(lite), password="x" * 2000).status_code == 401
    assert log_in(client(lite), "x" * 401).status_code == 422


def test_a_hash_gets_new_parameters_at_the_next_login(sqlite_ledger, make_parts):
    parts = make_parts(sqlite_ledger)
    user(parts, "anna", Role.VIEWER, PASSWORD)
    stronger = make_parts(sqlite_ledger, argon2_passes=2)
    assert log_in(client(stronger), password="wrong").status_code == 401

    def stored():
        with sqlite_ledger.read() as connection:
            return connection.execute(select(tables.accounts.c.password)).scalar_one()

    assert "t=1" in stored()
    assert log_in(client(stronger)).status_code == 200
    assert "t=2" in stored()
    assert log_in(client(stronger)).status_code == 200
    assert event_names(parts).count("password_changed") == 1


def test_a_link_is_used_once_though_two_try_at_the_same_moment(parts, make_parts):
    person = user(parts, "anna", Role.VIEWER)
    with parts.console.transaction() as (connection, writer):
        link = make_link(connection, writer, person, hours=1.0, by=None)
    clients = [client(parts), client(make_parts(parts.ledger))]
    start, answers = threading.Barrier(2), []

    def redeem(http, password):
        start.wait(60)
        body = {"link": link, "password": password}
        answers.append(http.post(f"{API}/links/redeem", json=body, headers=SAME).status_code)

    pairs = zip(clients, (PASSWORD, OTHER), strict=True)
    threads = [threading.Thread(target=redeem, args=each) for each in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 404]


def test_a_link_ends_with_its_time_and_with_the_next_one(lite):
    person = user(lite, "anna", Role.VIEWER)
    with lite.console.transaction() as (connection, writer):
        links = [make_link(connection, writer, person, hours=1.0, by=None) for _ in range(2)]
    http = client(lite)
    body = {"password": PASSWORD}
    assert http.post(f"{API}/links/redeem", json={"link": links[0], **body}, headers=SAME).status_code == 404
    with lite.ledger.write() as connection:
        connection.execute(update(tables.links).values(expires_us=now_us() - 1))
    answer = http.post(f"{API}/links/redeem", json={"link": links[1], **body}, headers=SAME)
    assert (answer.status_code, code(answer)) == (404, "link_ended")


@pytest.mark.parametrize(
    "text", ["a\0b", "\0", "a\ud800", "a\u0000' OR 1=1 --", "\U0001f525", "%", "a" * 400, " ", "\n"]
)
def test_a_login_of_any_text_is_answered_alike_by_each_database(parts, text):
    http = client(parts)
    headers = {**SAME, "content-type": "application/json"}
    for body in ({"login": text, "password": PASSWORD}, {"login": "anna", "password": text}):
        answer = http.post(f"{API}/login", content=json.dumps(body), headers=headers)
        assert answer.status_code == (422 if "\ud800" in text else 401), answer.text
    for path, body in (
        ("links/redeem", {"link": text[:200], "password": PASSWORD}),
        ("links/redeem", {"link": "x", "password": text + "0123456789ab"}),
    ):
        answer = http.post(f"{API}/{path}", content=json.dumps(body), headers=headers)
        assert answer.status_code in (404, 422), answer.text
    assert http.get("/access/link", params={"secret": text.replace("\ud800", "x")[:200]}).status_code == 404
    token = text.encode("latin-1", "replace").replace(b"\0", b"").replace(b"\n", b"")
    assert http.get("/read", headers={"authorization": b"Bearer " + token}).status_code == 401
