"""Attacks on sessions: fixation, replay, expiry, sessions of others."""

from itertools import pairwise

import pytest
from sqlalchemy import select, update
from tests.service.access.conftest import (
    API,
    OTHER,
    PASSWORD,
    SAME,
    client,
    code,
    cookie,
    expired_session,
    log_in,
    session_of,
    user,
)

from steelsight.errors import BadAccount
from steelsight.ledger.database import accounts as tables
from steelsight.service.access.accounts import make_link, set_disabled
from steelsight.service.access.roles import Role


def test_a_session_that_was_set_before_the_login_is_not_used(parts):
    """Fixation: the attacker knows a cookie that the victim's browser sends at the login."""
    user(parts, "anna", Role.ADMIN, PASSWORD)
    _, planted = session_of(parts, Role.VIEWER, "mallory")
    for value in (planted, "chosen-by-an-attacker"):
        victim = client(parts)
        answer = log_in(victim, cookie=f"steelsight_session={value}")
        assert answer.status_code == 200
        assert victim.cookies["steelsight_session"] != value
        assert client(parts).get(f"{API}/me", headers=cookie(value)).status_code == 401


def test_each_login_has_another_secret_and_ends_the_session_before(parts):
    user(parts, "anna", Role.VIEWER, PASSWORD)
    http, secrets = client(parts), []
    for _ in range(3):
        assert log_in(http).status_code == 200
        secrets.append(http.cookies["steelsight_session"])
    for earlier, later in pairwise(secrets):
        assert earlier != later
        assert client(parts).get(f"{API}/me", headers=cookie(earlier)).status_code == 401
    assert http.get(f"{API}/me").status_code == 200
    assert len(http.get(f"{API}/me/sessions").json()["sessions"]) == 1


def test_a_session_ends_at_its_logout_its_expiry_and_when_it_is_idle(parts):
    user(parts, "anna", Role.VIEWER, PASSWORD)
    http = client(parts)
    log_in(http)
    kept = http.cookies["steelsight_session"]
    assert http.post(f"{API}/logout", headers=SAME).status_code == 204
    for secret in (kept, expired_session(parts, "expires_us"), expired_session(parts, "used_us")):
        assert client(parts).get(f"{API}/me", headers=cookie(secret)).status_code == 401


def test_use_keeps_a_session_from_being_idle_but_not_from_its_expiry(lite):
    _, secret = session_of(lite, Role.VIEWER)
    with lite.ledger.read() as connection:
        (row,) = connection.execute(select(tables.sessions)).all()
    with lite.ledger.write() as connection:
        connection.execute(update(tables.sessions).values(used_us=row.used_us - 100 * 60_000_000))
    assert client(lite).get("/read", headers=cookie(secret)).status_code == 200
    with lite.ledger.read() as connection:
        (after,) = connection.execute(select(tables.sessions)).all()
    assert after.used_us >= row.used_us
    assert after.expires_us == row.expires_us
    assert row.expires_us - row.created_us == 12 * 3_600_000_000


def test_a_new_password_ends_every_other_session_and_renews_this_one(parts):
    user(parts, "anna", Role.VIEWER, PASSWORD)
    here, there = client(parts), client(parts)
    log_in(here)
    log_in(there)
    before = here.cookies["steelsight_session"]
    body = {"current": PASSWORD, "password": OTHER}
    assert here.post(f"{API}/me/password", json=body, headers=SAME).status_code == 200
    assert there.get(f"{API}/me").status_code == 401
    assert client(parts).get(f"{API}/me", headers=cookie(before)).status_code == 401
    assert here.get(f"{API}/me").status_code == 200
    assert log_in(client(parts)).status_code == 401
    assert log_in(client(parts), password=OTHER).status_code == 200


@pytest.mark.usefixtures("stopped_clock")
def test_a_new_password_needs_the_current_one_and_the_rules(lite):
    user(lite, "anna", Role.VIEWER, PASSWORD)
    http = client(lite)
    log_in(http)
    for current, wanted, expected in (
        ("wrong", OTHER, (403, "wrong_password")),
        (PASSWORD, "short", (422, "refused_account")),
        (PASSWORD, "password2026!", (422, "refused_account")),
    ):
        body = {"current": current, "password": wanted}
        answer = http.post(f"{API}/me/password", json=body, headers=SAME)
        assert (answer.status_code, code(answer)) == expected
        assert wanted not in answer.text
    for _ in range(4):
        http.post(f"{API}/me/password", json={"current": "wrong", "password": OTHER}, headers=SAME)
    answer = http.post(f"{API}/me/password", json={"current": PASSWORD, "password": OTHER}, headers=SAME)
    assert answer.status_code == 429


def test_nobody_ends_the_session_of_another(parts):
    user(parts, "anna", Role.VIEWER, PASSWORD)
    user(parts, "ben", Role.ADMIN, PASSWORD)
    anna, ben = client(parts), client(parts)
    log_in(anna)
    log_in(ben, "ben")
    (session,) = ben.get(f"{API}/me/sessions").json()["sessions"]
    assert anna.delete(f"{API}/me/sessions/{session['id']}", headers=SAME).status_code == 404
    assert ben.get(f"{API}/me").status_code == 200
    assert cookie(session["id"])["cookie"].partition("=")[2] != ben.cookies["steelsight_session"]
    assert client(parts).get(f"{API}/me", headers=cookie(session["id"])).status_code == 401
    assert ben.delete(f"{API}/me/sessions/{session['id']}", headers=SAME).status_code == 204
    assert ben.get(f"{API}/me").status_code == 401


def test_a_disabled_account_ends_at_once_everywhere(parts):
    person = user(parts, "anna", Role.VIEWER, PASSWORD)
    http = client(parts)
    log_in(http)
    with parts.console.transaction() as (connection, writer):
        link = make_link(connection, writer, person, hours=1.0, by=None)
        set_disabled(connection, writer, person, True, by=None)
    assert http.get(f"{API}/me").status_code == 401
    assert log_in(client(parts)).status_code == 401
    body = {"link": link, "password": OTHER}
    assert client(parts).post(f"{API}/links/redeem", json=body, headers=SAME).status_code == 404
    with parts.console.transaction() as (connection, writer):
        with pytest.raises(BadAccount, match="is disabled; enable it first"):
            make_link(connection, writer, person, hours=1.0, by=None)
        set_disabled(connection, writer, person, False, by=None)
    assert http.get(f"{API}/me").status_code == 401  # that session stays ended
    assert log_in(client(parts)).status_code == 200
