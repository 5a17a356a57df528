"""Logging in and out, one-time links, passwords."""

import pytest
from sqlalchemy import select, update
from tests.service.access.conftest import SAME, client, user

from steelsight.ledger.database import accounts as tables
from steelsight.ledger.database import schema
from steelsight.ledger.proof.verify import verify
from steelsight.service.access.accounts import LINK_PATH, first_login, make_link
from steelsight.service.access.roles import Role

PASSWORD = "oil on the third stand"
API = "/api/v1"


def log_in(http, login="anna", password=PASSWORD):
    return http.post(f"{API}/login", json={"login": login, "password": password}, headers=SAME)


def events(parts):
    with parts.ledger.read() as connection:
        query = select(schema.events).order_by(schema.events.c.entered_us, schema.events.c.seq)
        return [(row.name, row.person, row.subject) for row in connection.execute(query)]


def test_from_the_first_link_to_a_login(parts):
    link = first_login(parts).partition("=")[2]
    http = client(parts)
    body = {"link": link, "password": PASSWORD}
    answer = http.post(f"{API}/links/redeem", json=body, headers=SAME)
    assert answer.status_code == 200, answer.text
    assert answer.json()["role"] == "admin"
    assert http.get(f"{API}/me").json()["person"] == answer.json()["person"]
    assert http.post(f"{API}/links/redeem", json=body, headers=SAME).status_code == 404
    assert first_login(parts) is None
    other = client(parts)
    assert log_in(other, "admin").status_code == 200
    assert other.post(f"{API}/logout", headers=SAME).status_code == 204
    assert other.get(f"{API}/me").status_code == 401
    assert http.get(f"{API}/me").status_code == 200
    person = answer.json()["person"]
    assert events(parts) == [
        ("account_added", None, person),
        ("link_made", None, person),
        ("password_changed", person, person),
        ("login", person, None),
        ("login", person, None),
        ("logout", person, None),
    ]
    assert verify(parts.ledger).clean


def test_a_link_opens_a_page_that_sets_the_password(parts):
    """Opening the page does not use the link up: programs that check mails open links too."""
    link = first_login(parts)
    http = client(parts)
    for _ in range(2):
        page = http.get(link)
        assert page.status_code == 200
        assert 'value="admin"' in page.text
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert "<script" not in page.text
    form = {"secret": link.partition("=")[2], "password": PASSWORD, "again": PASSWORD, "login": "admin"}
    for wrong, message in (
        ({"again": "another"}, "The two passwords differ."),
        ({"password": "short", "again": "short"}, "expected 12 to 1024 characters, got 5"),
        ({"password": "admin-admin-", "again": "admin-admin-"}, "beside the login name"),
    ):
        answer = http.post("/access/link", data={**form, **wrong}, headers=SAME)
        assert (answer.status_code, message in answer.text) == (422, True)
        assert "set-cookie" not in answer.headers
    foreign = {"sec-fetch-site": "cross-site", "origin": "http://elsewhere.example"}
    assert http.post("/access/link", data=form, headers=foreign).status_code == 403
    browser = {"sec-fetch-site": "same-origin", "origin": "null"}  # a form under Referrer-Policy: no-referrer
    done = http.post("/access/link", data=form, headers=browser)
    assert done.status_code == 200
    assert (done.url.path, done.history[0].status_code) == ("/", 303)
    assert "<dd>admin</dd>" in done.text
    assert http.get(f"{API}/me").json()["role"] == "admin"
    for answer in (http.get(link), http.post("/access/link", data=form, headers=SAME)):
        assert answer.status_code == 404
        assert "is unknown, was used, or has expired" in answer.text


@pytest.mark.parametrize(
    "secret", ["", "x", '"><script>alert(1)</script>', "a" * 200, "%0d%0aSet-Cookie:x=1"]
)
def test_a_link_of_any_form_is_unknown_and_shown_escaped(lite, secret):
    page = client(lite).get("/access/link", params={"secret": secret})
    assert page.status_code == 404
    assert "<script" not in page.text
    assert "set-cookie" not in page.headers


def test_a_name_in_the_page_is_escaped(lite):
    """A login name cannot hold markup; were it altered in the database, the page would show it as text."""
    person = user(lite, "anna")
    with lite.console.transaction() as (connection, writer):
        link = make_link(connection, writer, person, hours=1.0, by=None)
        connection.execute(update(tables.accounts).values(login='"><script>alert(1)</script>'))
    page = client(lite).get(LINK_PATH + link)
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text


def test_administrators_manage_accounts_and_tokens(parts):
    user(parts, "anna", Role.ADMIN, PASSWORD)
    http = client(parts)
    log_in(http)
    made = http.post(
        f"{API}/users", json={"login": "Ben", "role": "operator", "name": "Ben B."}, headers=SAME
    )
    assert made.status_code == 201
    ben, link = made.json()["user"], made.json()["link"]["path"].partition("=")[2]
    assert (ben["login"], ben["name"], ben["has_password"]) == ("ben", "Ben B.", False)
    again = http.post(f"{API}/users", json={"login": "BEN", "role": "viewer"}, headers=SAME)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "taken_account")
    other = client(parts)
    body = {"link": link, "password": PASSWORD}
    assert other.post(f"{API}/links/redeem", json=body, headers=SAME).status_code == 200
    assert http.put(f"{API}/users/{ben['person']}/role", json={"role": "engineer"}, headers=SAME).json()[
        "role"
    ] == ("engineer")
    assert other.get(f"{API}/me").json()["role"] == "engineer"
    assert http.delete(f"{API}/users/{ben['person']}/sessions", headers=SAME).status_code == 204
    assert other.get(f"{API}/me").status_code == 401
    assert [each["login"] for each in http.get(f"{API}/users").json()["users"]] == ["anna", "ben"]
    new = http.post(f"{API}/tokens", json={"name": "prometheus", "scopes": ["read"]}, headers=SAME).json()
    machine = client(parts, headers={"authorization": f"Bearer {new['secret']}"})
    assert machine.get(f"{API}/me").json() == {
        **dict.fromkeys(("person", "role", "csrf")),
        "name": "prometheus",
        "permissions": ["read"],
    }
    (listed,) = http.get(f"{API}/tokens").json()["tokens"]
    assert listed["used_us"] is not None
    assert "secret" not in listed
    assert http.delete(f"{API}/tokens/{listed['id']}", headers=SAME).status_code == 204
    assert machine.get(f"{API}/me").status_code == 401
    assert http.delete(f"{API}/tokens/{listed['id']}", headers=SAME).status_code == 404
    assert verify(parts.ledger).clean
