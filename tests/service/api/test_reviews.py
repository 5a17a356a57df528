"""Reviews: who says what of which verdict, once, and nothing that the bundle does not know."""

import pytest
from tests.ledger.conftest import sheet, verdict
from tests.service.api.conftest import refused, token
from tests.service.api.test_lists import enter, follow

from steelsight.ledger.keeping.people import erase_person
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.writing.writer import open_writer
from steelsight.service.access.roles import Permission

REVIEWS = "/api/v1/reviews"


def shown(service, **values):
    """A sheet with a verdict of the service's own bundle; its id, and the verdict's name."""
    card = service.bundles.default.bundle.card
    seen = sheet(1)
    facts = {
        "bundle": card.model_id,
        "probabilities": dict.fromkeys(card.class_names, 0.2),
        "label": "type 1",
    }
    links = enter(service, [seen, verdict(seen, **{**facts, **values})])
    return seen.sheet, {"writer": links[1].writer, "seq": links[1].seq}


def test_a_review_is_kept_with_everything_said(service, client):
    sheet_id, name = shown(service)
    said = {
        "sheet": sheet_id,
        "answer": "corrected",
        "label": "type 3",
        "verdict": name,
        "regions": [{"box": [1, 2, 30, 40], "area_px": 100, "score": 1.0}],
        "nuisance": "stain",
        "comment": "a roll mark\nno <b>scratch</b>",
        "seconds": 4.25,
    }
    answer = client.post(REVIEWS, json=said)
    assert answer.status_code == 201, answer.text
    review = answer.json()
    assert {key: review[key] for key in said if key != "verdict"} == {
        key: value for key, value in said.items() if key != "verdict"
    }
    assert (review["verdict_writer"], review["verdict_seq"]) == (name["writer"], name["seq"])
    assert client.get(REVIEWS).json()["items"] == [review]
    assert client.get(f"/api/v1/sheets/{sheet_id}").json()["reviews"] == [review]
    assert verify(service.ledger).clean


@pytest.mark.parametrize(
    ("answer", "label", "kept"),
    [
        ("confirmed", None, "type 1"),
        ("confirmed", "type 1", "type 1"),
        ("unsure", None, None),
        ("corrected", "none", "none"),
        ("corrected", "type 2 + type 4", "type 2 + type 4"),
    ],
)
def test_the_label_follows_from_the_answer(lite, lite_client, answer, label, kept):
    sheet_id, _ = shown(lite)
    review = lite_client.post(REVIEWS, json={"sheet": sheet_id, "answer": answer, "label": label}).json()
    assert review["label"] == kept


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"label": "rust"}, 422, "bad_label"),
        ({"label": None}, 422, "bad_label"),
        ({"label": "type 1"}, 422, "bad_label"),  # what the verdict says
        ({"label": "type 2 + type 2"}, 422, "bad_label"),
        ({"label": "type 2 + rust"}, 422, "bad_label"),
        ({"answer": "confirmed"}, 422, "bad_label"),
        ({"answer": "unsure"}, 422, "bad_label"),
        ({"answer": "maybe"}, 422, "invalid_request"),
        ({"sheet": "0" * 32}, 404, "unknown_sheet"),
        ({"sheet": "x"}, 422, "invalid_request"),
        ({"verdict": {"writer": "line-1", "seq": 99}}, 422, "unknown_verdict"),
        ({"verdict": {"writer": "line-1", "seq": 0}}, 422, "invalid_request"),
        ({"verdict": {"writer": "line-1"}}, 422, "invalid_request"),
        ({"regions": [{"box": [5, 5, 5, 9], "area_px": 1, "score": 1}]}, 422, "bad_region"),
        ({"regions": [{"box": [0, 0, 1601, 9], "area_px": 1, "score": 1}]}, 422, "bad_region"),
        ({"regions": [{"box": [0, 0, -1, 9], "area_px": 1, "score": 1}]}, 422, "invalid_request"),
        ({"seconds": -1}, 422, "invalid_request"),
        ({"seconds": "NaN"}, 422, "invalid_request"),
        ({"comment": "x" * 10_001}, 422, "invalid_request"),
        ({"comment": "a\0b"}, 422, "invalid_request"),
        ({"person": "a" * 32}, 422, "invalid_request"),  # the caller's own, never one that is sent
        ({"colour": "red"}, 422, "invalid_request"),
    ],
)
def test_an_impossible_review_is_refused_and_nothing_is_written(lite, lite_client, change, status, code):
    sheet_id, _ = shown(lite)
    said = {"sheet": sheet_id, "answer": "corrected", "label": "type 2", **change}
    error = refused(lite_client.post(REVIEWS, json=said), status, code)
    if code == "bad_label" and said["answer"] == "corrected" and change["label"] != "type 1":
        assert error["classes"] == ["none", "type 1", "type 2", "type 3", "type 4"]
    assert lite_client.get(REVIEWS).json()["items"] == []


def test_a_body_that_is_no_json_is_refused(lite_client):
    headers = {"Content-Type": "application/json"}
    for content in (b"", b"{", b"[]", b"null", b'"x"', b'{"sheet": "\\ud800"}'):
        refused(lite_client.post(REVIEWS, content=content, headers=headers), 422, "invalid_request")
    for content in (b"\xff", b"[" * 100_000):
        refused(lite_client.post(REVIEWS, content=content, headers=headers), 400, "bad_request")


def test_a_verdict_of_an_earlier_bundle_names_its_classes_itself(lite, lite_client):
    sheet_id, _ = shown(lite, bundle="d" * 32, label="dent", probabilities={"dent": 0.5, "hole": 0.5})
    answer = lite_client.post(REVIEWS, json={"sheet": sheet_id, "answer": "corrected", "label": "type 2"})
    assert refused(answer, 422, "bad_label")["classes"] == ["dent", "hole"]
    answer = lite_client.post(REVIEWS, json={"sheet": sheet_id, "answer": "corrected", "label": "hole"})
    assert answer.status_code == 201


def test_a_sheet_without_a_verdict_cannot_be_reviewed(lite, lite_client):
    seen = sheet(1)
    enter(lite, [seen])
    refused(lite_client.post(REVIEWS, json={"sheet": seen.sheet, "answer": "unsure"}), 409, "no_verdict")


def test_the_same_key_writes_one_review(client, service):
    sheet_id, _ = shown(service)
    said = {"sheet": sheet_id, "answer": "unsure", "comment": "too dark"}
    answers = [client.post(REVIEWS, json=said, headers={"Idempotency-Key": "k"}) for _ in range(3)]
    assert {each.status_code for each in answers} == {201}
    assert answers[0].json() == answers[1].json() == answers[2].json()
    other = client.post(REVIEWS, json={**said, "comment": "too bright"}, headers={"Idempotency-Key": "k"})
    refused(other, 422, "idempotency_key_reused")
    assert len(client.get(REVIEWS).json()["items"]) == 1


def test_an_erased_comment_leaves_no_trace_and_the_key_still_answers(client, service):
    sheet_id, _ = shown(service)
    said = {"sheet": sheet_id, "answer": "unsure", "comment": "written by Ada"}
    review = client.post(REVIEWS, json=said, headers={"Idempotency-Key": "k"}).json()
    with open_writer(service.ledger, "ledger") as writer:
        erase_person(service.ledger, writer, review["person"])
    again = client.post(REVIEWS, json=said, headers={"Idempotency-Key": "k"}).json()
    assert again == {**review, "comment": None, "comment_erased": True}
    assert verify(service.ledger).clean


def test_a_machine_has_no_opinion(sqlite_ledger, make_service, connect):
    service = make_service(sqlite_ledger, open=False)
    secret = token(service, Permission.REVIEW, Permission.READ)
    sheet_id, _ = shown(service)
    client = connect(service, Authorization=f"Bearer {secret}")
    refused(client.post(REVIEWS, json={"sheet": sheet_id, "answer": "unsure"}), 403, "person_needed")


def test_reviews_are_filtered_and_paged(service, client):
    sheet_id, _ = shown(service)
    for number in range(7):
        answer = "unsure" if number % 2 else "confirmed"
        client.post(REVIEWS, json={"sheet": sheet_id, "answer": answer, "seconds": number})
    rows = follow(client, REVIEWS, limit=100)
    assert [row["seconds"] for row in rows] == [6, 5, 4, 3, 2, 1, 0]
    assert follow(client, REVIEWS, limit=2) == rows
    for query in ({"answer": "unsure"}, {"sheet": sheet_id}, {"person": rows[0]["person"]}):
        ((name, value),) = query.items()
        assert follow(client, REVIEWS, limit=3, **query) == [row for row in rows if row[name] == value]
    assert follow(client, REVIEWS, limit=3, until=rows[3]["entered"]) == rows[4:]
