"""The service's own chain: many threads, one lease, which comes back after it was lost."""

import threading
import time

import pytest

pytest.importorskip("fastapi", reason="needs the extra [serve]")


from steelsight.errors import BadEntry, LeaseLost
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.writing.writer import open_writer
from steelsight.service.console import SharedWriter


def wait_for(condition):
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("waited a minute")


def test_threads_append_to_one_chain(ledger):
    console = SharedWriter(ledger, "console")

    def work(number):
        for part in range(5):
            console.append([Event(name="export", details={"thread": number, "part": part})])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    console.close()
    found = verify(ledger)
    assert (found.clean, found.entries) == (True, 40)


def test_a_transaction_is_whole_or_nothing(ledger):
    console = SharedWriter(ledger, "console")
    with pytest.raises(BadEntry), console.transaction() as (connection, writer):  # noqa: PT012
        writer.append_within(connection, [Event(name="export")])
        raise BadEntry("not this one")
    assert verify(ledger).entries == 0
    assert console.append([Event(name="export")])[0].seq == 1
    console.close()


def test_a_lease_is_kept_without_an_append(ledger):
    console = SharedWriter(ledger, "console", lease_s=0.6)
    time.sleep(1.2)
    with pytest.raises(LeaseLost, match="writes as 'console'"), open_writer(ledger, "console"):
        pass
    console.close()
    with open_writer(ledger, "console"):
        pass


def test_a_name_that_was_taken_comes_back_once_it_is_free(ledger):
    console = SharedWriter(ledger, "console", lease_s=0.6)
    with open_writer(ledger, "console", force=True) as other:
        wait_for(lambda: console.trouble is not None)
        assert "writes as 'console'" in console.trouble
        with pytest.raises(LeaseLost):
            console.append([Event(name="export")])
        other.append([Event(name="export")])
    wait_for(lambda: console.trouble is None)
    assert console.append([Event(name="export")])[0].seq == 2
    console.close()
    assert verify(ledger).clean
