"""The page Models: where a shadow bundle disagrees, as a list and as a queue; a verdict judged again."""

import json

import pytest
from sqlalchemy import update
from tests.service.api.conftest import jpeg
from tests.service.pages.conftest import SIZE, draw_of, sheet_of, verdict_of

from steelsight.ledger.chain.entries import Mode
from steelsight.ledger.database import schema
from steelsight.ledger.database.reviewing import seen_sheets
from steelsight.ledger.writing.writer import open_writer
from steelsight.service.access.roles import Role
from steelsight.service.judging.entries import verdict_entry
from steelsight.service.releases.reproducing import parse_verdict
from steelsight.service.reviewing.queue import Only, Order, count_waiting, waiting_sheets

HTML = {"accept": "text/html"}
SHADOW = "5" * 32


def judged(service, pairs, *, station="line-1", drawn=(), **values):
    """Sheets with a live and a shadow label each; their identities."""
    live = service.bundles.default.bundle.card.model_id
    entries, names = [], []
    for number, (label, other) in enumerate(pairs):
        seen = sheet_of(number, station=station, **values)
        entries += [seen, *([draw_of(seen)] if number in drawn else [])]
        entries.append(verdict_of(seen, live, label))
        if other is not None:
            entries.append(verdict_of(seen, SHADOW, other, mode=Mode.SHADOW))
        names.append(seen.sheet)
    with open_writer(service.ledger, station) as writer:
        writer.append(entries)
    return names


def test_only_sheets_with_another_label_are_listed_newest_first(both, member):
    pairs = [("none", "none"), ("none", "type 1"), ("type 2", "type 2"), ("type 2", "none"), ("none", None)]
    names = judged(both, pairs)
    page = member(both).get("/models", headers=HTML).text
    links = [page.find(f"/review?sheet={name}") for name in names]
    assert [place >= 0 for place in links] == [False, True, False, True, False]
    assert links[3] < links[1]
    assert "/review?only=disagreed" in page
    assert "Judged in the last hour" in page


def test_the_list_has_pages_a_time_and_bad_cursors(closed, member):
    judged(closed, [("none", "type 1")] * 60)
    client = member(closed, Role.VIEWER)
    page = client.get("/models", headers=HTML).text
    assert page.count("sheet-00") == 50
    assert "/review?sheet=" not in page  # a viewer does not review
    following = page.split('<a href="/models?')[1].split('"')[0].replace("&amp;", "&").split("#")[0]
    rest = client.get(f"/models?{following}", headers=HTML).text
    assert rest.count("sheet-00") == 10
    assert client.get(f"/models?shadow={SHADOW}&cursor=x", headers=HTML).status_code == 422
    for query in ("days=0", "days=366", "shadow=../x"):
        assert client.get(f"/models?{query}").status_code == 422
    old = judged(closed, [("none", "type 1")], station="line-2", captured_us=1)
    assert old[0] not in client.get("/models?days=365", headers=HTML).text


def test_who_sees_the_list_has_seen_the_verdicts_of_draws(closed, member):
    names = judged(closed, [("none", "type 1")] * 2, drawn={0})
    anna = member(closed)
    anna.get("/models", headers=HTML)
    with closed.ledger.read() as connection:
        rows = connection.execute(seen_sheets.select()).all()
    assert [(row.person, row.sheet) for row in rows] == [(anna.person, names[0])]


def test_disagreements_are_a_queue_of_review_without_the_shadow_verdict(both, member):
    pairs = [("none", "none"), ("none", "type 1"), ("type 2", "none"), ("none", "type 3")]
    names = judged(both, pairs, drawn={3})
    with both.ledger.read() as connection:
        found = waiting_sheets(connection, both.bundles, Order.NEWEST, Only.DISAGREED)
        assert found == [names[2], names[1]]  # draws are handed out by themselves
        assert count_waiting(connection, both.bundles, "a" * 32, Only.DISAGREED) == 3  # and the draw
    page = member(both).get("/review?only=disagreed", headers=HTML).text
    assert '<option value="disagreed" selected>' in page


# ---- a verdict judged again ----


@pytest.fixture
def recorded(closed):
    """A verdict of the packaged bundle as a station writes it: its id, sheet and image hash."""
    inspector, content = closed.bundles.default, jpeg(3, SIZE)
    digest = closed.images.put(content)
    seen = sheet_of(1, image_hash=digest, image=digest)
    entry = verdict_entry(inspector, seen.sheet, inspector.inspect(content), latency_ms=1.0)
    with open_writer(closed.ledger, "line-1") as writer:
        writer.append([seen, entry])
    return "line-1:2", seen.sheet, digest


def again(client, name, status=200):
    answer = client.get("/models/reproduce", params={"verdict": name}, headers=HTML)
    assert answer.status_code == status, answer.text
    return answer.text


def test_the_same_bundle_gives_the_same_numbers(closed, member, recorded):
    page = again(member(closed, Role.VIEWER), recorded[0])
    assert "The same numbers." in page
    assert "differs" not in page


def alter(service, **values):
    with service.ledger.write() as connection:
        connection.execute(update(schema.verdicts).where(schema.verdicts.c.seq == 2).values(values))


def test_numbers_within_and_beyond_parity_are_told_apart(closed, member, recorded):
    client = member(closed, Role.AUDITOR)
    with closed.ledger.read() as connection:
        row = connection.execute(schema.verdicts.select()).one()
    shares = json.loads(row.probabilities)
    first = next(iter(shares))
    precise = closed.bundles.default.bundle.card.precision == "f32"
    near, far = (5e-5, 1e-2) if precise else (1e-3, 0.2)
    for difference, words in ((near, "Within parity."), (far, "The numbers differ.")):
        moved = {**shares, first: abs(shares[first] - difference)}
        alter(closed, probabilities=json.dumps(moved))
        assert words in again(client, recorded[0])


def test_an_image_that_is_gone_and_a_bundle_that_is_not_at_hand_are_told(closed, member, recorded):
    client = member(closed)
    closed.images.remove(recorded[2])
    assert "is not in the image store" in again(client, recorded[0], 404)
    with closed.ledger.write() as connection:
        row = {"writer": "w", "seq": 1, "image_hash": recorded[2], "pruned_us": 1}
        connection.execute(schema.pruned_images.insert().values(row))
    assert "Image pruned" in again(client, recorded[0], 410)
    alter(closed, bundle="0" * 32)
    assert "Bundle not at hand" in again(client, recorded[0], 409)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("line-1:99", 404),
        ("line-1", 422),
        (":2", 422),
        ("line-1:-2", 422),
        ("x:٢", 422),
        ("a:" + "9" * 20, 422),
    ],
)
def test_what_is_no_verdict_is_refused(closed, member, recorded, name, status):
    again(member(closed), name, status)


def test_an_empty_form_asks_for_a_verdict_and_hostile_text_is_text(closed, member):
    client = member(closed)
    assert "WRITER:NUMBER" in again(client, "")
    assert "<script>" not in again(client, "<script>alert(1)</script>:1", 404)
    assert parse_verdict(" a:b:12 ") == ("a:b", 12)
