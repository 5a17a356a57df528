"""Requests that another site makes a browser send, and clients behind proxies."""

import pytest
from starlette.requests import Request
from tests.service.access.conftest import (
    API,
    PASSWORD,
    SAME,
    bearer,
    client,
    code,
    session_of,
    token_of,
    user,
)

from steelsight.service.access.credentials import csrf_token
from steelsight.service.access.origin import Client, client_of
from steelsight.service.access.roles import Permission, Role
from steelsight.service.settings.load import Settings


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:8080"}, 200),
        (
            {"sec-fetch-site": "same-origin", "origin": "null"},
            200,
        ),  # a form under Referrer-Policy: no-referrer
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": ""}, 403),
        ({"sec-fetch-site": "Same-Origin"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": "http://elsewhere.example"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:8081"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": "https://127.0.0.1:8080"}, 403),
        ({"sec-fetch-site": "none", "origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site", "x-csrf-token": "TOKEN"}, 403),
        ({}, 403),
        ({"origin": "http://127.0.0.1:8080"}, 403),
        ({"origin": "null", "x-csrf-token": "TOKEN"}, 403),
        ({"origin": "http://elsewhere.example", "x-csrf-token": "TOKEN"}, 403),
        ({"x-csrf-token": "TOKEN"}, 200),
        ({"x-csrf-token": "TOKEN", "origin": "http://127.0.0.1:8080"}, 200),
        ({"x-csrf-token": "TOKENX"}, 403),
        ({"x-csrf-token": ""}, 403),
        ({"x-csrf-token": "é"}, 403),
    ],
)
def test_an_unsafe_request_with_a_cookie_comes_from_the_own_pages(lite, headers, status):
    _, secret = session_of(lite, Role.OPERATOR)
    sent = {name: value.replace("TOKEN", csrf_token(secret)).encode() for name, value in headers.items()}
    sent["cookie"] = f"steelsight_session={secret}"
    answer = client(lite).post("/review", headers=sent)
    assert answer.status_code == status, answer.text
    if status == 403:
        assert code(answer) == "cross_site"


@pytest.mark.parametrize(
    ("site", "mode", "dest", "status"),
    [
        ("cross-site", "navigate", "document", 200),  # a link
        ("cross-site", "navigate", "iframe", 403),
        ("cross-site", "no-cors", "image", 403),
        ("cross-site", "cors", "empty", 403),
        ("same-origin", "no-cors", "image", 200),
        ("none", "navigate", "document", 200),
        (None, None, None, 200),  # no browser
    ],
)
def test_another_site_may_link_here_and_loads_nothing_from_here(lite, site, mode, dest, status):
    """Which verdicts a person has seen is on record, also where only an image of a foreign page asked."""
    _, secret = session_of(lite, Role.OPERATOR)
    sent = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest}
    sent = {name: value for name, value in sent.items() if value is not None}
    sent["cookie"] = f"steelsight_session={secret}"
    assert client(lite).get(f"{API}/me", headers=sent).status_code == status


def test_a_header_that_comes_twice_is_not_believed(lite):
    _, secret = session_of(lite, Role.OPERATOR)
    for name, good, bad in (
        ("sec-fetch-site", "same-origin", "cross-site"),
        ("origin", "http://127.0.0.1:8080", "http://elsewhere.example"),
    ):
        twice = [(name, good), (name, bad), ("cookie", f"steelsight_session={secret}")]
        given = [] if name == "sec-fetch-site" else [("sec-fetch-site", "same-origin")]
        assert code(client(lite).post("/review", headers=[*twice, *given])) == "cross_site"


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "cross-site"}, {"origin": "http://elsewhere.example"}]
)
def test_a_login_that_another_site_sends_is_refused(lite, headers):
    """It would log the victim in as the attacker."""
    user(lite, "anna", Role.VIEWER, PASSWORD)
    answer = client(lite).post(f"{API}/login", json={"login": "anna", "password": PASSWORD}, headers=headers)
    assert (answer.status_code, code(answer)) == (403, "cross_site")
    assert "set-cookie" not in answer.headers


def test_a_form_of_another_site_is_no_json(lite):
    user(lite, "anna", Role.VIEWER, PASSWORD)
    content = '{"login":"anna","password":"' + PASSWORD + '"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = client(lite).post(f"{API}/login", content=content, headers={"content-type": kind, **SAME})
        assert answer.status_code in (415, 422)


def test_the_token_of_a_session_is_of_no_use_to_another(lite):
    _, mine = session_of(lite, Role.OPERATOR, "anna")
    _, other = session_of(lite, Role.OPERATOR, "ben")
    http = client(lite, cookies={"steelsight_session": mine})
    shown = http.get(f"{API}/me").json()["csrf"]
    assert shown == csrf_token(mine)
    assert http.post("/review", headers={"x-csrf-token": csrf_token(other)}).status_code == 403
    assert http.post("/review", headers={"x-csrf-token": shown}).status_code == 200


def test_a_machine_needs_no_origin(lite):
    _, secret = token_of(lite, Permission.REVIEW)
    headers = {**bearer(secret), "origin": "http://elsewhere.example", "sec-fetch-site": "cross-site"}
    assert client(lite).post("/review", headers=headers).status_code == 200


# Clients behind proxies


PROXIES = ("10.0.0.0/8", "2001:db8::5", "192.0.2.1")


def seen(peer, *headers, proxies=PROXIES, scheme="http"):
    """The client of a request that comes from an address with headers."""
    raw = [(name.encode(), value.encode()) for name, value in headers] + [(b"host", b"steel.example")]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": raw}
    scope |= {"scheme": scheme, "client": (peer, 1) if peer else None, "server": ("steel.example", 80)}
    return client_of(Request(scope), Settings(trusted_proxies=proxies))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # no trusted proxy: what it says does not count
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", ["203.0.113.9"], "203.0.113.9"),
        ("10.1.2.3", ["198.51.100.1, 203.0.113.9"], "203.0.113.9"),  # the first one the client wrote itself
        ("10.1.2.3", ["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
        ("10.1.2.3", ["198.51.100.1, 203.0.113.9, 10.9.9.9"], "203.0.113.9"),
        ("10.1.2.3", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.1.2.3", ["[2001:db8::9]:4711"], "2001:db8::9"),
        ("10.1.2.3", ["2001:db8::9"], "2001:db8::9"),
        ("::ffff:10.1.2.3", ["203.0.113.9"], "203.0.113.9"),
        ("2001:db8::5", ["203.0.113.9"], "203.0.113.9"),
        ("10.1.2.3", ["nonsense"], "10.1.2.3"),
        ("10.1.2.3", ["203.0.113.9, nonsense"], "10.1.2.3"),
        ("10.1.2.3", [""], "10.1.2.3"),
        ("10.1.2.3", ["10.9.9.9"], "10.9.9.9"),
        ("10.1.2.3", [", ".join(["203.0.113.9"] * 100_000)], "203.0.113.9"),
        ("", ["203.0.113.9"], ""),
        ("10.1.2.3", ["203.0.113.9\r\nx"], "10.1.2.3"),
    ],
)
def test_the_address_of_a_client_is_the_last_one_that_no_trusted_proxy_has(peer, forwarded, address):
    assert seen(peer, *(("x-forwarded-for", each) for each in forwarded)).address == address


@pytest.mark.parametrize(
    ("peer", "proto", "scheme"),
    [
        ("10.1.2.3", ["https"], "https"),
        ("10.1.2.3", ["https, http"], "http"),  # the proxy's own is the last
        ("10.1.2.3", ["HTTPS"], "https"),
        ("10.1.2.3", ["javascript"], "http"),
        ("10.1.2.3", [], "http"),
        ("203.0.113.9", ["https"], "http"),
    ],
)
def test_the_scheme_is_believed_of_a_trusted_proxy_alone(peer, proto, scheme):
    assert seen(peer, *(("x-forwarded-proto", each) for each in proto)).scheme == scheme


def test_other_headers_of_proxies_count_for_nothing():
    headers = [
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "for=1.2.3.4;proto=https;host=evil.example"),
    ]
    found = seen("10.1.2.3", *headers, ("x-real-ip", "1.2.3.4"))
    assert (found.address, found.scheme, found.host) == ("10.1.2.3", "http", "steel.example")


@pytest.mark.parametrize("proxy", ["nginx", "10.0.0.0/40", ""])
def test_a_proxy_is_an_address(proxy):
    with pytest.raises(ValueError, match="trusted_proxies"):
        Settings(trusted_proxies=(proxy,))


@pytest.mark.parametrize(
    ("host", "local"),
    [
        *(("localhost", True), ("LOCALHOST:8080", True), ("127.0.0.1:1", True), ("[::1]:8080", True)),
        *(("steel.localhost", True), ("steel.example", False), ("localhost.example", False), ("", False)),
        *(("127.0.0.1.example", False), ("[::2]", False), ("[", False), ("a@localhost@b", False)),
    ],
)
def test_loopback_is_told_by_the_whole_name(host, local):
    assert Client("127.0.0.1", "http", host).loopback is local
