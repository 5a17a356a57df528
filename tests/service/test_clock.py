"""A clock that is set back is told and on record; small steps and a clock that runs forward are not."""

import json

import pytest
from sqlalchemy import select
from tests.ledger.conftest import judged

from steelsight.ledger.database import schema
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.writing.writer import now_us, open_writer
from steelsight.service.station.clock import ClockWatch
from steelsight.service.station.recorder import Recorder


class Clocks:
    """Two clocks that a test moves."""

    def __init__(self, wall_us=1_700_000_000_000_000):
        self.wall_us = wall_us
        self.steady_s = 5.0

    def watch(self):
        return ClockWatch(lambda: self.wall_us, lambda: self.steady_s)

    def pass_time(self, seconds, set_by=0.0):
        self.steady_s += seconds
        self.wall_us += int((seconds + set_by) * 1e6)


@pytest.mark.parametrize(
    ("set_by", "told"), [(-3600.0, 3600.0), (-1.0, 1.0), (-0.9, 0.0), (3600.0, 0.0), (0.0, 0.0)]
)
def test_a_clock_that_is_set_back_is_noticed_once(set_by, told):
    clocks = Clocks()
    watch = clocks.watch()
    clocks.pass_time(10.0)
    assert watch.back_s() == 0.0
    clocks.pass_time(10.0, set_by)
    assert watch.back_s() == pytest.approx(told)
    clocks.pass_time(10.0)
    assert watch.back_s() == 0.0


@pytest.fixture
def record(ledger, address):
    made, told = [], []

    def make(clock=None):
        for each in made:
            each.close()
        made.append(Recorder(address, "line-1", None, report=told.append, clock=clock))
        return made[-1], told

    yield make
    for each in made:
        each.close()


def recorded(ledger):
    with ledger.read() as connection:
        query = select(schema.events).where(schema.events.c.name == "clock_set_back")
        return [json.loads(row.details)["seconds"] for row in connection.execute(query)]


def test_a_clock_that_is_set_back_is_on_record(record, ledger):
    clocks = Clocks(now_us())
    recorder, told = record(clocks.watch())
    recorder.write([judged(0, 1)])
    clocks.pass_time(1.0, -120.0)
    recorder.write([judged(1, 2)])
    recorder.idle()
    assert recorded(ledger) == [pytest.approx(120.0, abs=0.01)]
    assert recorder.counts.clock_set_back == 1
    assert [line for line in told if "the clock was set back by 120 s" in line]
    assert verify(ledger).clean


def test_a_clock_that_was_set_back_before_the_start_is_on_record(record, ledger):
    with open_writer(ledger, "line-1", clock=lambda: now_us() + 3_600_000_000) as writer:
        writer.append(judged(0, 1))
    recorder, _ = record()
    recorder.idle()
    assert recorded(ledger) == [pytest.approx(3600.0, abs=300.0)]
    recorder, _ = record()
    recorder.idle()
    assert len(recorded(ledger)) == 1
