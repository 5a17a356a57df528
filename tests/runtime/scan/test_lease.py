"""The lock of an output: one holder at a time by the clock of the store, whatever the clocks of computers."""

import errno
import itertools
import json
import threading

import pytest

from steelsight.errors import BadOutput
from steelsight.runtime.scan.objects.address import ObjectAddress
from steelsight.runtime.scan.objects.faults import ObjectFault
from steelsight.runtime.scan.objects.store import ReadObject
from steelsight.runtime.scan.objects.writing import WritableStore
from steelsight.runtime.scan.outputs import lease as lease_module
from steelsight.runtime.scan.outputs.lease import LEASE_S, LOOK_S, SAFE_SHARE, WriteLease

OUT = ObjectAddress("mill", "out")


class Store(WritableStore):
    """Stands for a store with conditional writes, one object and a clock of its own."""

    def __init__(self):
        super().__init__()
        self.content, self.etag, self.written_s = None, "", 0.0
        self.now_s, self.tells_time, self.fault = 1e9, True, None
        self.count, self.lock = itertools.count(1), threading.Lock()
        self.after_look = self.while_asleep = lambda: None
        self.slept_s = 0.0
        self.answer_lost = False

    def write(self, address, content, *, replaces=""):
        assert address == OUT / ".lock"
        with self.lock:
            if self.fault is not None:
                raise self.fault
            if replaces != self.etag:
                raise ObjectFault(errno.ESTALE, "another state")
            self.put(content)
            if self.answer_lost:
                raise ObjectFault(errno.EIO, "no answer")
            return self.etag

    def put(self, content):
        self.content, self.etag, self.written_s = content, f'"{next(self.count)}"', self.now_s

    def read_state(self, address, *, most_bytes):
        return ReadObject(self.content[:most_bytes], self.etag)

    def age(self, address):
        found = self.etag, self.now_s - self.written_s if self.tells_time else None
        self.after_look()
        return found


@pytest.fixture
def store(monkeypatch):
    """Its time passes while a scan waits for a lock, and at no other moment."""
    made = Store()

    def sleep(seconds):
        made.now_s += seconds
        made.slept_s += seconds
        made.while_asleep()

    monkeypatch.setattr(lease_module.time, "sleep", sleep)
    monkeypatch.setattr(lease_module.time, "monotonic", lambda: made.now_s)
    return made


def taken(store):
    lease = WriteLease(store, OUT)
    lease.take()
    return lease


def die(store):
    """Leave the lock of a process that renews it no more."""
    store.put(WriteLease(store, OUT)._content(released=False))


def test_one_holder_at_a_time_and_the_next_one_at_once(store):
    first = taken(store)
    store.while_asleep = lambda: setattr(first, "_etag", first._write(first._etag))  # as its thread renews it
    with pytest.raises(
        BadOutput, match=r"s3://mill/out: another scan writes there \(process \d+ on .*\); wait"
    ):
        taken(store)
    first.give_back()
    assert json.loads(store.content)["released"] is True
    slept_s = store.slept_s
    taken(store).give_back()
    assert store.slept_s == slept_s


def test_a_holder_that_gives_back_while_another_waits_is_followed(store):
    first = taken(store)
    store.while_asleep = first.give_back
    taken(store).give_back()
    assert store.slept_s == LOOK_S


@pytest.mark.parametrize("tells_time", [True, False])
@pytest.mark.parametrize("age_s", [0, 20])
def test_a_dead_holder_is_waited_for_by_the_stores_clock(store, monkeypatch, tells_time, age_s):
    die(store)
    monkeypatch.setattr(lease_module.time, "time", lambda: 4e9)  # of no consequence
    store.now_s += age_s
    store.tells_time = tells_time
    taken(store).give_back()
    assert 0 < store.slept_s - (LEASE_S - (age_s if tells_time else 0)) <= LOOK_S


def test_of_two_that_take_an_expired_lock_one_succeeds(store):
    die(store)
    store.now_s += LEASE_S + 1
    other = WriteLease(store, OUT)

    def write_first():
        store.after_look = lambda: None
        other.take()

    store.after_look = write_first
    with pytest.raises(BadOutput, match="another scan writes there"):
        taken(store)
    other.check()
    other.give_back()


@pytest.mark.parametrize(
    ("content", "after_s", "free"),
    [
        (b"a letter", LEASE_S - 1, False),
        (b"a letter", LEASE_S + 1, True),
        (b'{"lease_s": 5}', 6, True),
        (b'{"lease_s": 1e999}', LEASE_S - 1, False),
        (b'{"lease_s": NaN}', LEASE_S + 1, True),
        (b'{"lease_s": -5, "holder": "\\u001b[2J\\n"}', 6, False),
        (b'{"released": "yes"}', 1, False),
        (b'{"released": true}', 1, True),
    ],
)
def test_locks_of_others_are_read_with_care(store, content, after_s, free):
    store.put(content)
    store.now_s += after_s
    taken(store).give_back()
    assert (store.slept_s == 0) == free


def test_a_holder_renews_and_stops_when_another_took_the_lock(store, monkeypatch):
    monkeypatch.setattr(lease_module, "RENEW_S", 0.01)
    lease = taken(store)
    before = store.etag
    wait(lambda: store.etag != before)
    lease.check()
    store.put(b"{}")
    wait(lambda: lease._lost)
    with pytest.raises(BadOutput, match=r"the lock was lost \(another scan took it\); what is written stays"):
        lease.check()
    lease.give_back()
    assert store.content == b"{}"


def test_a_holder_without_renewals_stops_before_the_lease_ends(store, monkeypatch):
    monkeypatch.setattr(lease_module, "RENEW_S", 0.01)
    lease = taken(store)
    store.fault = ObjectFault(errno.EBUSY, "busy")
    lease.check()
    store.now_s += LEASE_S * SAFE_SHARE + 1
    with pytest.raises(BadOutput, match="it could not be renewed for 45 s"):
        lease.check()
    store.fault = None
    lease.give_back()


def test_a_lock_that_cannot_be_given_back_expires(store):
    lease = taken(store)
    store.fault = ObjectFault(errno.EHOSTUNREACH, "no network")
    lease.give_back()
    assert json.loads(store.content)["released"] is False


def wait(condition):
    """Until a thread has done something."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.005)


@pytest.mark.parametrize("lost", [1, 3])
def test_a_renewal_whose_answer_was_lost_is_ours(store, lost):
    lease = taken(store)
    store.answer_lost = True
    for _ in range(lost):
        with pytest.raises(ObjectFault, match="no answer"):
            lease._renew()
    store.answer_lost = False
    lease._renew()
    lease.check()
    lease.give_back()
    assert json.loads(store.content)["released"] is True


def test_a_lock_that_another_process_took_is_not_ours(store):
    lease = taken(store)
    die(store)  # of another process
    with pytest.raises(ObjectFault, match="another state"):
        lease._renew()
    before = store.content
    lease.give_back()
    assert store.content == before
