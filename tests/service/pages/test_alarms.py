"""Alarms: never more than a person can act on, grouped, acknowledged and shelved on record."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from tests.service.access.conftest import code
from tests.service.pages.conftest import fill

from steelsight.ledger.chain.event_names import ALARM_RAISED
from steelsight.ledger.database import schema
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.reading.records import list_events
from steelsight.ledger.writing.writer import now_us
from steelsight.service.access.roles import Role
from steelsight.service.alarms.conditions import Condition, Priority, part_conditions, station_conditions
from steelsight.service.alarms.limits import AT_ONCE, EVERY_US, may_raise
from steelsight.service.alarms.record import AlarmLog, read_alarms
from steelsight.service.alarms.steps import QUIET_US, take_step
from steelsight.service.alarms.watch import AlarmWatch

MINUTE_US = 60_000_000
HTML = {"accept": "text/html"}


def condition(group="line-1", kind="defects", priority=Priority.MEDIUM):
    return Condition(kind, group, priority, {"share": 0.5, "limit": 0.3, "sheets": 200})


@given(st.lists(st.integers(0, 24 * 60 * MINUTE_US), max_size=300))
def test_whatever_comes_few_alarms_are_raised(moments):
    """EEMUA 191: at most ten in the first ten minutes of an upset, under one in ten minutes on average."""
    raised = []
    for moment in sorted(moments):
        if may_raise(raised, moment):
            raised.append(moment)
    for first in raised:
        assert sum(first <= each < first + 10 * MINUTE_US for each in raised) <= AT_ONCE
    assert len(raised) <= AT_ONCE + 24 * 60 * MINUTE_US / EVERY_US
    assert EVERY_US > 10 * MINUTE_US


class Plant:
    """The steps of a watch without a ledger: what would be on record after each."""

    def __init__(self):
        self.log = AlarmLog({}, (), {}, ())
        self.last_there = {}
        self.raised = []

    def look(self, conditions, now):
        from steelsight.service.alarms.record import Alarm

        self.last_there.update({each.group: now for each in conditions})
        step = take_step(conditions, self.log, self.last_there, now)
        open_ones = dict(self.log.open)
        for event in step.events:
            if event.name == ALARM_RAISED:
                self.raised.append((now, event.subject))
                found = tuple(event.details["conditions"])
                open_ones[event.subject] = Alarm(event.subject, ("w", len(self.raised)), now, found)
            else:
                del open_ones[event.subject]
        times = tuple(each for each, _ in self.raised)
        self.log = AlarmLog(open_ones, (), self.log.shelves, times)
        return step


def test_an_upset_of_forty_flapping_stations_is_bearable():
    rng, plant = np.random.default_rng(5), Plant()
    for second in range(0, 8 * 3600, 5):
        stations = np.flatnonzero(rng.random(40) < 0.3)
        plant.look([condition(f"line-{each}") for each in stations], second * 1_000_000)
    times = np.array([each for each, _ in plant.raised])
    assert ((times < 10 * MINUTE_US).sum()) == AT_ONCE
    assert len(times) <= AT_ONCE + 8 * 60 / 12
    assert len(times) > AT_ONCE  # further ones come later


def test_conditions_of_one_group_are_one_alarm_and_urgent_groups_come_first():
    plant = Plant()
    kinds = [condition(kind=kind) for kind in ("defects", "undecided", "bad_images")]
    step = plant.look(kinds, 0)
    assert [(event.name, len(event.details["conditions"])) for event in step.events] == [("alarm_raised", 3)]
    assert plant.look(kinds, 5).events == ()
    many = [condition(f"other-{each}", priority=Priority.LOW) for each in range(20)]
    step = plant.look([*many, condition("zz", priority=Priority.HIGH)], 10)
    assert step.events[0].subject == "zz"
    assert len(step.held_back) == 20 - (AT_ONCE - 2)


def test_an_alarm_is_over_when_its_conditions_stay_away():
    plant = Plant()
    plant.look([condition()], 0)
    assert plant.look([], QUIET_US - 1).events == ()
    assert [event.name for event in plant.look([], QUIET_US).events] == ["alarm_cleared"]


@pytest.fixture
def watched(both, client_of, member):
    """A service whose station has many doubtful sheets, and its watch after one look."""
    fill(both, 40, probability=0.5)
    engineer = member(both, Role.ENGINEER, login="eva")
    watch: AlarmWatch = engineer.app.state.alarms
    watch.look()
    return both, watch, engineer


def log_of(service):
    with service.ledger.read() as connection:
        return read_alarms(connection, now_us())


def events_of(service):
    with service.ledger.read() as connection:
        rows = list_events(connection).rows
    return [row for row in rows if row["name"].startswith("alarm_")][::-1]


def alarm(service):
    found = log_of(service).open["line-1"]
    return {"group": "line-1", "writer": found.name[0], "seq": found.name[1]}


def test_an_alarm_is_raised_once_shown_and_acknowledged(watched):
    service, watch, eva = watched
    watch.look()
    assert [row["name"] for row in events_of(service)] == ["alarm_raised"]
    page = eva.get("/line", headers=HTML).text
    assert "100 % of the last 40 sheets were not decided" in page
    assert "Medium" in page
    form = alarm(service)
    for _ in range(2):  # a double click
        answer = eva.post("/line/alarms/acknowledge", data=form, headers={"hx-request": "true"})
        assert answer.status_code == 200
        assert "acknowledged by" in answer.text
    rows = events_of(service)
    assert [row["name"] for row in rows] == ["alarm_raised", "alarm_acknowledged"]
    assert rows[1]["person"] == eva.person
    assert verify(service.ledger).clean


def test_a_stale_form_is_told_and_changes_nothing(watched):
    service, _, eva = watched
    form = {**alarm(service), "seq": 9999}
    answer = eva.post("/line/alarms/acknowledge", data=form, headers={"hx-request": "true"})
    assert answer.status_code == 409
    assert "not there any more" in answer.text
    assert [row["name"] for row in events_of(service)] == ["alarm_raised"]


def test_an_alarm_is_shelved_with_a_reason_for_a_time_and_taken_off(watched):
    service, watch, eva = watched
    form = {"group": "line-1", "minutes": 60, "reason": "maintenance", "comment": "rolls are <b>changed</b>"}
    answer = eva.post("/line/alarms/shelve", data=form, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/line")
    shelf = log_of(service).shelves["line-1"]
    assert shelf.reason == "maintenance"
    assert 59 * MINUTE_US < shelf.until_us - now_us() <= 60 * MINUTE_US
    details = events_of(service)[-1]["details"]
    assert "changed" not in details
    with service.ledger.read() as connection:
        texts = connection.execute(select(schema.texts.c.text)).scalars().all()
    assert texts == ["rolls are <b>changed</b>"]
    watch.look()
    assert [row["name"] for row in events_of(service)] == ["alarm_raised", "alarm_shelved"]
    page = eva.get("/line/alarms").text
    assert "shelved" in page
    assert "Acknowledge" not in page
    eva.post("/line/alarms/unshelve", data={"group": "line-1"})
    assert log_of(service).shelves == {}
    assert verify(service.ledger).clean


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"minutes": 7}, 422),
        ({"minutes": 100_001}, 422),
        ({"reason": "because"}, 422),
        ({"reason": ""}, 422),
        ({"comment": "x" * 5001}, 422),
        ({"group": "line-9"}, 409),
    ],
)
def test_a_shelf_without_a_reason_or_time_is_refused(watched, values, status):
    service, _, eva = watched
    form = {"group": "line-1", "minutes": 60, "reason": "trial", **values}
    answer = eva.post("/line/alarms/shelve", data=form, headers={"hx-request": "true"})
    assert answer.status_code == status
    assert log_of(service).shelves == {}


def test_a_viewer_sees_alarms_and_does_nothing_with_them(watched, member):
    service, _, _ = watched
    viewer = member(service, Role.VIEWER, login="vera")
    page = viewer.get("/line", headers=HTML).text
    assert "were not decided" in page
    assert "Acknowledge" not in page
    assert code(viewer.post("/line/alarms/acknowledge", data=alarm(service))) == "forbidden"


def station(service, settings=None, there=()):
    with service.ledger.read() as connection:
        found = station_conditions(connection, settings or service.settings, service.bundles, there, now_us())
    return {each.kind: each for each in found}


def test_conditions_end_clearly_below_their_limits(closed):
    fill(closed, 30, probability=0.5)
    fill(closed, 60, start=30, label="none", probability=0.99)
    assert station(closed) == {}  # a third is doubtful, and 40 % are the limit
    assert set(station(closed, there={("line-1", "undecided")})) == {"undecided"}


def test_defects_unreadable_images_and_a_camera_that_stands_still(closed):
    fill(closed, 29, probability=0.99)
    assert station(closed) == {}  # too few
    fill(closed, 11, start=29, probability=0.99)
    assert set(station(closed)) == {"defects"}
    fill(closed, 6, start=40, state="bad_image", reason="damaged", label="")
    assert {kind: each.priority for kind, each in station(closed).items()} == {
        "bad_images": "high",
        "defects": "medium",
    }
    from tests.service.pages.conftest import sheet_of, verdict_of

    from steelsight.ledger.writing.writer import open_writer

    model = closed.bundles.default.bundle.card.model_id
    with open_writer(closed.ledger, "line-2") as writer:
        for number in range(20):
            seen = sheet_of(number, station="line-2", repeated=True)
            writer.append([seen, verdict_of(seen, model, "none", 0.99)])
    assert "camera_stuck" in station(closed)


def test_a_station_that_falls_silent(closed):
    fill(closed, 2)
    silent = closed.settings.model_copy(update={"alarm_silent_s": 1e-6})
    assert station(closed, silent)["silent"].priority == "high"


def test_parts_of_the_service():
    found = part_conditions({"database": "ok", "disk": "degraded", "lease": "down"})
    assert [(each.kind, each.priority) for each in found] == [("part_disk", "medium"), ("part_lease", "high")]
