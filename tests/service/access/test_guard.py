"""Who calls, and what that caller may do."""

import pytest
from tests.service.access.conftest import SAME, client, session_of, token_of

from steelsight.ledger.writing.writer import now_us
from steelsight.service.access.accounts import (
    LINK_PATH,
    first_login,
    list_accounts,
    set_disabled,
)
from steelsight.service.access.credentials import csrf_token
from steelsight.service.access.roles import PERMISSIONS, Permission, Role
from steelsight.service.access.sessions import revoke_sessions
from steelsight.service.access.tokens import revoke_token


@pytest.mark.parametrize("role", Role)
def test_a_role_has_its_permissions_and_no_others(lite, role):
    person, secret = session_of(lite, role)
    http = client(lite, cookies={"steelsight_session": secret})
    for permission in Permission:
        answer = http.get(f"/{permission}")
        if permission in PERMISSIONS[role]:
            assert answer.json() == {"person": person, "name": "somebody", "token": None}
        else:
            assert answer.status_code == 403
            assert f"the role {role} does not have" in answer.text


@pytest.mark.parametrize("scope", Permission)
def test_a_token_has_its_scopes_and_no_others(lite, scope):
    token, secret = token_of(lite, scope)
    http = client(lite, headers={"authorization": f"Bearer {secret}"})
    for permission in Permission:
        answer = http.post(f"/{permission}")
        if permission is scope:
            assert answer.json() == {"person": None, "name": "a machine", "token": token.id}
        else:
            assert answer.status_code == 403


def test_sessions_and_tokens_end_at_once_in_each_database(parts):
    person, secret = session_of(parts, Role.VIEWER)
    token, bearer = token_of(parts, Permission.READ)
    http = client(parts, cookies={"steelsight_session": secret})
    machine = client(parts, headers={"authorization": f"Bearer {bearer}"})
    assert http.get("/read").status_code == machine.get("/read").status_code == 200
    with parts.console.transaction() as (connection, writer):
        assert revoke_sessions(connection, person, now_us=now_us()) == 1
        revoke_token(connection, writer, token.id, by=None)
    assert http.get("/read").status_code == machine.get("/read").status_code == 401
    assert machine.get("/read").headers["www-authenticate"] == "Bearer"


def test_nobody_is_anybody_unless_the_service_is_open(sqlite_ledger, make_parts):
    assert client(make_parts(sqlite_ledger)).get("/read").status_code == 401
    http = client(make_parts(sqlite_ledger, open=True))
    allowed = {each for each in Permission if http.get(f"/{each}").status_code == 200}
    assert allowed == PERMISSIONS[Role.OPERATOR]
    foreign = {"origin": "http://elsewhere.example", "sec-fetch-site": "cross-site"}
    assert http.post("/review", headers=foreign).status_code == 403


def test_a_disabled_account_has_no_session(lite):
    person, secret = session_of(lite, Role.VIEWER)
    with lite.console.transaction() as (connection, writer):
        set_disabled(connection, writer, person, True, by=None)
    assert client(lite, cookies={"steelsight_session": secret}).get("/read").status_code == 401


def test_an_unsafe_request_comes_from_the_own_pages(lite):
    _, secret = session_of(lite, Role.OPERATOR)
    http = client(lite, cookies={"steelsight_session": secret})
    assert http.post("/review", headers=SAME).status_code == 200
    assert http.post("/review").status_code == 403
    assert http.post("/review", headers={"x-csrf-token": csrf_token(secret)}).status_code == 200


def test_the_first_login_has_a_link_until_an_administrator_can_log_in(parts):
    first = first_login(parts)
    second = first_login(parts)
    assert first != second
    assert second.startswith(LINK_PATH)
    with parts.ledger.read() as connection:
        assert [(each.login, each.role) for each in list_accounts(connection)] == [("admin", Role.ADMIN)]
