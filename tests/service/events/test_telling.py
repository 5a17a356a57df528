"""Draws and answers of others in streams of people: left out for operators, on record for the rest."""

import pytest
from sqlalchemy import select
from tests.ledger.conftest import sheet, verdict
from tests.service.access.conftest import FAST
from tests.service.access.test_guard import session_of, token_of
from tests.service.events.conftest import build, listening, serving
from tests.service.events.test_stream import begin_of

from steelsight.errors import BadLedger
from steelsight.ledger.chain.entries import Draw, Event, Review
from steelsight.ledger.chain.event_names import KNOWN_CASE, REVIEW_WITHDRAWN
from steelsight.ledger.database.reviewing import seen_sheets
from steelsight.ledger.writing.writer import open_writer
from steelsight.service.access.roles import Permission, Role
from steelsight.service.events import routes

OTHER, THIRD = "5" * 32, "6" * 32


@pytest.fixture
def parts(ledger, make_parts):
    """Every sheet is reviewed by two people; on each kind of database."""
    return make_parts(ledger, second_review_share=1.0, stream_heartbeat_s=0.2, **FAST)


def draw_of(seen):
    return Draw(sheet=seen.sheet, stratum="none", probability=0.5, value=0.1, key_commitment="a" * 64)


def said(seen, person, **values):
    return Review(sheet=seen.sheet, person=person, **{"answer": "corrected", "label": "type 3", **values})


def enter(ledger, *entries):
    with open_writer(ledger, "line-1") as writer:
        return writer.append(list(entries))


def heard(url, ledger, kinds, **request):
    """Kind and sheet of what a stream sends from the beginning, up to an event that ends the test."""
    enter(ledger, Event(name="database_back"))
    params = {"after": begin_of(ledger), "kind": [*kinds, "event"], "station": "line-1"}
    found = []
    with listening(url, params=params, **request) as stream:
        while True:
            (each,) = stream.messages(1)
            if each.event == "event":
                return found
            found.append((each.event, each.json["data"]["sheet"]))


def noted(ledger, person):
    with ledger.read() as connection:
        query = select(seen_sheets.c.sheet).where(seen_sheets.c.person == person)
        return set(connection.execute(query).scalars())


def test_what_each_role_is_told(parts, ledger):
    first, both, drawn, known = (sheet(number) for number in range(4))
    for seen in (first, both, drawn, known):
        enter(ledger, seen, verdict(seen))
    enter(ledger, draw_of(drawn), *(said(seen, OTHER) for seen in (first, both, drawn, known)))
    enter(ledger, said(both, THIRD))
    with open_writer(ledger, "ledger") as writer:
        writer.append([Event(name=KNOWN_CASE, subject=known.sheet, details={"label": "type 3"})])
    reviews = [("review", each.sheet) for each in (first, both, drawn, known, both)]
    everything = [("draw", drawn.sheet), *reviews]
    kinds = ("draw", "review")
    secrets = {role: session_of(parts, role, login=role.value) for role in Role}
    _, token = token_of(parts, Permission.READ, Permission.REVIEW)
    with serving(build(parts)) as url:
        got = {
            role: heard(url, ledger, kinds, cookies={"steelsight_session": secret})
            for role, (_, secret) in secrets.items()
        }
        machine = heard(url, ledger, kinds, headers={"authorization": f"Bearer {token}"})
    assert got.pop(Role.OPERATOR) == [("review", both.sheet)] * 2  # two have reviewed it
    assert machine == everything
    assert got == dict.fromkeys(got, everything)
    assert noted(ledger, secrets[Role.OPERATOR][0]) == {both.sheet}
    names = {each.sheet for each in (first, both, drawn, known)}
    for role in got:
        assert noted(ledger, secrets[role][0]) == names


def test_ones_own_answers_are_sent_and_what_was_decided_is_told(parts, ledger):
    person, secret = session_of(parts, Role.OPERATOR)
    decided, back, seen = sheet(1), sheet(2), sheet(3)
    for each in (decided, back, seen):
        enter(ledger, each, verdict(each), draw_of(each), said(each, OTHER))
    own = enter(ledger, said(decided, person), said(back, person))[1]
    details = {"writer": own.writer, "seq": own.seq}
    enter(ledger, Event(name=REVIEW_WITHDRAWN, person=person, subject=back.sheet, details=details))
    with serving(build(parts)) as url:
        found = heard(url, ledger, ("review",), cookies={"steelsight_session": secret})
    assert found == [("review", each) for each in (decided.sheet, decided.sheet, back.sheet)]


def test_a_draw_that_a_stream_told_is_seen(parts, ledger):
    """Its stratum may be the verdict's label; the verdict is older than the stream."""
    person, secret = session_of(parts, Role.ENGINEER)
    seen = sheet(1)
    enter(ledger, seen, verdict(seen), draw_of(seen))
    with serving(build(parts)) as url:
        assert heard(url, ledger, ("draw",), cookies={"steelsight_session": secret}) == [("draw", seen.sheet)]
    assert noted(ledger, person) == {seen.sheet}


def test_nothing_is_sent_while_it_cannot_be_put_on_record(parts, ledger, monkeypatch):
    seen, calls = sheet(1), []
    enter(ledger, seen, verdict(seen), draw_of(seen))
    monkeypatch.setattr(routes, "AWAY_S", 0.01)
    told = routes.may_be_told

    def away_at_first(*call):
        calls.append(call)
        if len(calls) < 3:
            raise BadLedger("away")
        return told(*call)

    monkeypatch.setattr(routes, "may_be_told", away_at_first)
    _, secret = session_of(parts, Role.ADMIN)
    with serving(build(parts)) as url:
        found = heard(url, ledger, ("draw",), cookies={"steelsight_session": secret})
    assert (found, len(calls)) == ([("draw", seen.sheet)], 3)


def test_a_stream_that_waits_for_the_database_ends_with_the_service(parts, ledger, monkeypatch):
    seen = sheet(1)
    enter(ledger, seen, verdict(seen), draw_of(seen))
    monkeypatch.setattr(routes, "AWAY_S", 0.01)

    def away(*call):
        raise BadLedger("away")

    monkeypatch.setattr(routes, "may_be_told", away)
    _, secret = session_of(parts, Role.ADMIN)
    app = build(parts)
    with serving(app) as url:
        params = {"after": begin_of(ledger), "kind": "draw"}
        with listening(url, params=params, cookies={"steelsight_session": secret}) as stream:
            stream.next()
            app.state.hub.close()
            while (found := stream.next()) is not None:
                assert not found.data
