"""The page Review over HTTP: who gets which sheet, what is written, and every refusal."""

import threading

import pytest
from sqlalchemy import select, update
from tests.service.access.conftest import SAME, bearer, code, token_of
from tests.service.pages.conftest import CLASSES, fill

from steelsight.ledger.chain.entries import Answer
from steelsight.ledger.database import schema
from steelsight.ledger.database.reviewing import claims
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.reading.lists import sheet_history
from steelsight.ledger.writing.writer import open_writer
from steelsight.service.access.roles import Permission, Role

HTML = {"accept": "text/html"}


def claim(client, **wanted):
    answer = client.post("/review/claim", json=wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()


def decide(client, found, answer="confirmed", *, key=None, **values):
    body = {"sheet": found["sheet"], "claim": found["claim"], "answer": answer, **values}
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post("/review/decide", json=body, headers=headers)


def reviews(service, sheet):
    with service.ledger.read() as connection:
        return sheet_history(connection, sheet)["reviews"]


def expire_claims(service):
    with service.ledger.write() as connection:
        connection.execute(update(claims).values(until_us=1))


def test_a_sheet_is_claimed_decided_and_on_record(both, member):
    names = fill(both, 3)
    anna = member(both)
    found = claim(anna)
    assert found["sheet"] == names[0]  # the most doubtful
    assert "sheet-0000.jpg" in found["html"]
    assert "doubtful" in found["html"]
    done = decide(anna, found, comment="roll mark", seconds=2.5)
    assert done.status_code == 201
    (row,) = reviews(both, names[0])
    assert (row["answer"], row["label"], row["person"], row["blind"]) == (
        "confirmed",
        "type 1",
        anna.person,
        False,
    )
    assert row["seconds"] == 2.5
    assert anna.get(f"/api/v1/sheets/{names[0]}").json()["reviews"][0]["comment"] == "roll mark"
    assert claim(anna)["sheet"] == names[1]
    assert verify(both.ledger).clean


@pytest.mark.parametrize(
    ("order", "first"), [("doubt", 0), ("newest", 3), ("cost", 3)], ids=["doubt", "newest", "cost"]
)
def test_the_order_is_chosen(closed, member, order, first):
    """The last sheet has the label none: it costs most where it is wrong."""
    names = fill(closed, 3) + fill(closed, 1, start=3, label="none", probability=0.6)
    assert claim(member(closed), order=order)["sheet"] == names[first]


def test_only_some_sheets_are_asked_for(closed, member):
    fill(closed, 2, probability=0.95)
    (doubtful,) = fill(closed, 1, start=2)
    (clean,) = fill(closed, 1, start=3, label="none", probability=0.99)
    anna = member(closed)
    assert claim(anna, only="undecided")["sheet"] == doubtful
    assert claim(anna, only="undecided")["sheet"] is None
    got = {claim(anna, only="defects")["sheet"] for _ in range(2)}
    assert clean not in got
    assert None not in got
    assert claim(anna, only="all")["sheet"] == clean


def test_a_sheet_is_never_given_to_two_people(both, member):
    names = fill(both, 12)
    people = [member(both, login=name) for name in ("anna", "berta", "carl")]
    got, barrier = [], threading.Barrier(3)

    def work(client):
        barrier.wait()
        for _ in range(4):
            got.append(claim(client)["sheet"])

    threads = [threading.Thread(target=work, args=(each,)) for each in people]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(got) == sorted(names)
    assert all(claim(each)["sheet"] is None for each in people)


def test_one_person_cannot_hold_the_queue(closed, member, monkeypatch):
    """So many sheets at a time at most, each for two hours at most."""
    monkeypatch.setattr("steelsight.service.reviewing.claims.MOST_HELD", 25)
    fill(closed, 30)
    anna, berta = member(closed), member(closed, login="berta")
    held = [claim(anna) for _ in range(30)]
    first, last = held[0]["claim"], held[-1]["claim"]
    assert anna.post("/review/claims/renew", json={"claims": [first, last]}).json() == {"claims": [last]}
    assert claim(berta)["sheet"] in {each["sheet"] for each in held[:5]}
    with closed.ledger.write() as connection:
        connection.execute(update(claims).values(claimed_us=claims.c.claimed_us - 3 * 3600 * 1_000_000))
    assert anna.post("/review/claims/renew", json={"claims": [last]}).json() == {"claims": []}


def test_claims_are_renewed_given_back_and_end_by_time(closed, member):
    (name,) = fill(closed, 1)
    anna, berta = member(closed), member(closed, login="berta")
    first = claim(anna)
    assert claim(berta)["sheet"] is None
    assert anna.post("/review/claims/renew", json={"claims": [first["claim"], "0" * 32]}).json() == {
        "claims": [first["claim"]]
    }
    assert berta.post("/review/claims/renew", json={"claims": [first["claim"]]}).json() == {"claims": []}
    assert berta.post("/review/claims/free", json={"claims": [first["claim"]]}).status_code == 204
    assert claim(berta)["sheet"] is None  # it was not hers to give back
    assert anna.post("/review/claims/free", json={"claims": [first["claim"]]}).status_code == 204
    second = claim(berta)
    assert second["sheet"] == name
    expire_claims(closed)
    assert claim(anna)["sheet"] == name


def test_the_same_answer_twice_is_written_once(both, member):
    names = fill(both, 1)
    anna = member(both)
    found = claim(anna)
    answers = [decide(anna, found, key="k1") for _ in range(3)]
    assert [each.status_code for each in answers] == [201] * 3
    assert len({each.text for each in answers}) == 1
    assert len(reviews(both, names[0])) == 1
    assert code(decide(anna, found, "unsure", key="k1")) == "idempotency_key_reused"


def test_an_answer_after_somebody_else_has_answered_is_not_lost_and_not_doubled(both, member):
    (name,) = fill(both, 1)
    anna, berta = member(both), member(both, login="berta")
    late = claim(anna)
    expire_claims(both)
    assert decide(berta, claim(berta), "corrected", label="type 2").status_code == 201
    refused = decide(anna, late, key="late")
    assert (refused.status_code, code(refused)) == (409, "reviewed_meanwhile")
    assert (refused.json()["error"]["label"], refused.json()["error"]["own"]) == ("type 2", False)
    assert len(reviews(both, name)) == 1
    again = decide(anna, late, key="late", second=True)
    assert again.status_code == 201
    assert [row["person"] for row in reviews(both, name)] == [berta.person, anna.person]


def test_a_draft_that_comes_after_its_claim_ended_is_taken(closed, member):
    (name,) = fill(closed, 1)
    anna = member(closed)
    found = claim(anna)
    expire_claims(closed)
    assert decide(anna, found).status_code == 201
    assert len(reviews(closed, name)) == 1


def test_a_review_is_taken_back_and_stays_on_record(both, member):
    (name,) = fill(both, 1)
    anna, berta = member(both), member(both, login="berta")
    done = decide(anna, claim(anna), "corrected", label="type 3").json()
    place = {"writer": done["writer"], "seq": done["seq"]}
    assert code(berta.post("/review/undo", json=place)) == "unknown_review"
    back = anna.post("/review/undo", json=place).json()
    assert back["sheet"] == name
    assert back["claim"]
    assert "withdrawn" in back["html"]
    assert code(anna.post("/review/undo", json=place)) == "withdrawn_already"
    assert decide(anna, back).status_code == 201
    rows = reviews(both, name)
    assert [(row["answer"], row["withdrawn"]) for row in rows] == [("corrected", True), ("confirmed", False)]
    shown = anna.get("/api/v1/reviews").json()["items"]
    assert [each["withdrawn"] for each in shown] == [False, True]
    assert verify(both.ledger).clean


def test_an_old_review_is_not_taken_back(closed, member):
    fill(closed, 1)
    anna = member(closed)
    done = decide(anna, claim(anna)).json()
    with closed.ledger.write() as connection:
        connection.execute(update(schema.reviews).values(entered_us=1))
    answer = anna.post("/review/undo", json={"writer": done["writer"], "seq": done["seq"]})
    assert (answer.status_code, code(answer)) == (409, "too_late")


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"answer": "corrected"}, "bad_label"),
        ({"answer": "corrected", "label": "type 1"}, "bad_label"),
        ({"answer": "corrected", "label": "<script>"}, "bad_label"),
        ({"answer": "corrected", "label": "type 2 + type 2"}, "bad_label"),
        ({"answer": "confirmed", "label": "type 2"}, "bad_label"),
        ({"answer": "unsure", "label": "type 2"}, "bad_label"),
        ({"answer": "maybe"}, "invalid_request"),
        ({"answer": "confirmed", "mask": "57600 2"}, "bad_mask"),  # past the last pixel
        ({"answer": "confirmed", "mask": "1 5 3 2"}, "bad_mask"),  # overlaps itself
        ({"answer": "confirmed", "mask": "0 5"}, "bad_mask"),
        ({"answer": "confirmed", "mask": "1 x"}, "invalid_request"),
        ({"answer": "confirmed", "mask": "1 1 " * 60_000 + "1 1"}, "invalid_request"),
        (
            {"answer": "confirmed", "regions": [{"box": [0, 0, 601, 5], "area_px": 5, "score": 1}]},
            "bad_region",
        ),
        ({"answer": "confirmed", "regions": [{"box": [9, 0, 9, 5], "area_px": 5, "score": 1}]}, "bad_region"),
        ({"answer": "confirmed", "comment": "x" * 5001}, "invalid_request"),
        ({"answer": "confirmed", "comment": "a\0b"}, "invalid_request"),
        ({"answer": "confirmed", "verdict": {"writer": "line-1", "seq": 999}}, "unknown_verdict"),
        ({"answer": "confirmed", "colour": "red"}, "invalid_request"),
        ({"answer": "confirmed", "sheet": "f" * 32}, "unknown_sheet"),
    ],
)
def test_what_cannot_be_is_refused_and_not_written(closed, member, values, problem):
    (name,) = fill(closed, 1)
    anna = member(closed)
    answer = decide(anna, claim(anna), **values)
    assert answer.status_code in (404, 422)
    assert code(answer) == problem
    assert reviews(closed, name) == []


def test_a_comment_of_5000_characters_of_every_kind_is_kept(closed, member):
    (name,) = fill(closed, 1)
    anna = member(closed)
    comment = ("<b>\x1b[31m‮" + "ä" * 20 + "\n") * 170
    comment = comment[:5000]
    assert decide(anna, claim(anna), comment=comment).status_code == 201
    assert anna.get(f"/api/v1/sheets/{name}").json()["reviews"][0]["comment"] == comment


def test_wrong_reason_and_missed_defect_keep_their_marks(both, member):
    names = fill(both, 2)
    anna = member(both)
    box = {"box": [40, 20, 120, 70], "area_px": 4000, "score": 1.0}
    first = decide(anna, claim(anna), nuisance="stain", regions=[box], mask="1 40 97 40")
    second = decide(anna, claim(anna), "corrected", label="type 1", mask="5 9", regions=[])
    assert (first.status_code, second.status_code) == (201, 201), second.text
    one, two = reviews(both, names[0])[0], reviews(both, names[1])[0]
    assert (one["answer"], one["nuisance"], one["mask"]) == ("confirmed", "stain", "1 40 97 40")
    assert one["regions"][0]["box"] == [40, 20, 120, 70]
    assert (two["answer"], two["label"], two["mask"]) == ("corrected", "type 1", "5 9")
    assert verify(both.ledger).clean


def test_a_verdict_that_is_replaced_meanwhile_is_the_one_that_was_answered(closed, member):
    from tests.service.pages.conftest import sheet_of, verdict_of

    (name,) = fill(closed, 1)
    anna = member(closed)
    found = claim(anna)
    seen = sheet_of(0)
    assert seen.sheet == name
    with open_writer(closed.ledger, "line-2") as writer:
        writer.append([verdict_of(seen, "another bundle", "none", 0.99)])
    done = decide(anna, found, verdict={"writer": "line-1", "seq": 2})
    assert done.status_code == 201
    row = reviews(closed, name)[0]
    assert (row["label"], row["verdict_writer"], row["verdict_seq"]) == ("type 1", "line-1", 2)


def test_a_draw_is_decided_before_its_verdict_is_shown(both, member):
    names = fill(both, 2, drawn={0, 1}, label="type 2")
    anna = member(both)
    found = claim(anna)
    assert found["sheet"] == names[0]
    assert "type 2" in found["html"]  # the class, among those that can be chosen
    assert "meter" not in found["html"]
    assert "40.0" not in found["html"]
    assert '"verdict": null' in found["html"].replace("&#34;", '"')
    hidden = anna.get(f"/review/sheets/{names[0]}/map", params={"label": "type 2"})
    assert (hidden.status_code, code(hidden)) == (403, "decide_first")
    assert code(decide(anna, found)) == "decide_first"  # there is nothing to confirm
    done = decide(anna, found, "corrected", label="type 2", key="blind")
    assert done.status_code == 201
    assert done.json()["blind"] is True
    assert "meter" in done.json()["html"]
    assert decide(anna, found, "corrected", label="type 2", key="blind").json()["html"]
    row = reviews(both, names[0])[0]
    assert (row["answer"], row["label"], row["blind"]) == ("confirmed", "type 2", True)
    second = claim(anna)
    decide(anna, second, "corrected", label="none")
    assert [(row["answer"], row["blind"]) for row in reviews(both, names[1])] == [("corrected", True)]
    assert anna.get(f"/review/sheets/{names[0]}/map", params={"label": "type 2"}).status_code == 200


LOOKS = {
    "history": lambda client, name: client.get(f"/api/v1/sheets/{name}"),
    "list of verdicts": lambda client, name: client.get("/api/v1/verdicts"),
    "coil": lambda client, name: client.get("/api/v1/coils/C17"),
    "heatmap": lambda client, name: client.get(f"/api/v1/sheets/{name}/heatmap"),
    "line": lambda client, name: client.get("/line"),
    "thumbnail": lambda client, name: client.get(f"/line/sheets/{name}/thumbnail"),
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_draw_goes_to_nobody_who_has_seen_its_verdict(both, member, look):
    (name,) = fill(both, 1, drawn={0})
    anna, berta = member(both), member(both, login="berta")
    assert LOOKS[look](anna, name).status_code == 200
    assert claim(anna)["sheet"] is None
    assert claim(berta)["sheet"] == name


def test_a_list_of_reviews_shows_the_verdict_too(closed, member):
    """To whom it shows the review of a draw: not to operators."""
    (name,) = fill(closed, 1, drawn={0})
    anna, berta = member(closed), member(closed, login="berta")
    emma = member(closed, Role.ENGINEER, login="emma")
    done = decide(anna, claim(anna), "corrected", label="type 2").json()
    anna.post("/review/undo", json={"writer": done["writer"], "seq": done["seq"]})
    expire_claims(closed)
    assert claim(anna)["sheet"] is None  # she saw the verdict when she had decided
    assert len(emma.get("/api/v1/reviews").json()["items"]) == 1
    assert claim(emma)["sheet"] is None
    assert berta.get("/api/v1/reviews").json() == {"items": [], "next": None}
    assert claim(berta)["sheet"] == name


def test_the_image_alone_does_not_show_the_verdict(closed, member):
    (name,) = fill(closed, 1, drawn={0})
    anna = member(closed)
    assert anna.get(f"/api/v1/sheets/{name}/image").status_code == 200
    assert claim(anna)["sheet"] == name


def test_a_machine_that_reads_everything_has_seen_nothing(closed, member, client_of):
    (name,) = fill(closed, 1, drawn={0})
    machine = client_of(closed, **bearer(token_of(closed, Permission.READ)[1]))
    assert machine.get("/api/v1/verdicts").status_code == 200
    assert claim(member(closed))["sheet"] == name


def test_a_draw_that_was_seen_after_it_was_handed_out_is_not_counted_as_blind(closed, member):
    (name,) = fill(closed, 1, drawn={0})
    anna = member(closed)
    found = claim(anna)
    assert anna.get(f"/api/v1/sheets/{name}").status_code == 200
    assert decide(anna, found, "corrected", label="none").json()["blind"] is False
    assert reviews(closed, name)[0]["blind"] is False
    assert claim(member(closed, login="berta"))["sheet"] == name  # the draw still waits for a blind answer


def test_draws_come_between_other_sheets(closed, member):
    names = fill(closed, 16, drawn={0, 1, 2})
    anna, kinds = member(closed), []
    for _ in range(9):
        found = claim(anna)
        kinds.append(found["sheet"] in names[:3])
        answer = {"answer": "corrected", "label": "type 4"} if kinds[-1] else {}
        assert decide(anna, found, **answer).status_code == 201
    assert kinds == [True, False, False, False] * 2 + [True]


def test_neither_map_nor_probability_for_an_unknown_input(closed, member):
    (name,) = fill(closed, 1, state="unknown_input", reason="unfamiliar")
    anna = member(closed)
    found = claim(anna)
    assert "no map is shown" in found["html"]
    assert "<meter" not in found["html"]  # nor a probability
    answer = anna.get(f"/review/sheets/{name}/map", params={"label": "type 1"})
    assert (answer.status_code, code(answer)) == (409, "unknown_input")


def test_maps_of_every_class_are_pictures_and_others_are_refused(closed, member):
    (name,) = fill(closed, 1)
    anna = member(closed)
    pictures = [anna.get(f"/review/sheets/{name}/map", params={"label": each}) for each in CLASSES]
    assert [each.headers["content-type"] for each in pictures] == ["image/png"] * 5
    assert len({each.content for each in pictures}) == 5
    assert code(anna.get(f"/review/sheets/{name}/map", params={"label": "type 9"})) == "bad_label"
    assert code(anna.get(f"/review/sheets/{'0' * 32}/map", params={"label": "none"})) == "unknown_sheet"


def test_a_sheet_whose_image_is_gone_can_be_answered(closed, member):
    (name,) = fill(closed, 1)
    anna = member(closed)
    with closed.ledger.read() as connection:
        closed.images.remove(connection.execute(select(schema.sheets.c.image_hash)).scalar_one())
    found = claim(anna)
    assert code(anna.get(f"/review/sheets/{name}/map", params={"label": "type 1"})) == "image_missing"
    assert decide(anna, found, Answer.UNSURE).status_code == 201


def test_a_verdict_of_a_bundle_that_is_not_opened_has_no_map(closed, member):
    (name,) = fill(closed, 1, bundle="an earlier bundle")
    anna = member(closed)
    assert "not opened here" in claim(anna)["html"]
    answer = anna.get(f"/review/sheets/{name}/map", params={"label": "type 1"})
    assert (answer.status_code, code(answer)) == (409, "other_bundle")


def test_bad_images_do_not_wait_for_a_person(closed, member):
    fill(closed, 1, state="bad_image", reason="damaged", label="", probability=0.5)
    assert claim(member(closed))["sheet"] is None


HOSTILE = {
    "html": "<img src=x onerror=alert(1)>",
    "ansi": "a\x9b31mred",
    "right to left": "gnp.‮\u2066evil",
    "long": "ä" * 127 + "b",
    "quotes": "\"'`{{7*7}}{% raw %}",
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_names_are_text_whatever_they_hold(closed, member, name):
    from tests.service.pages.conftest import sheet_of, verdict_of

    model = closed.bundles.default.bundle.card.model_id
    seen = sheet_of(0, item=name, coil=name, image_hash=None)
    with open_writer(closed.ledger, "line-1") as writer:
        writer.append([seen, verdict_of(seen, model)])
    anna = member(closed)
    html = claim(anna)["html"] + anna.get("/line", headers=HTML).text
    assert "<img src=x" not in html
    assert "{{7" not in html or name == HOSTILE["quotes"]
    assert "49" not in html.partition("<dt>Sheet</dt>")[2][:200] or name != HOSTILE["quotes"]
    shown = html.partition("<dt>Sheet</dt><dd>")[2].partition("</dd>")[0]
    assert shown.startswith("<bdi")
    assert not set("\x9b‮\u2066") & set(shown)


@pytest.mark.parametrize("role", Role)
def test_who_may_review_gets_the_page_and_its_place_in_the_navigation(closed, member, role):
    fill(closed, 1)
    client = member(closed, role)
    may = role in (Role.OPERATOR, Role.ENGINEER, Role.ADMIN)
    page = client.get("/review", headers=HTML)
    assert page.status_code == (200 if may else 403)
    assert ('href="/review"' in client.get("/line", headers=HTML).text) is may
    assert "text/html" in page.headers["content-type"]
    if may:
        assert "1 sheet waits" in page.text
        assert 'aria-current="page">Review' in page.text


def test_who_is_not_logged_in_is_sent_to_the_login_and_back(closed, client_of):
    from tests.service.access.conftest import PASSWORD, user

    client = client_of(closed, **SAME)
    answer = client.get("/review?order=newest", headers=HTML, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?next=%2Freview%3Forder%3Dnewest")
    form = client.get(answer.headers["location"], headers=HTML)
    assert 'name="next" value="/review?order=newest"' in form.text
    user(closed, "anna", password=PASSWORD)
    entered = {"login": "anna", "password": PASSWORD, "next": "/review?order=newest"}
    done = client.post("/access/login", data=entered, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, "/review?order=newest")


@pytest.mark.parametrize(
    "target", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere", "/\n"]
)
def test_a_login_leads_nowhere_else(closed, client_of, target):
    from tests.service.access.conftest import PASSWORD, user

    user(closed, "anna", password=PASSWORD)
    client = client_of(closed, **SAME)
    entered = {"login": "anna", "password": PASSWORD, "next": target}
    done = client.post("/access/login", data=entered, follow_redirects=False)
    assert done.headers["location"] == "/"


def test_an_answer_from_another_site_is_refused(closed, member):
    (name,) = fill(closed, 1)
    anna = member(closed)
    found = claim(anna)
    body = {"sheet": name, "claim": found["claim"], "answer": "confirmed"}
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://elsewhere.example"}):
        answer = anna.post("/review/decide", json=body, headers=headers)
        assert (answer.status_code, code(answer)) == (403, "cross_site")
    assert reviews(closed, name) == []


def test_everybody_of_an_open_service_is_one_reviewer(sqlite_ledger, make_service, client_of):
    service = make_service(sqlite_ledger, open=True, alarms=False)
    (name,) = fill(service, 1)
    client = client_of(service)
    assert client.get("/review", headers=HTML).status_code == 200
    assert decide(client, claim(client)).status_code == 201
    assert len(reviews(service, name)) == 1


def test_a_token_reviews_nothing(closed, client_of):
    fill(closed, 1)
    machine = client_of(closed, **bearer(token_of(closed, Permission.REVIEW, Permission.READ)[1]))
    assert code(machine.post("/review/claim", json={})) == "person_needed"
