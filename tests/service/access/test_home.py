"""The first page: who is logged in; logging in and out by forms."""

import pytest
from sqlalchemy import update
from tests.service.access.conftest import (
    PASSWORD,
    SAME,
    bearer,
    client,
    cookie,
    event_names,
    session_of,
    token_of,
    user,
)

from steelsight.ledger.database.schema import people
from steelsight.service.access.roles import PERMISSIONS, Permission, Role
from steelsight.service.app import build_app

FORM = {"login": "anna", "password": PASSWORD}
BROWSER = {**SAME, "origin": "null"}  # a form under Referrer-Policy: no-referrer


@pytest.mark.parametrize("role", Role)
def test_the_page_says_who_is_logged_in(lite, role):
    _, secret = session_of(lite, role, login=f"the-{role}")
    page = client(lite).get("/", headers=cookie(secret))
    assert page.status_code == 200
    assert f"<dd>the-{role}</dd>" in page.text
    assert f"<dd>{role}</dd>" in page.text
    assert f"<dd>{', '.join(sorted(PERMISSIONS[role]))}</dd>" in page.text
    assert 'href="/api/v1/openapi.json"' in page.text
    assert 'href="/models"' in page.text
    assert 'action="/access/logout"' in page.text
    assert page.headers["cache-control"] == "no-store"


def test_nobody_is_shown_a_form_and_nothing_else(lite):
    page = client(lite).get("/")
    assert page.status_code == 200
    assert 'action="/access/login"' in page.text
    for absent in ("logout", "openapi", "oidc", "<script", "style="):
        assert absent not in page.text


def test_a_token_and_an_open_service_have_no_session_to_end(lite, sqlite_ledger, make_parts):
    page = client(lite).get("/", headers=bearer(token_of(lite, Permission.INSPECT)[1]))
    assert "<dd>machine token</dd>" in page.text
    assert "openapi" not in page.text
    assert "logout" not in page.text
    opened = client(make_parts(sqlite_ledger, open=True)).get("/")
    assert "<dd>anybody</dd>" in opened.text
    assert "logout" not in opened.text


def test_what_cannot_be_read_is_told_on_the_page(lite):
    twice = {"cookie": "steelsight_session=a; steelsight_session=b"}
    page = client(lite).get("/", headers=twice)
    assert (page.status_code, "was sent twice" in page.text) == (200, True)
    page = client(lite).get("/", headers=bearer("sst_wrong"))
    assert (page.status_code, "The token is unknown" in page.text) == (200, True)
    assert client(lite).post("/access/logout", headers=twice).status_code == 400


def test_logging_in_and_out_by_forms(parts):
    user(parts, "anna", Role.VIEWER, PASSWORD)
    http = client(parts)
    wrong = http.post("/access/login", data={**FORM, "password": "x"}, headers=BROWSER)
    assert wrong.status_code == 401
    assert 'value="anna"' in wrong.text
    assert "the login name or the password is wrong".capitalize() in wrong.text
    assert PASSWORD not in wrong.text
    assert "set-cookie" not in wrong.headers
    done = http.post("/access/login", data=FORM, headers=BROWSER)
    assert (done.url.path, done.history[0].status_code) == ("/", 303)
    assert "<dd>viewer</dd>" in done.text
    session = http.cookies["steelsight_session"]
    ended = http.post("/access/logout", headers=BROWSER)
    assert (ended.url.path, 'action="/access/login"' in ended.text) == ("/", True)
    assert "steelsight_session" not in http.cookies
    assert client(parts).get("/api/v1/me", headers=cookie(session)).status_code == 401
    assert http.post("/access/logout", headers=BROWSER).url.path == "/"
    assert event_names(parts)[-2:] == ["login", "logout"]


def test_a_login_by_the_form_is_throttled_and_renews_the_session(lite, stopped_clock):
    user(lite, "anna", Role.VIEWER, PASSWORD)
    chosen = {**BROWSER, "cookie": "steelsight_session=chosen-by-another"}
    done = client(lite).post("/access/login", data=FORM, headers=chosen, follow_redirects=False)
    assert done.status_code == 303
    assert "chosen" not in done.cookies["steelsight_session"]
    other = client(lite)
    answers = [other.post("/access/login", data={**FORM, "password": "x"}, headers=BROWSER) for _ in range(6)]
    assert [each.status_code for each in answers] == [401] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert "too many failed logins".capitalize() in answers[-1].text


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:9"},
        {"origin": "http://elsewhere.example"},
        {"origin": "null"},
    ],
)
def test_a_form_of_another_site_does_nothing(lite, headers):
    person, secret = session_of(lite, Role.ADMIN, login="boss")
    user(lite, "anna", Role.VIEWER, PASSWORD)
    refused = client(lite).post("/access/login", data=FORM, headers=headers)
    assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)
    ends = {**headers, "cookie": f"steelsight_session={secret}"}
    assert client(lite).post("/access/logout", headers=ends).status_code == 403
    assert client(lite).get("/api/v1/me", headers=cookie(secret)).json()["person"] == person


def test_a_form_on_another_machine_needs_https(lite):
    answer = client(lite, base="http://steel.example").post("/access/login", data=FORM, headers=SAME)
    assert (answer.status_code, "Expected https" in answer.text) == (403, True)


def test_markup_in_names_is_shown_as_text(lite):
    person, secret = session_of(lite, Role.VIEWER)
    with lite.ledger.write() as connection:
        connection.execute(update(people).where(people.c.person == person).values(name="<b>x</b>"))
    assert "<dd>&lt;b&gt;x&lt;/b&gt;</dd>" in client(lite).get("/", headers=cookie(secret)).text
    wrong = {"login": '"><script>alert(1)</script>', "password": "x"}
    page = client(lite).post("/access/login", data=wrong, headers=SAME)
    assert (page.status_code, "<script" in page.text) == (401, False)


def test_the_pages_keep_the_strict_policy(lite):
    from starlette.testclient import TestClient

    http = TestClient(build_app(lite), base_url="http://127.0.0.1:8080")
    for path in ("/", "/access/style.css", "/access/link?secret=x"):
        answer = http.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
