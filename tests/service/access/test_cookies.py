"""Cookies that others can set, tokens beside them, names that end a line."""

import json

import pytest
from tests.service.access.conftest import (
    API,
    HTTPS,
    PASSWORD,
    SAME,
    bearer,
    client,
    code,
    cookie,
    log_in,
    session_of,
    token_of,
    user,
)

from steelsight.service.access.roles import Permission, Role


def test_cookies_over_https_are_bound_to_this_host(lite):
    user(lite, "anna", Role.VIEWER, PASSWORD)
    http = client(lite, HTTPS)
    answer = log_in(http)
    found = answer.headers.get_list("set-cookie")
    assert len(found) == 2
    for each in found:
        name, _, rest = each.partition("=")
        flags = {part.strip().lower() for part in rest.split(";")[1:]}
        assert name in ("__Host-steelsight_session", "__Host-steelsight_device")
        assert {"httponly", "secure", "samesite=lax", "path=/"} <= flags
        assert not [flag for flag in flags if flag.startswith("domain")]
    assert answer.headers["cache-control"] == "no-store"
    assert http.get(f"{API}/me").status_code == 200


def test_a_cookie_that_another_host_can_set_is_not_read_over_https(lite):
    _, secret = session_of(lite, Role.ADMIN)
    http = client(lite, HTTPS)
    assert http.get("/read", headers=cookie(secret)).status_code == 401
    host = {"cookie": f"__Host-steelsight_session={secret}"}
    assert http.get("/read", headers=host).status_code == 200
    assert client(lite).get("/read", headers=host).status_code == 401


@pytest.mark.parametrize("order", [1, -1])
def test_a_cookie_that_was_tossed_beside_the_own_one_is_told(lite, order):
    _, own = session_of(lite, Role.VIEWER, "anna")
    _, tossed = session_of(lite, Role.VIEWER, "mallory")
    both = [f"steelsight_session={each}" for each in (own, tossed)][::order]
    answer = client(lite).get("/read", headers={"cookie": "; ".join(both)})
    assert (answer.status_code, code(answer)) == (400, "cookie_twice")
    same = {"cookie": f"steelsight_session={own}; other=1; steelsight_session={own}"}
    assert client(lite).get("/read", headers=same).status_code == 200
    headers = [("cookie", each) for each in both]
    assert client(lite).get("/read", headers=headers).status_code == 400


def test_plain_http_from_another_machine_gives_no_cookie(lite):
    user(lite, "anna", Role.VIEWER, PASSWORD)
    answer = log_in(client(lite, "http://steel.example:8080"))
    assert (answer.status_code, code(answer)) == (403, "https_needed")
    assert "set-cookie" not in answer.headers
    for local in ("http://localhost:8080", "http://[::1]:8080", "http://steel.localhost"):
        answer = log_in(client(lite, local))
        assert answer.status_code == 200, local
        assert "secure" not in answer.headers["set-cookie"].lower()


def test_a_token_beside_a_cookie_decides_alone(lite):
    _, session = session_of(lite, Role.ADMIN)
    token, secret = token_of(lite, Permission.READ)
    http = client(lite)
    both = {**cookie(session), **bearer(secret)}
    assert http.get("/read", headers=both).json()["token"] == token.id
    assert http.get("/users", headers=both).status_code == 403
    assert http.get("/read", headers={**cookie(session), **bearer("sst_wrong")}).status_code == 401
    assert http.get("/read", headers={**cookie(session), "authorization": "Bearer"}).status_code == 401
    basic = {**cookie(session), "authorization": "Basic YTpi"}  # of a proxy in front
    assert http.get("/read", headers=basic).status_code == 200
    twice = [*bearer(secret).items(), *bearer(secret).items()]
    assert http.get("/read", headers=twice).status_code == 401


@pytest.mark.parametrize(
    "value",
    [
        *("", "x", "x" * 100_000, "%00", "é", "a" * 43, "'; DROP TABLE sessions; --", "None", "null", "0"),
        "=".join("ab"),
    ],
)
def test_a_cookie_or_token_of_any_form_is_unknown(lite, value):
    http = client(lite)
    headers = {"cookie": f"steelsight_session={value}".encode()}
    assert http.get("/read", headers=headers).status_code == 401
    assert http.get("/read", headers={"authorization": f"Bearer {value}".encode()}).status_code == 401


@pytest.mark.parametrize("field", ["name", "address", "login"])
@pytest.mark.parametrize("text", ["a\r\nSet-Cookie: x=1", "a\0b", "a\x1b[2J", "a\u202eb", "a\ud800"])
def test_names_that_end_a_line_or_hide_are_refused(lite, field, text):
    _, secret = session_of(lite, Role.ADMIN)
    body = {"login": "ben", "role": "viewer", "name": "Ben", "address": "b@plant.example", field: text}
    http = client(lite, cookies={"steelsight_session": secret})
    headers = {**SAME, "content-type": "application/json"}
    for path, sent in (("users", body), ("tokens", {"name": text, "scopes": ["read"]})):
        answer = http.post(f"{API}/{path}", content=json.dumps(sent), headers=headers)
        assert answer.status_code == 422, answer.text
