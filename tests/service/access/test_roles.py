"""Attacks on roles: fields that nobody asked for, own roles, the last administrator."""

import json
import threading

import pytest
from sqlalchemy import select
from tests.service.access.conftest import (
    API,
    OTHER,
    PASSWORD,
    SAME,
    bearer,
    client,
    code,
    log_in,
    token_of,
    user,
)

from steelsight.errors import BadAccount
from steelsight.ledger.database import schema
from steelsight.service.access.accounts import list_accounts, set_role
from steelsight.service.access.roles import Permission, Role


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/login", {"login": "anna", "password": PASSWORD, "role": "admin"}),
        ("POST", "/me/password", {"current": PASSWORD, "password": OTHER, "role": "admin"}),
        ("POST", "/links/redeem", {"link": "x", "password": OTHER, "role": "admin", "disabled": False}),
        ("POST", "/login", {"login": "anna", "password": PASSWORD, "person": "0" * 32}),
    ],
)
def test_a_field_that_is_not_asked_for_is_refused(lite, method, path, body):
    user(lite, "anna", Role.VIEWER, PASSWORD)
    http = client(lite)
    log_in(http)
    answer = http.request(method, API + path, json=body, headers=SAME)
    assert answer.status_code == 422
    assert PASSWORD not in answer.text
    assert http.get(f"{API}/me").json()["role"] == "viewer"


@pytest.mark.parametrize("role", [each for each in Role if each is not Role.ADMIN])
def test_nobody_but_an_administrator_changes_roles(lite, role):
    person = user(lite, "anna", role, PASSWORD)
    http = client(lite)
    log_in(http)
    admin = {"role": "admin"}
    new = {"login": "ben", "role": "admin"}
    for answer in (
        http.put(f"{API}/users/{person}/role", json=admin, headers=SAME),
        http.post(f"{API}/users", json=new, headers=SAME),
        http.post(f"{API}/users/{person}/link", headers=SAME),
        http.post(f"{API}/tokens", json={"name": "x", "scopes": ["users"]}, headers=SAME),
    ):
        assert (answer.status_code, code(answer)) == (403, "forbidden")
    with lite.ledger.read() as connection:
        assert [each.role for each in list_accounts(connection)] == [role]


def test_a_role_is_that_of_the_next_request(parts):
    person = user(parts, "anna", Role.ADMIN, PASSWORD)
    user(parts, "ben", Role.ADMIN, PASSWORD)
    http = client(parts)
    log_in(http)
    assert http.get(f"{API}/users").status_code == 200
    assert http.put(f"{API}/users/{person}/role", json={"role": "viewer"}, headers=SAME).status_code == 200
    assert http.get(f"{API}/users").status_code == 403


def test_the_last_administrator_is_neither_demoted_nor_disabled(parts):
    anna = user(parts, "anna", Role.ADMIN, PASSWORD)
    user(parts, "waiting", Role.ADMIN)  # cannot log in yet
    user(parts, "op", Role.OPERATOR, PASSWORD)
    http = client(parts)
    log_in(http)
    for answer in (
        http.put(f"{API}/users/{anna}/role", json={"role": "engineer"}, headers=SAME),
        http.post(f"{API}/users/{anna}/disable", headers=SAME),
    ):
        assert (answer.status_code, code(answer)) == (409, "last_admin")
    assert http.get(f"{API}/users").status_code == 200


def test_two_administrators_who_demote_each_other_at_once_leave_one(parts, make_parts):
    people = [user(parts, name, Role.ADMIN, PASSWORD) for name in ("anna", "ben")]
    writers = [parts, make_parts(parts.ledger)]
    start, outcomes = threading.Barrier(2), []

    def demote(service, person):
        start.wait(60)
        try:
            with service.console.transaction() as (connection, writer):
                set_role(connection, writer, person, Role.VIEWER, by=None)
            outcomes.append("done")
        except BadAccount as error:
            outcomes.append(error.kind)

    pairs = zip(writers, people, strict=True)
    threads = [threading.Thread(target=demote, args=each) for each in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "last_admin"]


def test_what_a_token_does_is_on_record_with_its_id(lite):
    token, secret = token_of(lite, *Permission)
    body = {"login": "ben", "role": "viewer"}
    answer = client(lite).post(f"{API}/users", json=body, headers=bearer(secret))
    assert answer.status_code == 201
    with lite.ledger.read() as connection:
        query = select(schema.events).where(schema.events.c.name == "account_added")
        (row,) = connection.execute(query).all()
    assert (row.person, row.subject) == (None, answer.json()["user"]["person"])
    assert json.loads(row.details) == {"role": "viewer", "oidc": False, "token": token.id}


def test_nobody_gives_what_they_do_not_have(lite):
    """A token with the scope `users` alone would make itself an administrator, or one with every scope."""
    anna = user(lite, "anna", Role.ADMIN, PASSWORD)
    user(lite, "second", Role.ADMIN, PASSWORD)
    ben = user(lite, "ben", Role.VIEWER, PASSWORD)
    _, secret = token_of(lite, Permission.USERS, Permission.READ)
    http = client(lite, headers=bearer(secret))
    for answer in (
        http.post(f"{API}/users", json={"login": "carl", "role": "admin"}),
        http.post(f"{API}/users", json={"login": "carl", "role": "auditor"}),
        http.put(f"{API}/users/{ben}/role", json={"role": "admin"}),
        http.put(f"{API}/users/{anna}/role", json={"role": "viewer"}),
        http.post(f"{API}/users/{anna}/link"),
        http.post(f"{API}/users/{anna}/disable"),
        http.post(f"{API}/users/{anna}/enable"),
        http.delete(f"{API}/users/{anna}/sessions"),
        http.post(f"{API}/tokens", json={"name": "x", "scopes": ["users", "audit"]}),
    ):
        assert (answer.status_code, code(answer)) == (403, "beyond_own"), answer.text
    assert http.post(f"{API}/users", json={"login": "carl", "role": "viewer"}).status_code == 201
    assert http.post(f"{API}/users/{ben}/link").status_code == 201
    assert http.post(f"{API}/tokens", json={"name": "x", "scopes": ["read"]}).status_code == 201
    with lite.ledger.read() as connection:
        roles = {each.login: each.role for each in list_accounts(connection)}
    assert roles == {"anna": "admin", "second": "admin", "ben": "viewer", "carl": "viewer"}
