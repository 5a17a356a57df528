"""kill -9 of a process that delivers: nothing is lost, and what is repeated has the same id."""

import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.ledger.conftest import judged
from tests.service.events.receivers import LONG_S, add, position, receiving, state, until

from steelsight.ledger.proof.verify import verify
from steelsight.ledger.writing.writer import open_writer

SCRIPT = Path(__file__).with_name("kill_delivery.py")
KILLS = 6


@pytest.fixture
def parts(ledger, make_parts):
    return make_parts(ledger)


@contextmanager
def started(address, number):
    """A process that delivers."""
    command = [sys.executable, SCRIPT, address, str(number)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "started\n", process.communicate(timeout=LONG_S)[1]
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=LONG_S)


def test_nothing_is_lost_and_repetitions_have_the_same_id(parts, address):
    chance = random.Random(5)
    done = threading.Event()

    def slowly(_request, _handler):
        time.sleep(0.002)
        return 200

    def write():
        with open_writer(parts.ledger, "line-1") as one, open_writer(parts.ledger, "line-2") as two:
            for number in range(0, 200, 4):
                one.append(judged(number, number + 4))
                two.append(judged(1000 + number, 1002 + number, station="line-2"))
                time.sleep(0.05)
        done.set()

    writing = threading.Thread(target=write)
    with receiving(slowly) as receiver:
        found = add(parts, receiver.url)
        writing.start()
        for number in range(KILLS):
            before = len(receiver.accepted)
            with started(address, number):
                until(lambda before=before: len(receiver.accepted) > before)
                time.sleep(chance.uniform(0.0, 0.5))
        writing.join(LONG_S)
        assert done.is_set()
        with started(address, KILLS):
            until(lambda: position(parts, found).seq("line-1") == 400)
            until(lambda: position(parts, found).seq("line-2") == 200)
            until(lambda: state(parts, found).failures == 0)
    for writer, count in (("line-1", 400), ("line-2", 200)):
        places = receiver.places(writer)
        assert list(dict.fromkeys(places)) == list(range(1, count + 1))
        assert len(places) - count < KILLS * 200
    assert len({request.place for request in receiver.got}) == 600
    assert len({request.id for request in receiver.got}) == 600
    assert all(request.id == request.json["id"] for request in receiver.got)
    assert verify(parts.ledger).clean
