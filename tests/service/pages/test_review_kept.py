"""What a reviewer is not told before deciding, by the API; what was told, or taken back, is no own answer."""

import pytest
from sqlalchemy import event
from tests.service.access.conftest import FAST, bearer, token_of
from tests.service.api.conftest import jpeg, send
from tests.service.pages.conftest import SIZE, fill
from tests.service.pages.test_review import claim, decide, expire_claims, reviews
from tests.service.pages.test_review_known import make_known
from tests.service.pages.test_review_nearest import nearest

from steelsight.service.access.roles import Permission, Role
from steelsight.service.reviewing.second import is_second, second_sheets

OPTIONS = {"open": False, "alarms": False, "deliver": False, **FAST}


@pytest.fixture
def every(ledger, make_service):
    """Every sheet is reviewed by two people; on each kind of database."""
    return make_service(ledger, second_review_share=1.0, **OPTIONS)


@pytest.fixture
def small(sqlite_ledger, make_service):
    return make_service(sqlite_ledger, second_review_share=1.0, **OPTIONS)


def told(client, name):
    """The people whose reviews of a sheet the API tells a client: by the list, and by the history."""
    listed = client.get("/api/v1/reviews", params={"sheet": name}).json()
    history = client.get(f"/api/v1/sheets/{name}").json()
    assert listed["next"] is None
    return [[row["person"] for row in rows] for rows in (listed["items"][::-1], history["reviews"])]


def undo(client, done):
    answer = client.post("/review/undo", json={"writer": done["writer"], "seq": done["seq"]})
    assert answer.status_code == 200, answer.text
    return answer.json()


# ---- what operators are not told ----


def test_the_first_answer_is_told_after_the_second(every, member):
    (name,) = fill(every, 1)
    anna, berta = member(every), member(every, login="berta")
    decide(anna, claim(anna), "corrected", label="type 3")
    assert told(berta, name) == [[], []]
    assert decide(berta, claim(berta)).status_code == 201
    assert [row["independent"] for row in reviews(every, name)] == [False, True]
    assert told(berta, name) == [[anna.person, berta.person]] * 2
    assert told(anna, name) == [[anna.person, berta.person]] * 2


def test_answers_to_known_cases_and_draws_are_not_told(both, member, client_of):
    drawn, known = *fill(both, 1, drawn={0}), *fill(both, 1, start=1)
    make_known(both, **{known: "type 3"})
    anna, berta = member(both), member(both, login="berta")
    for name in (drawn, known):
        decide(anna, claim(anna, sheet=name), "corrected", label="type 3")
        assert told(berta, name) == [[], []]
        assert told(anna, name) == [[anna.person]] * 2
        assert anna.get(f"/api/v1/sheets/{name}").json()["draw"] is None  # tells a draw from a known case
    machine = client_of(both, **bearer(token_of(both, Permission.READ)[1]))
    for client in (machine, member(both, Role.ENGINEER, login="emma"), member(both, Role.ADMIN, login="ada")):
        assert told(client, drawn) == told(client, known) == [[anna.person]] * 2
        assert client.get(f"/api/v1/sheets/{drawn}").json()["draw"]["stratum"] == "other"


def test_pages_of_the_list_tell_nothing_of_what_is_left_out(both, member):
    """Neither by their length nor by a cursor, whatever they are filtered by."""
    drawn = fill(both, 6, drawn=set(range(0, 6, 2)))
    anna, berta = member(both), member(both, login="berta")
    for name in drawn:
        decide(anna, claim(anna, sheet=name), "corrected", label="type 3")
    found, cursor = [], None
    for _ in range(3):
        page = berta.get("/api/v1/reviews", params={"limit": 1, **({"cursor": cursor} if cursor else {})})
        found += [row["sheet"] for row in page.json()["items"]]
        cursor = page.json()["next"]
    assert (found, cursor) == (drawn[5::-2], None)
    for answer in ("corrected", "confirmed"):
        query = {"sheet": drawn[0], "answer": answer, "limit": 1}
        assert berta.get("/api/v1/reviews", params=query).json() == {"items": [], "next": None}
    whole = berta.get("/api/v1/reviews", params={"limit": 500}).json()
    assert [row["sheet"] for row in whole["items"]] == found


# ---- what was told is no own answer ----


def test_who_was_told_the_first_answer_reviews_no_second_time(every, member):
    names = fill(every, 2)
    anna, emma = member(every), member(every, Role.ENGINEER, login="emma")
    for name in names:
        decide(anna, claim(anna, sheet=name), "corrected", label="type 3")
    assert told(emma, names[0]) == [[anna.person]] * 2
    assert claim(emma)["sheet"] == names[1]
    assert decide(emma, claim(emma, sheet=names[0]), second=True).status_code == 201
    assert [row["independent"] for row in reviews(every, names[0])] == [False, False]
    assert decide(emma, claim(emma, sheet=names[1])).status_code == 201
    assert [row["independent"] for row in reviews(every, names[1])] == [False, True]
    assert claim(member(every, login="berta"))["sheet"] is None  # two have reviewed each


@pytest.mark.parametrize("look", ["api", "page"])
def test_an_answer_after_the_others_was_shown_is_not_independent(small, member, look):
    (name,) = fill(small, 1)
    anna, berta = member(small), member(small, login="berta")
    decide(anna, claim(anna), "corrected", label="type 3")
    done = decide(berta, claim(berta)).json()
    if look == "api":
        assert anna.person in told(berta, name)[1]
    else:
        assert "Earlier reviews" in claim(berta, sheet=name)["html"]
    decide(berta, undo(berta, done), "corrected", label="type 3")
    rows = reviews(small, name)[1:]
    assert [(row["withdrawn"], row["independent"]) for row in rows] == [(True, True), (False, False)]


def test_an_answer_that_was_taken_back_unseen_stays_independent(small, member):
    (name,) = fill(small, 1)
    anna, berta = member(small), member(small, login="berta")
    decide(anna, claim(anna), "corrected", label="type 3")
    again = undo(berta, decide(berta, claim(berta)).json())
    assert "type 3" not in again["html"].split("Earlier reviews")[1]
    decide(berta, again, "corrected", label="type 4")
    assert [row["independent"] for row in reviews(small, name)] == [False, True, True]


def test_a_blind_answer_that_was_taken_back_is_not_independent_again(every, member):
    (name,) = fill(every, 1, drawn={0}, label="type 2")
    anna, berta, carl = (member(every, login=login) for login in ("anna", "berta", "carl"))
    decide(anna, claim(anna), "corrected", label="type 3")
    done = decide(berta, claim(berta), "corrected", label="type 4").json()
    assert done["blind"]  # and the verdict is shown
    again = undo(berta, done)
    decide(berta, again, "confirmed")
    rows = [(row["blind"], row["independent"]) for row in reviews(every, name)]
    assert rows == [(True, False), (True, True), (False, False)]
    assert claim(carl)["sheet"] is None  # two have answered


def test_a_blind_first_answer_that_was_taken_back_goes_to_somebody_else(small, member):
    (name,) = fill(small, 1, drawn={0}, label="type 2")
    anna, berta = member(small), member(small, login="berta")
    undo(anna, decide(anna, claim(anna), "corrected", label="type 3").json())
    expire_claims(small)
    assert claim(anna)["sheet"] is None
    assert decide(berta, claim(berta), "corrected", label="type 3").json()["blind"]
    decide(anna, claim(anna, sheet=name))  # she asks for it all the same
    rows = [(row["blind"], row["independent"]) for row in reviews(small, name)]
    assert rows == [(True, False), (True, False), (False, False)]


# ---- ways to a verdict ----


def test_a_stored_image_that_is_judged_again_is_seen(both, member, client_of):
    (name,) = fill(both, 1, drawn={0})
    anna, berta, carl = (member(both, login=login) for login in ("anna", "berta", "carl"))
    machine = client_of(both, **bearer(token_of(both, Permission.INSPECT)[1]))
    assert send(machine, jpeg(0, SIZE)).status_code == 200
    assert send(anna, jpeg(1, SIZE)).status_code == 200  # another image
    assert send(berta, jpeg(0, SIZE), "?record=true&station=lab&item=1").status_code == 200
    assert send(carl, jpeg(0, SIZE)).status_code == 200
    assert claim(berta, order="newest")["sheet"] != name
    assert claim(carl, order="newest")["sheet"] != name
    offered = {claim(anna)["sheet"] for _ in range(2)}
    assert name in offered


@pytest.mark.parametrize("answer", [{"answer": "confirmed"}, {"answer": "corrected", "label": "type 1"}])
def test_a_review_by_the_api_tells_the_verdict(closed, member, answer):
    """Its answer has the verdict's label, and a refusal names it."""
    (name,) = fill(closed, 1, drawn={0}, label="type 1")
    anna, berta = member(closed), member(closed, login="berta")
    told = anna.post("/api/v1/reviews", json={"sheet": name, **answer})
    assert "type 1" in told.text
    if told.status_code == 201:
        undo(anna, told.json())
        expire_claims(closed)
    assert claim(anna)["sheet"] is None
    assert claim(berta)["sheet"] == name


# ---- queries ----


def test_second_reviews_of_many_sheets_take_one_query(every, member):
    names = fill(every, 12)
    anna, berta, carl = (member(every, login=login) for login in ("anna", "berta", "carl"))
    for name in names[:8]:
        decide(anna, claim(anna, sheet=name))
    for name in names[:3]:
        decide(berta, claim(berta, sheet=name))
    make_known(every, **{names[7]: "none"})
    undo(anna, decide(anna, claim(anna, sheet=names[8])).json())
    statements = []
    with every.ledger.read() as connection:
        event.listen(connection, "before_cursor_execute", lambda *call: statements.append(call[2]))
        for person in (anna, berta, carl):
            found = second_sheets(connection, every.ledger.id, person.person, names, 1.0)
            one = {name for name in names if is_second(connection, every.ledger.id, person.person, name, 1.0)}
            expected = set() if person is anna else set(names[3:7])
            assert found == one == expected
        assert len(statements) == 3 * (1 + len(names))
        statements.clear()
        assert second_sheets(connection, every.ledger.id, carl.person, names, 0.0) == set()
    assert statements == []


def test_the_nearest_sheets_are_told(small, member):
    """Who saw the label of another person there is no independent second."""
    names = fill(small, 2)
    anna, berta, carl = (member(small, login=login) for login in ("anna", "berta", "carl"))
    decide(anna, claim(anna, sheet=names[1]), "corrected", label="type 3")
    done = decide(carl, claim(carl, sheet=names[1]), "corrected", label="type 4").json()
    assert names[1] in nearest(berta, names[0])
    undo(carl, done)
    expire_claims(small)
    assert claim(berta, skip=[names[0]])["sheet"] is None
