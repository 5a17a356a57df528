"""A real server under load: slow engines, full queues, the same and different requests at the same time."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.service.api.conftest import jpeg
from tests.service.api.test_server import code_of, connected, head, read_answer, start

from steelsight.ledger.proof.verify import verify
from steelsight.runtime.engine.inspector import Inspector
from steelsight.service.judging.queue import WARM_PASSES

__all__ = ["start"]


class SlowInspector(Inspector):
    """Answers when it is told to."""

    def __init__(self, inspector):
        super().__init__(inspector.bundle, inspector.engine)
        self.go = threading.Event()
        self._quick = 2 * (1 + WARM_PASSES)  # passes by which the queue measures what is faster

    def inspect_decoded(self, reads, *, heatmaps=True):
        self._quick -= 1
        if self._quick < 0:
            self.go.wait(60)
        return super().inspect_decoded(reads, heatmaps=heatmaps)


def ask(port, number=0):
    content = jpeg(number)
    with connected(port) as stream:
        stream.sendall(head(Content_Length=len(content)) + content)
        return read_answer(stream)


def test_an_answer_that_takes_too_long_is_given_up(sqlite_ledger, make_service, start, packaged):
    slow = SlowInspector(packaged)
    service = make_service(sqlite_ledger, [("slow", slow)], request_timeout_s=0.5)
    port = start(service)
    status, headers, body = ask(port)
    assert (status, code_of(body), headers["retry-after"]) == (503, "timeout", "5")
    slow.go.set()
    for _ in range(100):  # the queue is free again: nothing of the request is left
        status, _, _ = ask(port)
        if status == 200:
            break
    assert status == 200


def test_a_full_queue_refuses_and_says_when_to_come_again(sqlite_ledger, make_service, start, packaged):
    slow = SlowInspector(packaged)
    service = make_service(sqlite_ledger, [("slow", slow)], queue=2, request_timeout_s=60.0)
    port = start(service)
    answers = []
    waiting = [threading.Thread(target=lambda: answers.append(ask(port)[0])) for _ in range(2)]
    for each in waiting:
        each.start()
    for _ in range(400):
        status, headers, body = ask_when_full(port)
        if status == 503:
            break
    assert (code_of(body), headers["retry-after"]) == ("queue_full", "1")
    slow.go.set()
    for each in waiting:
        each.join()
    assert answers == [200, 200]
    assert ask(port)[0] == 200


def ask_when_full(port):
    """A request that is given up after a moment where the queue still has room for it."""
    content = jpeg()
    with connected(port) as stream:
        stream.sendall(head("GET", "/health/ready"))
        ready = json.loads(read_answer(stream)[2])
    if ready["parts"]["queue"]["state"] == "ok":
        time.sleep(0.02)
        return 0, {}, b""
    with connected(port) as stream:
        stream.sendall(head(Content_Length=len(content)) + content)
        return read_answer(stream)


def test_the_same_request_at_the_same_time_is_done_once(ledger, make_service, start):
    port = start(make_service(ledger))
    content = jpeg()
    path = "/api/v1/inspect?record=true&item=a.jpg"

    def once(_):
        with connected(port) as stream:
            stream.sendall(head(path=path, Content_Length=len(content), Idempotency_Key="k") + content)
            return read_answer(stream)

    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(once, range(16)))
    assert {status for status, _, _ in answers} == {200}
    assert len({body for _, _, body in answers}) == 1
    with connected(port) as stream:
        stream.sendall(head("GET", "/api/v1/sheets"))
        assert len(json.loads(read_answer(stream)[2])["items"]) == 1


def test_different_requests_at_the_same_time_are_all_recorded(ledger, make_service, start):
    service = make_service(ledger)
    port = start(service)

    def record(number):
        content = jpeg(number)
        path = f"/api/v1/inspect?record=true&item={number}"
        with connected(port) as stream:
            stream.sendall(head(path=path, Content_Length=len(content)) + content)
            return read_answer(stream)[0]

    with ThreadPoolExecutor(8) as clients:
        assert set(clients.map(record, range(24))) == {200}
    found = verify(service.ledger)
    assert (found.clean, found.entries) == (True, 48)
