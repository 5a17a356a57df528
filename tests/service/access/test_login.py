"""Logging in and out, one-time links, passwords."""

from sqlalchemy import select
from tests.service.access.conftest import SAME, client

from steelsight.ledger.database import schema
from steelsight.ledger.proof.verify import verify
from steelsight.service.access.accounts import first_login

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
