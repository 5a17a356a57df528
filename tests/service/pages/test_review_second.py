"""A second reviewer for a share of the sheets: another person, without the first answer."""

import pytest
from tests.service.access.conftest import FAST
from tests.service.pages.conftest import fill
from tests.service.pages.test_review import claim, decide, expire_claims, reviews
from tests.service.pages.test_review_nearest import nearest

from steelsight.ledger.proof.verify import verify
from steelsight.ledger.writing.projection import rebuild
from steelsight.quality.agreement import agreement, agreements
from steelsight.quality.ledger import Period, read_audit
from steelsight.quality.second import second_pairs
from steelsight.service.access.roles import Role
from steelsight.service.pages.quality import routes
from steelsight.service.reviewing.second import is_chosen

OPTIONS = {"open": False, "alarms": False, "deliver": False, **FAST}


@pytest.fixture
def every(ledger, make_service):
    """Every sheet is reviewed by two people; on each kind of database."""
    return make_service(ledger, second_review_share=1.0, **OPTIONS)


@pytest.fixture
def small(sqlite_ledger, make_service):
    return make_service(sqlite_ledger, second_review_share=1.0, **OPTIONS)


def test_another_person_reviews_the_sheet_without_the_first_answer(every, member, monkeypatch):
    monkeypatch.setattr(routes, "PAGE_WAITS_S", 300.0)
    names = fill(every, 2, label="type 2")
    anna, berta, carl = (member(every, login=login) for login in ("anna", "berta", "carl"))
    decide(anna, claim(anna), "corrected", label="type 3")
    decide(anna, claim(anna))
    assert claim(anna)["sheet"] is None  # her own answers are no second ones
    labels = {}
    for _ in names:
        found = claim(berta)
        assert "Earlier reviews" not in found["html"]
        assert "Confidence" in found["html"]  # as the first person saw it
        labels[found["sheet"]] = decide(berta, found).status_code
    assert labels == dict.fromkeys(names, 201)
    assert claim(carl)["sheet"] is None  # two are enough
    assert [row["independent"] for row in reviews(every, names[0])] == [False, True]
    assert anna.get(f"/api/v1/sheets/{names[0]}").json()["reviews"][1]["independent"] is True
    assert verify(every.ledger).clean
    rebuild(every.ledger)
    with every.ledger.read() as connection:
        pairs = second_pairs(connection)
        assert second_pairs(connection, Period(station="line-9")) == ()
        assert read_audit(connection).audited == ()
    assert sorted(each.labels for each in pairs) == [("type 2", "type 2"), ("type 3", "type 2")]
    assert {each.people for each in pairs} == {(anna.person, berta.person)}
    assert agreement(pairs, interchangeable=True).agreed == 1
    page = member(every, Role.ENGINEER, login="emma").get("/quality").text
    assert "Agreement of two who had seen the verdict" in page


def test_a_second_answer_after_its_claim_ended_is_taken_and_tells_nothing(small, member):
    (name,) = fill(small, 1)
    anna, berta = member(small), member(small, login="berta")
    first = claim(anna)
    expire_claims(small)
    second = claim(berta)
    decide(anna, first, "corrected", label="type 3")
    answer = decide(berta, {**second, "claim": None}, "corrected", label="type 4")
    assert answer.status_code == 201
    assert "type 3" not in answer.text
    assert [row["independent"] for row in reviews(small, name)] == [False, True]


def test_a_draw_is_decided_first_by_both(small, member):
    (name,) = fill(small, 1, drawn={0}, label="type 2")
    anna, berta, carl = (member(small, login=login) for login in ("anna", "berta", "carl"))
    decide(anna, claim(anna), "corrected", label="type 3")
    assert carl.get(f"/api/v1/sheets/{name}").status_code == 200  # he has seen the verdict
    assert claim(carl)["sheet"] is None
    found = claim(berta)
    assert found["sheet"] == name
    assert "Audit sample" in found["html"]
    done = decide(berta, found, "corrected", label="type 3").json()
    assert done["blind"] is True
    assert "Earlier reviews" in done["html"]
    assert done["html"].split("Earlier reviews")[1].count("type 3") == 1  # her own
    with small.ledger.read() as connection:
        assert second_pairs(connection) == ()
        together, _ = agreements(read_audit(connection))
    assert (together.agreed, together.pairs) == (1, 1)


def test_a_review_that_was_taken_back_needs_no_second_one(small, member):
    (name,) = fill(small, 1)
    anna, berta = member(small), member(small, login="berta")
    done = decide(anna, claim(anna)).json()
    anna.post("/review/undo", json={"writer": done["writer"], "seq": done["seq"]})
    expire_claims(small)
    decide(berta, claim(berta))
    assert [row["independent"] for row in reviews(small, name)] == [False, False]


def test_a_first_answer_is_not_told_by_the_nearest_sheets(small, member):
    names = fill(small, 2)
    anna, berta, carl = (member(small, login=login) for login in ("anna", "berta", "carl"))
    decide(anna, claim(anna, sheet=names[1]), "corrected", label="type 3")
    assert names[1] in nearest(anna, names[0])
    assert names[1] not in nearest(berta, names[0])
    decide(carl, claim(carl, sheet=names[1]))
    assert names[1] in nearest(berta, names[0])  # two have reviewed it


def test_without_the_setting_one_answer_is_enough(closed, member):
    fill(closed, 1)
    anna, berta = member(closed), member(closed, login="berta")
    decide(anna, claim(anna))
    assert claim(berta)["sheet"] is None


def test_the_choice_is_fixed_by_the_sheet_and_makes_the_share():
    names = [f"{number:032x}" for number in range(2000)]
    chosen = [name for name in names if is_chosen("ledger", name, 0.2)]
    assert 320 < len(chosen) < 480  # 4.5 standard deviations of 400
    assert set(chosen) < {name for name in names if is_chosen("ledger", name, 0.3)}
    assert [name for name in names if is_chosen("other", name, 0.2)] != chosen
