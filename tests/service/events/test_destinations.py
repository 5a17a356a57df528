"""/api/v1/destinations: who may do what, what is shown, and what is refused."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from tests.ledger.conftest import judged
from tests.service.access.test_guard import session_of, token_of
from tests.service.events.conftest import build
from tests.service.events.receivers import LOOPBACK, receiving, until

from steelsight.ledger.database.schema import events
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.reading.cursors import Cursor, cursor_text
from steelsight.ledger.writing.writer import open_writer
from steelsight.service.access.roles import PERMISSIONS, Permission, Role

PATH = "/api/v1/destinations"
HOOK = {"name": "a receiver", "kind": "webhook", "address": "https://receiver.example/hook"}
SAME = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def parts(ledger, make_parts):
    return make_parts(ledger, allowed_networks=LOOPBACK, delivery_timeout_s=2, deliver=False)


@pytest.fixture
def http(parts):
    """A client of an engineer."""
    _, secret = token_of(parts, Permission.CONFIGURE)
    with TestClient(build(parts), headers={"authorization": f"Bearer {secret}"}) as client:
        yield client


def made(http, **values):
    answer = http.post(PATH, json={**HOOK, **values})
    assert answer.status_code == 201, answer.text
    return answer.json()


def on_record(ledger):
    """Events about destinations: name, subject, details."""
    with ledger.read() as connection:
        query = select(events).where(events.c.name.like("destination%")).order_by(events.c.seq)
        return [(row.name, row.subject, row.details, row.person) for row in connection.execute(query)]


def test_a_webhook_is_made_shown_changed_and_deleted(http, ledger):
    first = made(http, filter={"kinds": ["verdict"], "labels": ["scratch", "patch"]})
    assert first["secret"].startswith("whsec_")
    assert first["filter"]["labels"] == ["patch", "scratch"]
    assert first["filter"]["people"] is False
    path = f"{PATH}/{first['id']}"
    shown = http.get(path).json()
    assert shown == {name: value for name, value in first.items() if name != "secret"}
    assert (shown["state"], shown["delivered"], shown["failures"], shown["behind"]) == ("active", 0, 0, 1)
    changed = http.patch(path, json={"name": "another", "state": "paused"}).json()
    assert (changed["name"], changed["state"], changed["address"]) == ("another", "paused", HOOK["address"])
    assert changed["filter"] == first["filter"]
    changed = http.patch(path, json={"filter": {}, "state": "active"}).json()
    assert changed["filter"]["kinds"] == []
    assert [each["id"] for each in http.get(PATH).json()] == [first["id"]]
    assert http.delete(path).status_code == 204
    assert http.get(PATH).json() == []
    for call in (http.get(path), http.delete(path), http.patch(path, json={}), http.post(f"{path}/test")):
        assert call.status_code == 404
        assert call.json()["error"]["code"] == "not_found"
    recorded = on_record(ledger)
    assert [name for name, *_ in recorded] == [
        *("destination_created", "destination_changed", "destination_changed", "destination_deleted")
    ]
    assert {subject for _, subject, *_ in recorded} == {first["id"]}
    assert "receiver.example" in recorded[0][2]
    assert "hook" not in "".join(details.replace("webhook", "") for _, _, details, _ in recorded)
    assert verify(ledger).clean


def test_the_person_who_changes_a_destination_is_on_record(parts, ledger):
    person, secret = session_of(parts, Role.ENGINEER)
    with TestClient(build(parts), cookies={"steelsight_session": secret}, headers=SAME) as client:
        made(client)
    assert [each[3] for each in on_record(ledger)] == [person]


def test_secrets_are_shown_once(http):
    first = made(http)
    rotated = http.post(f"{PATH}/{first['id']}/rotate", json={"overlap_hours": 1}).json()
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != first["secret"]
    assert rotated["earlier_secret_until"] is not None
    broker = made(http, kind="mqtt", address="mqtts://broker.example", password="pass-word-1")
    assert broker["secret"] is None
    assert broker["has_password"] is True
    again = http.patch(
        f"{PATH}/{broker['id']}", json={"password": "pass-word-2", "connection": {"username": "u"}}
    )
    assert again.json()["connection"]["username"] == "u"
    everything = http.get(PATH).text + http.get(f"{PATH}/{broker['id']}").text + broker.__str__() + again.text
    for secret in (first["secret"], rotated["secret"], "pass-word-1", "pass-word-2"):
        assert secret not in everything


@pytest.mark.parametrize("role", Role)
def test_only_who_may_configure_reaches_a_route(parts, role):
    _, secret = session_of(parts, role)
    with TestClient(build(parts), cookies={"steelsight_session": secret}, headers=SAME) as client:
        allowed = Permission.CONFIGURE in PERMISSIONS[role]
        calls = [
            client.get(PATH),
            client.post(PATH, json={}),
            client.get(f"{PATH}/x"),
            client.patch(f"{PATH}/x", json={}),
            client.delete(f"{PATH}/x"),
            client.post(f"{PATH}/x/rotate", json={}),
            client.post(f"{PATH}/x/skip", json={"writer": "a", "seq": 1}),
            client.post(f"{PATH}/x/test"),
        ]
        for call in calls:
            assert (call.status_code != 403) == allowed
        people = client.post(PATH, json={**HOOK, "filter": {"people": True}})
        expected = {Role.ADMIN: 201}.get(role, 403)
        assert people.status_code == expected
        if allowed and role is not Role.ADMIN:
            assert "filter.people: expected the permission audit" in people.text


def test_an_engineer_cannot_redirect_what_holds_ids_of_people(parts):
    _, admin = session_of(parts, Role.ADMIN, "admin")
    _, engineer = session_of(parts, Role.ENGINEER, "engineer")
    with TestClient(build(parts), headers=SAME) as client:
        client.cookies.set("steelsight_session", admin)
        identity = made(client, filter={"people": True})["id"]
        client.cookies.clear()
        client.cookies.set("steelsight_session", engineer)
        refused = client.patch(f"{PATH}/{identity}", json={"address": "https://other.example/"})
        assert refused.status_code == 403
        taken_out = client.patch(
            f"{PATH}/{identity}", json={"address": "https://other.example/", "filter": {}}
        )
        assert taken_out.status_code == 200


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"address": "ftp://receiver.example"}, "address: expected https://HOST or http://HOST"),
        ({"address": "https://user:word@receiver.example"}, "expected no user name and no password"),
        ({"address": "http://10.0.0.1/"}, "10.0.0.1, is not public"),
        ({"address": "http://[::ffff:10.0.0.1]/"}, "which leads to 10.0.0.1, is not public"),
        ({"address": "http://0xa000001/"}, "10.0.0.1, is not public"),
        ({"address": "mqtt://receiver.example"}, "address: expected https://HOST"),
        ({"kind": "mqtt"}, "address: expected mqtts://HOST or mqtt://HOST"),
        ({"kind": "smtp"}, "kind: Input should be 'webhook' or 'mqtt'"),
        ({"name": ""}, "name: String should have at least 1 character"),
        ({"name": "a\nb"}, "name: String should match pattern"),
        ({"password": "x"}, "a webhook has no password"),
        ({"filter": {"kinds": ["verdicts"]}}, "filter.kinds.0: Input should be"),
        ({"filter": {"colour": "red"}}, "filter.colour: Extra inputs are not permitted"),
        ({"connection": {"ca": "no certificate"}}, "ca: expected certificates in PEM"),
        ({"connection": {"topic": "a/#"}}, "connection.topic: String should match pattern"),
        ({"connection": {"topic": "$SYS"}}, "connection.topic: String should match pattern"),
        ({"begin": "yesterday"}, "cursor: expected `1.`"),
        ({"secret": "whsec_x"}, "secret: Extra inputs are not permitted"),
    ],
)
def test_an_impossible_destination_is_refused_by_name(http, ledger, values, words):
    answer = http.post(PATH, json={**HOOK, **values})
    assert answer.status_code == 422
    assert words in answer.json()["error"]["message"]
    assert http.get(PATH).json() == []
    assert on_record(ledger) == []


def test_a_change_to_an_impossible_address_is_refused(http):
    identity = made(http)["id"]
    for address in ("mqtt://broker.example", "http://192.168.0.1/", "https://a@b/"):
        assert http.patch(f"{PATH}/{identity}", json={"address": address}).status_code == 422
    assert http.patch(f"{PATH}/{identity}", json={"password": "x"}).status_code == 422
    assert http.get(f"{PATH}/{identity}").json()["address"] == HOOK["address"]


def test_rotation_and_skipping_are_refused_where_there_is_nothing_to_do(http):
    broker = made(http, kind="mqtt", address="mqtts://broker.example")["id"]
    refused = http.post(f"{PATH}/{broker}/rotate", json={})
    assert "is no webhook; change its password instead" in refused.text
    skipped = http.post(f"{PATH}/{broker}/skip", json={"writer": "line-1", "seq": 1})
    assert "cannot skip entry 1 of line-1: none is refused now" in skipped.text


def test_a_destination_begins_where_it_is_told(http, ledger):
    with open_writer(ledger, "line-1") as writer:
        writer.append(judged(0, 5))
    assert made(http)["behind"] == 1  # the event of its creation
    begun = made(http, begin=cursor_text(ledger.id, Cursor(1, {"line-1": 6})))
    everything = made(http, begin="beginning")
    assert everything["behind"] - begun["behind"] >= 6
    past = http.post(PATH, json={**HOOK, "begin": cursor_text(ledger.id, Cursor(1, {"line-1": 11}))})
    assert "line-1 ends with entry 10, the cursor is after entry 11" in past.text


def test_a_test_message_says_what_came_of_it(http):
    with receiving() as receiver:
        found = made(http, address=receiver.url)
        tested = http.post(f"{PATH}/{found['id']}/test").json()
        assert tested["delivered"] is True
        assert tested["error"] is None
        (request,) = receiver.got
        assert request.signed_with(found["secret"])
        assert request.json["type"] == "test"
        assert request.id == request.json["id"] == tested["message_id"]
        assert request.json["destination"] == found["id"]
        receiver.answer = 500
        failed = http.post(f"{PATH}/{found['id']}/test").json()
        assert (failed["delivered"], failed["error"]) == (False, "answered 500")
    broker = made(http, kind="mqtt", address=f"mqtt://127.0.0.1:{receiver.port}")
    failed = http.post(f"{PATH}/{broker['id']}/test").json()
    assert failed["delivered"] is False
    assert f"127.0.0.1:{receiver.port}: " in failed["error"]


def test_there_is_a_limit_of_destinations(http, monkeypatch):
    monkeypatch.setattr("steelsight.service.events.outbox.routes.MOST", 2)
    made(http)
    made(http)
    refused = http.post(PATH, json=HOOK)
    assert refused.status_code == 422
    assert "there are 2 already; delete one first" in refused.text


def test_the_application_delivers_and_shows_how_far_it_is(ledger, make_parts):
    parts = make_parts(ledger, allowed_networks=LOOPBACK)
    _, secret = token_of(parts, Permission.CONFIGURE)
    app = build(parts)
    with (
        receiving() as receiver,
        TestClient(app, headers={"authorization": f"Bearer {secret}"}) as client,
        open_writer(ledger, "line-1") as writer,
    ):
        found = made(client, address=receiver.url)
        writer.append(judged(0, 3))
        until(lambda: len(receiver.accepted) >= 6)
        until(lambda: client.get(f"{PATH}/{found['id']}").json()["behind"] == 0)
        shown = client.get(f"{PATH}/{found['id']}").json()
        assert shown["delivered"] == 6
        assert shown["last_delivered"].endswith("Z")
        figures = {
            (sample.name, sample.labels.get("destination")): sample.value
            for metric in parts.metrics.collect()
            for sample in metric.samples
        }
        assert figures["steelsight_delivered_messages_total", found["id"]] == 6
        assert figures["steelsight_delivery_behind_entries", found["id"]] == 0
        assert figures["steelsight_delivery_failing_seconds", found["id"]] == 0
        assert figures["steelsight_delivery_active", found["id"]] == 1
        assert figures["steelsight_event_streams", None] == 0
    assert not app.state.delivery.running


def test_a_stored_password_is_not_sent_to_another_broker(http):
    """Who may change addresses may not thereby read a password that another person gave."""
    broker = made(http, kind="mqtt", address="mqtts://broker.example", password="pass-word-1")
    path = f"{PATH}/{broker['id']}"
    for change in ({"address": "mqtt://elsewhere.example"}, {"address": "mqtts://broker.example:9"}):
        answer = http.patch(path, json=change)
        assert answer.status_code == 422
        assert "password: expected it again" in answer.json()["error"]["message"]
        assert http.patch(path, json={**change, "password": "pass-word-2"}).status_code == 200
        assert http.patch(path, json={**change, "name": "the same address"}).status_code == 200
    assert http.patch(path, json={"connection": {"topic": "other"}}).status_code == 200


def test_the_secret_of_a_webhook_with_people_needs_the_permission(http, parts):
    _, secret = token_of(parts, Permission.CONFIGURE, Permission.AUDIT)
    audit = {"authorization": f"Bearer {secret}"}
    hook = http.post(PATH, json={**HOOK, "filter": {"people": True}}, headers=audit).json()
    path = f"{PATH}/{hook['id']}/rotate"
    assert http.post(path, json={}).status_code == 403
    assert http.post(path, json={}, headers=audit).json()["secret"] != hook["secret"]
