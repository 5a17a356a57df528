"""A thread that does one thing again and again goes on after a fault, and ends when it is told to."""

import logging
import threading

import pytest

from steelsight.errors import BadLedger
from steelsight.service.repeating import Repeating

LOG = logging.getLogger("steelsight.service.alarms")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (BadLedger("it is locked"), "alarms could not be looked at: it is locked"),
        (ZeroDivisionError("none"), "alarms could not be looked at; it goes on"),
    ],
)
def test_a_fault_is_logged_and_it_goes_on(fault, told, caplog):
    went_on, calls = threading.Event(), []

    def act():
        calls.append(threading.current_thread().name)
        if len(calls) == 1:
            raise fault
        went_on.set()

    repeating = Repeating("alarms", act, lambda: 0.001, "alarms could not be looked at", LOG)
    with caplog.at_level(logging.WARNING):
        repeating.start()
        assert went_on.wait(60)
        repeating.stop()
    assert set(calls) == {"alarms"}
    assert told in caplog.text
    count = len(calls)
    repeating.start()  # it can begin again
    went_on.clear()
    assert went_on.wait(60)
    repeating.stop()
    assert len(calls) > count


@pytest.mark.parametrize("at_once", [True, False])
def test_the_first_call_comes_at_once_where_that_is_wanted(at_once):
    called = threading.Event()
    repeating = Repeating("certificates", called.set, lambda: 3600.0, "failed", LOG, at_once=at_once)
    repeating.start()
    assert called.wait(60 if at_once else 0.05) == at_once
    repeating.stop()


def test_stop_before_start_does_nothing():
    Repeating("alarms", lambda: None, lambda: 1.0, "failed", LOG).stop()
