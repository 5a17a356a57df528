"""Long computations: one at a time, kept by the state of the ledger, never more than a few."""

import threading

import pytest

from steelsight.errors import BadInput
from steelsight.service.pages import background
from steelsight.service.pages.background import Background
from steelsight.service.problem import Problem

LONG = 300.0


@pytest.fixture
def work():
    made = Background("test")
    yield made
    made.close()


def test_a_result_is_kept_for_the_same_heads(work):
    calls = []
    for _ in range(2):
        assert work.find("a", 1, lambda: calls.append(1) or len(calls), wait_s=LONG).value == 1
    assert work.find("b", 1, lambda: "other", wait_s=LONG).value == "other"


def test_other_heads_are_computed_once_the_result_is_old(work, monkeypatch):
    assert work.find("a", 1, lambda: 1, wait_s=LONG).value == 1
    assert work.find("a", 2, lambda: 2, wait_s=LONG).value == 1
    monkeypatch.setattr(background, "FRESH_S", 0.0)
    assert work.find("a", 2, lambda: 2, wait_s=LONG).value == 2


def test_who_does_not_wait_is_told_and_gets_it_later(work, monkeypatch):
    go = threading.Event()
    monkeypatch.setattr(background, "FRESH_S", 0.0)
    first = work.find("a", 1, lambda: go.wait(LONG) and "done", wait_s=0.0)
    assert (first.value, first.pending) == (None, True)
    go.set()
    assert work.find("a", 1, lambda: "never called", wait_s=LONG).value == "done"
    go.clear()
    again = work.find("a", 2, lambda: go.wait(LONG) and "newer", wait_s=0.0)
    assert (again.value, again.pending) == ("done", True)
    go.set()
    assert work.find("a", 2, lambda: None, wait_s=LONG).value == "newer"


def test_too_many_at_a_time_are_refused(work):
    go = threading.Event()
    for number in range(background.WAITING):
        assert work.find(number, 1, lambda: go.wait(LONG), wait_s=0.0).pending
    with pytest.raises(Problem) as refused:
        work.find("one more", 1, lambda: 1, wait_s=0.0)
    assert (refused.value.status, refused.value.code) == (503, "busy")
    go.set()
    assert work.find(0, 1, lambda: 1, wait_s=LONG).value


def test_an_error_is_raised_to_who_asks_and_forgotten(work):
    def fail():
        raise BadInput("too long")

    with pytest.raises(BadInput, match="too long"):
        work.find("a", 1, fail, wait_s=LONG)
    assert work.find("a", 1, lambda: 1, wait_s=LONG).value == 1


def test_only_the_newest_results_are_kept(work, monkeypatch):
    monkeypatch.setattr(background, "KEPT", 2)
    for name in "abc":
        work.find(name, 1, lambda: 1, wait_s=LONG)
    assert work.find("a", 1, lambda: 2, wait_s=LONG).value == 2
