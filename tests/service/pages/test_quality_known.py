"""Known cases entered on a page: by whom, on record, handed out to others, and nothing that tells of them."""

import pytest
from tests.service.access.conftest import bearer, code, token_of
from tests.service.pages.conftest import fill, sheet_of
from tests.service.pages.test_review_known import blind, make_known, small

from steelsight.ledger.proof.verify import verify
from steelsight.ledger.reading.known_cases import known_cases
from steelsight.ledger.reading.records import list_events
from steelsight.service.access.roles import Permission, Role
from steelsight.service.reviewing.known import known_waiting

__all__ = ["blind", "small"]

HTML = {"accept": "text/html"}
ADDRESS = "/quality/known-cases"


def cases(service):
    with service.ledger.read() as connection:
        return known_cases(connection)


def waiting(service, person):
    with service.ledger.read() as connection:
        found = known_waiting(connection, service.ledger.id, person, 0.0)
    return {*found.blind, *found.shown}


def enter(client, table):
    return client.post(ADDRESS, data={"table": table}, follow_redirects=False)


def test_an_engineer_enters_labels_and_gets_none_of_them(blind, member):
    one, two = fill(blind, 2, label="type 2")
    eva, anna = member(blind, Role.ENGINEER, login="eva"), member(blind)
    item = sheet_of(1).item
    answer = enter(eva, f"station,item,label\nline-1,{item},type 3\n")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{ADDRESS}?entered=1")
    found = cases(blind)
    assert {name: (each.label, each.by) for name, each in found.items()} == {two: ("type 3", {eva.person})}
    assert (waiting(blind, eva.person), waiting(blind, anna.person)) == (set(), {two})
    page = eva.get(answer.headers["location"], headers=HTML).text
    assert "1 row is on record." in page
    assert item not in page
    assert f'href="{ADDRESS}"' in eva.get("/quality", headers=HTML).text
    with blind.ledger.read() as connection:
        (event,) = [row for row in list_events(connection).rows if row["name"] == "known_case"]
    assert (event["person"], event["subject"], event["details"]) == (eva.person, two, {"label": "type 3"})
    assert one not in found
    assert verify(blind.ledger).clean


def test_own_answers_to_an_entered_case_measure_nobody(small, member):
    from steelsight.quality.ledger import Period, read_audit

    (name,) = fill(small, 1, label="type 2")
    eva, anna = member(small, Role.ENGINEER, login="eva"), member(small)
    enter(eva, f"sheet,label\n{name},type 3\n")
    for client in (eva, anna):
        review = {"sheet": name, "answer": "corrected", "label": "type 3"}
        answer = client.post("/api/v1/reviews", json=review)
        assert answer.status_code == 201, answer.text
    with small.ledger.read() as connection:
        known = read_audit(connection, Period(), clean="none").known
    assert [each.person for each in known] == [anna.person]


def test_a_label_is_changed_and_ended_by_who_entered_it(small, member):
    (name,) = fill(small, 1)
    eva = member(small, Role.ENGINEER, login="eva")
    for label in ("type 1", "type 1", "none"):  # the same twice is no refusal
        assert enter(eva, f"sheet,label\n{name},{label}\n").status_code == 303
    assert cases(small)[name].label == "none"
    assert enter(eva, f"sheet,label\n{name},\n").status_code == 303
    assert cases(small)[name].ended


def test_the_page_does_not_tell_which_sheets_are_known_cases(small, member):
    """The same answers for a sheet that is one and for a sheet that is none."""
    known, other = fill(small, 2)
    make_known(small, **{known: "type 2"})
    eva = member(small, Role.ENGINEER, login="eva")
    ends = [enter(eva, f"sheet,label\n{name},\n") for name in (known, other)]
    texts = [each.json()["error"]["message"] for each in ends]
    assert [code(each) for each in ends] == ["bad_known_cases"] * 2
    assert texts[0].replace(known, "") == texts[1].replace(other, "")
    made = [enter(eva, f"sheet,label\n{name},type 2\n") for name in (known, other)]
    assert {(each.status_code, each.headers["location"]) for each in made} == {(303, f"{ADDRESS}?entered=1")}


@pytest.mark.parametrize(
    "table",
    ["", "x", "sheet,label\n", "sheet,label\n{name},rust\n", "sheet,label\n{name},none\nffff,none\n", "a\0b"],
)
def test_a_bad_table_changes_nothing_and_is_kept_in_the_form(small, member, table):
    (name,) = fill(small, 1)
    eva = member(small, Role.ENGINEER, login="eva")
    answer = eva.post(ADDRESS, data={"table": table.format(name=name)}, headers=HTML)
    assert answer.status_code == 422
    assert cases(small) == {}
    if "rust" in table:
        assert f"{name},rust" in answer.text
        assert "expected a class of its verdicts" in answer.text


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.AUDITOR])
def test_who_may_not_configure_enters_none(small, member, role):
    client = member(small, role, login=f"the-{role}")
    assert code(enter(client, "sheet,label\n")) == "forbidden"
    assert client.get(ADDRESS).status_code == 403


def test_a_machine_enters_none(small, client_of):
    headers = bearer(token_of(small, *Permission)[1])
    assert code(enter(client_of(small, **headers), "sheet,label\n")) == "person_needed"
