"""The pages of administrators over HTTP: accounts, tokens, stations, retention, audit log."""

import csv
import io
import json
import re

import pytest
from sqlalchemy import select, update
from tests.service.access.conftest import PASSWORD, code, event_names, log_in, token_of, user
from tests.service.pages.conftest import fill, sheet_of, verdict_of

from steelsight.ledger.chain import event_names as kinds
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.database import accounts as tables
from steelsight.ledger.database import schema
from steelsight.ledger.writing.writer import now_us, open_writer
from steelsight.service.access.accounts import account_of_login
from steelsight.service.access.roles import Permission, Role
from steelsight.service.access.tokens import list_tokens
from steelsight.service.pages.admin import log, retention
from steelsight.service.wording.event_kinds import event_kind_text
from steelsight.service.wording.page_words import ENGLISH

HTML = {"accept": "text/html"}
PAGES = ("/admin", "/admin/tokens", "/admin/stations", "/admin/retention")
KEY, OTHER_KEY = "0" * 32, "1" * 32
HOSTILE = "<b>x</b>\u202e" + "y" * 180


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    monkeypatch.setattr(retention, "WAIT_S", 300.0)


def admin(service, member, login="boss"):
    client = member(service, Role.ADMIN, login=login)
    with service.ledger.write() as connection:  # one who can log in, so that rules of the last one apply
        connection.execute(
            update(tables.accounts).where(tables.accounts.c.person == client.person).values(password="x")
        )
    client.follow_redirects = False
    return client


def events(service, name):
    table = schema.events
    with service.ledger.read() as connection:
        query = select(table).where(table.c.name == name).order_by(table.c.entered_us, table.c.seq)
        return [dict(row._mapping) for row in connection.execute(query)]


def account(service, login):
    with service.ledger.read() as connection:
        return account_of_login(connection, login)


def added(client, login="carl", key=KEY, **values):
    return client.post("/admin/users", data={"login": login, "role": "operator", "key": key, **values})


def link_of(answer):
    return re.search(r"<code>(http[^<]+)</code>", answer.text)[1]


@pytest.mark.parametrize("role", Role)
def test_each_page_is_for_its_roles(closed, member, role):
    client = member(closed, role)
    for address in PAGES:
        assert client.get(address, headers=HTML).status_code == (200 if role is Role.ADMIN else 403)
    audits = role in (Role.ADMIN, Role.AUDITOR)
    for address in ("/audit", "/audit/events.csv"):
        assert client.get(address, headers=HTML).status_code == (200 if audits else 403)
    line = client.get("/line").text
    assert ('href="/admin"' in line) is (role is Role.ADMIN)
    assert ('href="/audit"' in line) is audits
    assert added(client).status_code == (201 if role is Role.ADMIN else 403)


# ---- users ----


def test_a_user_is_added_with_a_link_that_sets_the_password(both, member):
    client = admin(both, member)
    answer = added(client, "Carl", name="Carl C.")
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert account(both, "carl").name == "Carl C."
    address = link_of(answer)
    assert address.startswith("http://127.0.0.1:8080/access/link?secret=")
    assert "Carl C." in client.get("/admin").text
    assert address not in client.get("/admin").text
    (event,) = events(both, "account_added")[-1:]
    assert (event["person"], event["subject"]) == (client.person, account(both, "carl").person)


def test_the_form_twice_makes_one_account_and_the_last_link_works(closed, member):
    client = admin(closed, member)
    first, second = added(client), added(client)
    assert (first.status_code, second.status_code) == (201, 201)
    assert link_of(first) != link_of(second)
    assert "The form came twice" in second.text
    third = added(client)
    assert third.status_code == 201
    path = [link_of(each).partition("8080")[2] for each in (first, second, third)]
    assert [client.get(each).status_code for each in path] == [404, 404, 200] or [
        "works once" in client.get(each).text for each in path
    ] == [False, False, True]
    assert event_names(closed).count("account_added") == 2  # the administrator's and this one


def test_a_form_whose_account_is_in_use_makes_no_other_link(closed, member):
    client = admin(closed, member)
    added(client)
    with closed.ledger.write() as connection:
        connection.execute(
            update(tables.accounts).where(tables.accounts.c.login == "carl").values(password="x")
        )
    again = added(client)
    assert again.status_code == 409
    assert "was sent before" in again.text
    assert added(client, "someone else").status_code == 422  # the same key with another request


@pytest.mark.parametrize(
    ("values", "status", "words"),
    [
        ({"login": "boss"}, 409, "is in use"),
        ({"login": "<b>"}, 422, "expected 1 to 100 letters"),
        ({"login": "carl", "name": "a\u0007b"}, 422, "printable"),
    ],
)
def test_what_cannot_be_added_is_said_and_the_form_is_kept(closed, member, values, status, words):
    answer = added(admin(closed, member), address="c@x.example", **values)
    assert answer.status_code == status
    assert words in answer.text
    assert "c@x.example" in answer.text
    assert "<b>" not in answer.text
    assert event_names(closed).count("account_added") == 1


def change(client, person, what, **data):
    return client.post(f"/admin/users/{person}/{what}", data=data)


def test_a_role_is_changed_once_and_a_stale_form_changes_nothing(closed, member):
    client = admin(closed, member)
    person = user(closed, "carl", Role.OPERATOR)
    done = change(client, person, "role", was="operator", role="engineer")
    assert (done.status_code, done.headers["location"]) == (303, "/admin")
    assert (
        change(client, person, "role", was="operator", role="engineer").status_code == 303
    )  # a second click
    assert len(events(closed, "role_changed")) == 1
    stale = change(client, person, "role", was="operator", role="viewer")
    assert stale.status_code == 409
    assert "was changed meanwhile: it is engineer now" in stale.text
    assert account(closed, "carl").role is Role.ENGINEER
    (event,) = events(closed, "role_changed")
    assert event["person"] == client.person
    assert change(client, person, "role", was="engineer", role="king").status_code == 422
    assert change(client, "f" * 32, "role", was="engineer", role="viewer").status_code == 404


def test_the_last_administrator_stays(closed, member):
    client = admin(closed, member)
    for answer in (
        change(client, client.person, "role", was="admin", role="viewer"),
        change(client, client.person, "disable"),
    ):
        assert answer.status_code == 409
        assert "is the last administrator" in answer.text
    other = admin(closed, member, login="deputy")
    assert change(other, client.person, "disable").status_code == 303
    assert change(client, other.person, "disable").status_code == 401
    assert change(other, other.person, "disable").status_code == 409


def test_an_account_is_disabled_and_enabled_and_its_sessions_end(both, member):
    client, carl = admin(both, member), member(both, Role.OPERATOR, login="carl")
    assert carl.get("/api/v1/me").status_code == 200
    for _ in range(2):
        assert change(client, carl.person, "disable").status_code == 303
    assert carl.get("/api/v1/me").status_code == 401
    assert "disabled" in client.get("/admin").text
    refused = change(client, carl.person, "link")
    assert refused.status_code == 422
    assert "enable it first" in refused.text
    for _ in range(2):
        assert change(client, carl.person, "enable").status_code == 303
    names = event_names(both)
    assert (names.count("account_disabled"), names.count("account_enabled")) == (1, 1)


def test_sessions_are_ended(closed, member):
    client, carl = admin(closed, member), member(closed, Role.OPERATOR, login="carl")
    row = re.search(rf'id="{carl.person}".*?</tr>', client.get("/admin").text, re.DOTALL)[0]
    assert '<td class="number">1</td>' in row
    assert change(client, carl.person, "sessions").status_code == 303
    assert carl.get("/api/v1/me").status_code == 401
    (event,) = events(closed, "sessions_revoked")
    assert json.loads(event["details"]) == {"sessions_ended": 1}


def test_a_link_for_a_new_password_leaves_the_current_one(closed, member):
    client = admin(closed, member)
    person = user(closed, "carl", Role.OPERATOR, password=PASSWORD)
    answer = change(client, person, "link")
    assert answer.status_code == 200
    assert "works once" in client.get(link_of(answer).partition("8080")[2]).text
    assert log_in(client, "carl").status_code == 200


def test_a_token_reaches_no_further_than_itself(closed, client_of):
    secret = token_of(closed, Permission.USERS, Permission.READ)[1]
    client = client_of(closed, authorization=f"Bearer {secret}")
    assert client.get("/admin").status_code == 200
    refused = client.post("/admin/users", data={"login": "eve", "role": "admin", "key": KEY})
    assert refused.status_code == 403
    assert "which the caller may not" in refused.text
    assert client.post("/admin/users", data={"login": "eve", "role": "viewer", "key": KEY}).status_code == 201


def test_a_form_of_another_site_does_nothing(closed, member):
    client = admin(closed, member)
    headers = {"sec-fetch-site": "cross-site"}
    data = {"login": "eve", "role": "admin", "key": KEY}
    assert client.post("/admin/users", data=data, headers=headers).status_code == 403
    assert account(closed, "eve") is None


def test_a_form_after_the_session_has_ended_leads_to_the_login(closed, member):
    client = admin(closed, member)
    with closed.ledger.write() as connection:
        connection.execute(update(tables.sessions).values(revoked_us=now_us()))
    answer = client.post(f"/admin/users/{client.person}/disable", data={"x": "y"}, headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?next=%2Fadmin")
    page = client.post("/admin/users", data={"x": "y"})
    assert code(page) == "not_logged_in"


def test_a_form_that_no_page_sends_is_refused_as_a_page(closed, member):
    answer = admin(closed, member).post("/admin/users", data={"login": "x"}, headers=HTML)
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")


def test_hostile_names_are_text(closed, member):
    client = admin(closed, member)
    user(closed, "carl", Role.OPERATOR)
    with closed.ledger.write() as connection:
        connection.execute(update(schema.people).values(name=HOSTILE, address="<i>"))
    for address in ("/admin", "/audit"):
        page = client.get(address).text
        assert "<b>x" not in page
        assert "\u202e" not in page


# ---- tokens ----


def made_token(client, key=KEY, **values):
    data = {"name": "prometheus", "scopes": ["read", "export"], "days": "30", "key": key, **values}
    return client.post("/admin/tokens", data=data)


def secret_of(answer):
    return re.search(r"<code>(sst_[^<]+)</code>", answer.text)[1]


def test_a_token_is_shown_once_and_revoked(both, member, client_of):
    client = admin(both, member)
    answer = made_token(client)
    secret = secret_of(answer)
    assert answer.status_code == 201
    machine = client_of(both, authorization=f"Bearer {secret}")
    assert machine.get("/api/v1/me").json()["permissions"] == ["export", "read"]
    page = client.get("/admin/tokens").text
    assert "prometheus" in page
    assert secret not in page
    (event,) = events(both, "token_created")
    assert event["person"] == client.person
    for _ in range(2):
        assert client.post(f"/admin/tokens/{event['subject']}/revoke").status_code == 303
    assert len(events(both, "token_revoked")) == 1
    assert machine.get("/api/v1/me").status_code == 401
    assert client.post(f"/admin/tokens/{'f' * 32}/revoke").status_code == 404


def test_the_form_of_a_token_twice_leaves_one_valid_token(closed, member, client_of):
    client = admin(closed, member)
    secrets = [secret_of(made_token(client)) for _ in range(3)]
    with closed.ledger.read() as connection:
        valid = [each for each in list_tokens(connection) if each.valid(now_us())]
    assert len(valid) == 1
    states = [
        client_of(closed, authorization=f"Bearer {each}").get("/api/v1/me").status_code for each in secrets
    ]
    assert states == [401, 401, 200]
    again = made_token(client)
    assert again.status_code == 409  # the last one is in use
    assert "was sent before" in again.text


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"scopes": []}, "expected at least one scope"),
        ({"name": " "}, "expected a name"),
        ({"name": "n" * 101}, "expected a name"),
    ],
)
def test_impossible_tokens_are_refused(closed, member, values, words):
    answer = made_token(admin(closed, member), **values)
    assert answer.status_code == 422
    assert words in answer.text
    assert event_names(closed).count("token_created") == 0


@pytest.mark.parametrize("days", ["-1", "nan", "1e9", "soon"])
def test_impossible_days_are_refused(closed, member, days):
    assert made_token(admin(closed, member), days=days).status_code == 422


def test_a_token_for_ever(closed, member):
    made_token(admin(closed, member), days="0")
    with closed.ledger.read() as connection:
        assert [each.expires_us for each in list_tokens(connection)] == [None]


# ---- stations and retention ----


def test_stations_show_their_last_verdict_which_then_counts_as_seen(closed, member):
    client = admin(closed, member)
    (name,) = fill(closed, 1, drawn={0})
    model = closed.bundles.default.bundle.card.model_id
    seen = sheet_of(5, station=HOSTILE[:60], coil="<i>C</i>")
    with open_writer(closed.ledger, "<b>x</b>") as writer:
        writer.append([seen, verdict_of(seen, model, label="none", probability=0.99)])
    page = client.get("/admin/stations").text
    assert "type 1" in page
    assert "packaged" in page
    assert "<b>x" not in page
    assert "<i>C" not in page
    claimed = client.post("/review/claim", json={"sheet": None}).json()
    assert claimed["sheet"] != name


def test_retention_counts_and_removes_nothing(both, member):
    client = admin(both, member)
    fill(both, 3, probability=0.99)
    fill(both, 1, start=3, drawn={3}, probability=0.99)
    assert "0 images could be removed" in client.get("/admin/retention").text
    page = client.get("/admin/retention?days=0").text
    assert "3 images could be removed" in page
    assert "1 old one is kept" in page
    assert "never" in page
    assert event_names(both).count("images_pruned") == 0
    details = {"days": 30.0, "images": ["a" * 64, "b" * 64]}
    with both.console.transaction() as (connection, writer):
        writer.append_within(connection, [Event(name="images_pruned", details=details)] * 2)
    assert "4 images, older than 30 days" in " ".join(client.get("/admin/retention").text.split())
    for days in ("-1", "nan", "x"):
        assert client.get(f"/admin/retention?days={days}").status_code == 422


# ---- audit log ----


def shown_kinds(page):
    """The names of the events, which are the titles of their words."""
    return re.findall(r'<th scope="row" title="(\w+)"><bdi>[^<]+</bdi>', page)


def test_the_log_is_filtered_by_kind_person_and_day(both, member):
    client = admin(both, member)
    person = user(both, "carl", Role.OPERATOR)
    change(client, person, "role", was="operator", role="viewer")
    user(both, "dora", Role.OPERATOR)
    assert len(shown_kinds(client.get("/audit").text)) == 4
    assert shown_kinds(client.get("/audit?kind=role_changed").text) == ["role_changed"]
    about = client.get(f"/audit?person={person}").text
    assert shown_kinds(about) == ["role_changed", "account_added"]
    assert "boss" in about
    assert shown_kinds(client.get("/audit?until=2001-01-01").text) == []
    assert len(shown_kinds(client.get("/audit?since=2001-01-01&until=").text)) == 4
    assert "No event." in client.get(f"/audit?person={'f' * 32}").text
    assert code(client.get("/audit?since=2026-02-02&until=2026-02-01")) == "bad_period"


def test_the_log_is_read_page_by_page(closed, member, monkeypatch):
    monkeypatch.setattr(log, "ROWS", 3)
    client = admin(closed, member)
    notes = [Event(name=f"note_{number}") for number in range(7)]
    with closed.console.transaction() as (connection, writer):
        writer.append_within(connection, notes)
    found, address = [], "/audit"
    while address:
        page = client.get(address).text
        found += shown_kinds(page)
        following = re.search(r'href="([^"]*cursor=[^"]*)"', page)
        address = following and following[1].replace("&amp;", "&")
    assert found == [*(f"note_{number}" for number in range(6, -1, -1)), "account_added"]
    assert client.get("/audit?cursor=nonsense").status_code == 422


def test_events_and_their_details_are_in_words_and_long_details_open(closed, member):
    client = admin(closed, member)
    long = {"by": "<b>link</b>", "sessions_ended": 2, "text": "x" * 400 + "end"}
    with closed.console.transaction() as (connection, writer):
        writer.append_within(connection, [Event(name="password_changed", details=long), Event(name="note")])
    page = client.get("/audit", headers={"Accept-Language": "de"}).text
    assert 'title="password_changed"><bdi>Passwort geändert</bdi>' in page
    assert 'title="note"><bdi>note</bdi>' in page  # no words: the name as it stands
    assert '<option value="password_changed">Passwort geändert</option>' in page
    (opened,) = re.findall(r"<details>(.+?)</details>", page)
    assert "by: &lt;b&gt;link&lt;/b&gt; · sessions_ended: 2 · text: xxx" in opened
    assert opened.count("xend") == 1
    assert "role: admin" in page  # of account_added, which is short


def test_every_kind_of_event_of_the_ledger_has_words():
    names = [value for name, value in vars(kinds).items() if name.isupper() and isinstance(value, str)]
    assert len(names) > 20
    for name in names:
        assert event_kind_text(ENGLISH, name) != name


def test_the_log_as_csv_names_nobody_and_is_an_event(closed, member):
    client = admin(closed, member)
    with closed.console.transaction() as (connection, writer):
        writer.append_within(connection, [Event(name="note", subject="=1+1", details={"a": "<b>"})])
    rows = list(csv.reader(io.StringIO(client.get("/audit/events.csv").text)))
    assert rows[0] == ["entered", "writer", "seq", "name", "person", "subject", "details"]
    assert [row[3] for row in rows[1:]] == ["note", "account_added"]
    assert rows[1][5] == "'=1+1"
    assert "boss" not in str(rows)
    (event,) = events(closed, "export")
    assert event["person"] == client.person
    assert json.loads(event["details"]) == {"format": "csv", "rows": {"events": 2}}


def test_right_answers_of_known_cases_are_not_for_those_who_review(closed, member):
    client, auditor = admin(closed, member), member(closed, Role.AUDITOR, login="carla")
    case = Event(name="known_case", subject="a" * 32, details={"label": "type 3"})
    with closed.console.transaction() as (connection, writer):
        writer.append_within(connection, [case])
    for address in ("/audit", "/audit/events.csv"):
        assert "type 3" not in client.get(address).text
        assert "type 3" in auditor.get(address).text


def test_too_many_events_are_refused_whole(closed, member, monkeypatch):
    monkeypatch.setattr(log, "MOST_ROWS", 2)
    monkeypatch.setattr(log, "LONGEST_PAGE", 2)
    client = admin(closed, member)
    with closed.console.transaction() as (connection, writer):
        writer.append_within(connection, [Event(name=f"note_{number}") for number in range(5)])
    assert code(client.get("/audit/events.csv")) == "too_many_rows"
    assert events(closed, "export") == []
    assert client.get("/audit/events.csv?kind=note_1").status_code == 200
