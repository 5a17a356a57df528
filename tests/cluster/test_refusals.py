"""Nodes that are not used: for good, or for some time."""

from __future__ import annotations

import pytest

from steelsight.errors import BadCluster

pytest.importorskip("ray", reason="the extra [cluster] is not installed")

from steelsight.cluster import refusals as module
from steelsight.cluster.refusals import FIRST_PAUSE_S, MOST_PAUSE_S, Refusals


class Clock:
    """A clock that the test sets."""

    now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_a_refused_node_stays_refused_and_is_told_once(clock):
    said = []
    nodes = Refusals(said.append)
    for _ in range(3):
        nodes.refuse("a", "another processor", "mill-1")
        clock.now += 1e6
    assert "a" in nodes
    assert said == ["node mill-1 is not used: another processor"]


def test_a_pause_ends_and_each_further_one_is_longer_up_to_a_bound(clock):
    said = []
    nodes = Refusals(said.append)
    pauses = []
    for _ in range(7):
        nodes.pause("a", "the store refused the credentials", "mill-1")
        nodes.pause("a", "another worker of the node says the same", "mill-1")
        began = clock.now
        while "a" in nodes:
            clock.now += 1.0
        pauses.append(clock.now - began)
    assert pauses == [60, 120, 240, 480, 960, 960, 960]
    assert (pauses[0], pauses[-1]) == (FIRST_PAUSE_S, MOST_PAUSE_S)
    assert len(said) == 7
    assert said[0] == "node mill-1 is not used for 60 s: the store refused the credentials"


def test_a_node_that_pauses_can_be_refused_for_good_afterwards(clock):
    nodes = Refusals()
    nodes.pause("a", "the store refused the credentials", "mill-1")
    clock.now += FIRST_PAUSE_S
    nodes.refuse("a", "another processor", "mill-1")
    clock.now += 1e6
    assert "a" in nodes


def test_where_the_only_node_pauses_its_reason_is_the_error(clock):
    nodes = Refusals()
    nodes.pause("a", "the store refused the credentials; renew them", "mill-1")
    with pytest.raises(BadCluster, match=r"no node can be used: mill-1: the store refused.*renew them"):
        nodes.raise_none_left(["a"])
