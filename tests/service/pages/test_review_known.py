"""Known cases: handed out as draws or ordinary sheets are, told from none, hidden from reviewers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.access.conftest import FAST, bearer, token_of
from tests.service.pages.conftest import fill
from tests.service.pages.test_review import claim, decide, expire_claims, reviews
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.errors import BadInput
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.chain.event_names import KNOWN_CASE
from steelsight.ledger.keeping.known_cases import enter_known_cases, read_right_labels
from steelsight.ledger.reading.known_cases import known_cases
from steelsight.ledger.reading.lists import sheet_history
from steelsight.ledger.writing.writer import open_writer
from steelsight.quality.ledger import read_audit
from steelsight.quality.reviewers import reviewer_records
from steelsight.service.access.roles import Permission, Role
from steelsight.service.reviewing.known import is_shown, place_chance
from steelsight.service.reviewing.offering import offered_sheets
from steelsight.service.reviewing.queue import BETWEEN_DRAWS, Only, Order

OPTIONS = {"open": False, "alarms": False, "deliver": False, **FAST}


def make_known(service, **labels):
    """Right labels by sheet."""
    with open_writer(service.ledger, "ledger") as writer:
        writer.append(
            [Event(name=KNOWN_CASE, subject=name, details={"label": label}) for name, label in labels.items()]
        )


@pytest.fixture
def blind(ledger, make_service):
    """Every place of an audit draw has a known case; on each kind of database."""
    return make_service(ledger, known_cases=0.25, **OPTIONS)


@pytest.fixture
def small(sqlite_ledger, make_service):
    return make_service(sqlite_ledger, known_cases=0.25, **OPTIONS)


@pytest.fixture
def shown(sqlite_ledger, make_service):
    """All known cases come with their verdict."""
    return make_service(sqlite_ledger, known_cases=0.25, known_cases_shown=1.0, **OPTIONS)


def test_a_known_case_is_decided_first_and_measures_its_reviewer(blind, member):
    (name,) = fill(blind, 1, label="type 2")
    make_known(blind, **{name: "type 3"})
    fill(blind, 3, start=50)  # known cases come between other sheets
    anna, berta = member(blind), member(blind, login="berta")
    found = claim(anna)
    assert found["sheet"] == name
    assert "meter" not in found["html"]
    hidden = anna.get(f"/review/sheets/{name}/map", params={"label": "type 2"})
    assert hidden.status_code == 403
    done = decide(anna, found, "corrected", label="type 3").json()
    assert done["blind"] is True
    assert "meter" in done["html"]  # the verdict, as of a draw; the right answer is not told
    assert claim(anna)["sheet"] != name  # each person gets it once
    second = claim(berta)
    assert second["sheet"] == name
    expire_claims(blind)  # an answer of somebody else does not stop hers, and is not told
    after = decide(berta, second, "corrected", label="type 2")
    assert after.status_code == 201
    assert "Earlier reviews" in after.json()["html"]
    assert "type 3" not in after.json()["html"].split("Earlier reviews")[1]
    with blind.ledger.read() as connection:
        records = {each.person: each for each in reviewer_records(read_audit(connection))}
    assert records[anna.person].defects == (1, 1)
    assert [row["blind"] for row in reviews(blind, name)] == [True, True]


def plain(text):
    """Without identities, numbers and times."""
    return re.sub(r"[0-9]+", "#", re.sub(r"[0-9a-f]{32}", "#", text))


def test_nothing_tells_a_known_case_from_a_draw(small, member):
    known, drawn = *fill(small, 1), *fill(small, 1, start=1, drawn={1})
    make_known(small, **{known: "none"})
    anna, berta = member(small), member(small, login="berta")
    assert berta.get(f"/api/v1/sheets/{known}").status_code == 200  # so that she gets the draw
    found = {}
    for person, name in ((anna, known), (berta, drawn)):
        offered = claim(person)
        assert offered["sheet"] == name
        done = decide(person, offered, "corrected", label="type 4").json()
        found[name] = offered, done
    for one, other in zip(found[known], found[drawn], strict=True):
        assert one.keys() == other.keys()
        assert plain(one["html"]) == plain(other["html"])


def test_a_known_case_with_its_verdict_looks_like_an_ordinary_sheet(shown, member):
    (name,) = fill(shown, 1, label="type 2")
    make_known(shown, **{name: "type 3"})
    fill(shown, 3, start=50)
    anna, berta = member(shown), member(shown, login="berta")
    for person, answer in ((anna, {}), (berta, {"answer": "corrected", "label": "type 3"})):
        found = until_known(person, name)
        assert "Confidence" in found["html"]
        assert "Earlier reviews" not in found["html"]
        assert decide(person, found, **answer).status_code == 201
    assert [row["blind"] for row in reviews(shown, name)] == [False, False]
    with shown.ledger.read() as connection:
        records = {each.person: each for each in reviewer_records(read_audit(connection))}
    assert records[anna.person].followed == (1, 1)
    assert records[berta.person].followed == (0, 1)


def until_known(person, name):
    """A known case comes by chance, between other sheets."""
    for _ in range(400):
        found = claim(person)
        if found["sheet"] == name:
            return found
        person.post("/review/claims/free", json={"claims": [found["claim"]]})
    raise AssertionError("no known case came")


def test_a_known_case_alone_is_not_handed_out(small, member):
    (name,) = fill(small, 1)
    make_known(small, **{name: "none"})
    anna = member(small)
    assert [claim(anna)["sheet"] for _ in range(5)] == [None] * 5


def test_the_number_that_waits_does_not_tell_a_known_case(small, member):
    """It falls by one with every sheet that is handed out, a known case too."""
    known = fill(small, 2)
    fill(small, 4, start=10)
    make_known(small, **dict.fromkeys(known, "none"))
    anna = member(small)

    def waiting():
        return int(re.search(r'id="waiting"[^>]*>\s*([0-9]+)', anna.get("/review").text)[1])

    before = waiting()
    assert claim(anna)["sheet"] in known
    assert waiting() == before - 1
    assert claim(anna)["sheet"] not in known
    assert waiting() == before - 2


def test_known_cases_come_between_other_sheets_and_never_because_nothing_else_waits(small, member):
    known = fill(small, 3)
    ordinary = fill(small, 9, start=3)
    make_known(small, **dict.fromkeys(known, "none"))
    anna, kinds = member(small), []
    for _ in range(12):
        found = claim(anna)
        kinds.append(found["sheet"] in known)
        assert decide(anna, found, "corrected", label="type 4").status_code == 201
    assert kinds == [True, False, False, False] * 3
    assert all(len(reviews(small, name)) == 1 for name in ordinary)


@pytest.mark.parametrize(
    "look",
    [
        lambda client, name: client.get(f"/api/v1/sheets/{name}"),
        lambda client, name: client.get("/api/v1/coils/C17"),
        lambda client, name: client.get("/coils/C17"),
        lambda client, name: client.get("/line"),
    ],
    ids=["history", "coil", "page of the coil", "line"],
)
def test_a_known_case_whose_verdict_was_seen_is_not_decided_blind(small, member, look):
    (name,) = fill(small, 1)
    make_known(small, **{name: "type 3"})
    fill(small, 4, start=50)
    anna, berta = member(small), member(small, login="berta")
    assert look(anna, name).status_code == 200
    assert name not in {claim(anna)["sheet"] for _ in range(2)}
    assert claim(berta)["sheet"] == name


def test_known_cases_are_no_ordinary_sheets_and_can_be_ended(small, member):
    (name,) = fill(small, 1)
    anna = member(small)
    make_known(small, **{name: "type 3"})
    make_known(small, **{name: None})
    with small.ledger.read() as connection:
        assert known_cases(connection)[name].ended
    assert claim(anna)["sheet"] is None


def test_answers_before_a_sheet_was_a_known_case_do_not_count(small, member):
    (name,) = fill(small, 1)
    anna = member(small)
    decide(anna, claim(anna))
    make_known(small, **{name: "type 3"})
    with small.ledger.read() as connection:
        assert read_audit(connection).known == ()


def test_right_answers_reach_nobody_who_may_review(blind, member, client_of):
    (name,) = fill(blind, 1)
    make_known(blind, **{name: "type 3"})
    address = f"/api/v1/events?name={KNOWN_CASE}"
    assert member(blind, Role.ADMIN, login="boss").get(address).json()["items"] == []
    assert member(blind).get(address).json()["items"] == []
    (row,) = member(blind, Role.AUDITOR, login="carla").get(address).json()["items"]
    assert row["details"] == {"label": "type 3"}
    machine = client_of(blind, **bearer(token_of(blind, Permission.READ, Permission.AUDIT)[1]))
    assert len(machine.get(address).json()["items"]) == 1
    boss = member(blind, Role.ADMIN, login="boss2")
    for page in ("/audit", "/audit/events.csv"):
        assert name not in boss.get(page).text


def test_the_chances_make_the_share():
    """Known cases by sheets of a cycle from place to place are the share that was asked for."""
    for share in (0.02, 0.1, 0.25):
        for draws in (True, False):
            chance = place_chance(share, BETWEEN_DRAWS, draws=draws)
            # With draws each place is every fourth sheet; else a place stays open for 1 / chance sheets.
            cycle = BETWEEN_DRAWS + 1 if draws else BETWEEN_DRAWS + 1 / chance
            found = (chance if draws else 1.0) / cycle
            assert found == pytest.approx(share)


@given(st.text(max_size=5), st.floats(0, 1))
def test_whether_a_verdict_is_shown_is_fixed_and_grows_with_the_share(person, share):
    names = [f"{number:032x}" for number in range(50)]
    chosen = [name for name in names if is_shown("ledger", person, name, share)]
    assert chosen == [name for name in names if is_shown("ledger", person, name, share)]
    assert set(chosen) <= {name for name in names if is_shown("ledger", person, name, min(1.0, share + 0.1))}
    assert len(chosen) == 50 or share < 1
    assert not chosen or share > 0


def test_without_the_setting_none_is_handed_out(closed, member):
    (name,) = fill(closed, 1)
    make_known(closed, **{name: "type 3"})
    anna = member(closed)
    with closed.ledger.read() as connection:
        offered = offered_sheets(connection, closed, anna.person, Order.DOUBT, Only.ALL, chance=lambda: 0.0)
    assert offered == []


# ---- the verb ----


def call(*line, code=0):
    done = CliRunner().invoke(app, ["reviews", "known-cases", *map(str, line)])
    assert done.exit_code == code, done.output
    return done.output


def test_the_verb_enters_changes_and_ends_known_cases(closed, tmp_path):
    names = fill(closed, 3)
    table, address = tmp_path / "cases.csv", closed.ledger.address
    table.write_text("station,item,label\nline-1,sheet-0000.jpg,type 3\nline-1,sheet-0001.jpg,none\n")
    assert "2 known cases entered, 0 ended, 0 unchanged" in call(address, table)
    table.write_text(f"label,sheet\n,{names[0]}\nnone,{names[1]}\ntype 1 + type 2,{names[2]}\n")
    assert '"ended": 1' in call(address, table, "--json")
    with closed.ledger.read() as connection:
        found = known_cases(connection)
        assert sheet_history(connection, names[0])["reviews"] == []
    assert [found[name].ended for name in names] == [True, False, False]
    assert [found[name].label for name in names] == ["type 3", "none", "type 1 + type 2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a heading with the columns sheet,label or station,item,label"),
        ("sheet,label,colour\n", "expected a heading"),
        ("sheet,label\n", "expected 1 to 10000 rows"),
        ("sheet,label\na\n", "line 2: expected 2 cells, got 1"),
        ("station,item,label\nx,y,none\nx,y,none\n", "line 3: the sheet comes a second time"),
        ("sheet,label\na,b\x07\n", "line 2, label"),
        (b"\xff", "expected a CSV file in UTF-8"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_with_its_line(tmp_path, text, message):
    path = tmp_path / "cases.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadInput, match=message):
        read_right_labels(path)


def test_a_row_is_named_as_it_was_written(closed, tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("station,item,label\nline-9,gone.jpg,none\n")
    message = "line 2, station 'line-9', item 'gone.jpg': expected a sheet of this ledger"
    with open_writer(closed.ledger, "ledger") as writer, pytest.raises(BadInput, match=message):
        enter_known_cases(closed.ledger, writer, read_right_labels(path))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (f"{'f' * 32},none", "expected a sheet of this ledger with a live verdict"),
        ("{name},rust", "expected a class of its verdicts"),
        ("{name},type 1 + type 1", "expected a class of its verdicts"),
        ("{name},", "is no known case, so it cannot be ended"),
    ],
)
def test_a_table_with_one_impossible_row_changes_nothing(closed, tmp_path, rows, message):
    name, other = fill(closed, 2)
    path = tmp_path / "cases.csv"
    path.write_text(f"sheet,label\n{other},none\n{rows.format(name=name)}\n")
    with open_writer(closed.ledger, "ledger") as writer, pytest.raises(BadInput, match=message):
        enter_known_cases(closed.ledger, writer, read_right_labels(path))
    with closed.ledger.read() as connection:
        assert known_cases(connection) == {}
