"""The queue before an engine: every image gets its own verdict, however many threads send them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra [serve]")

from tests.service.api.conftest import jpeg

from steelsight.runtime.engine.inspector import Inspector
from steelsight.service.judging.entries import verdict_entry
from steelsight.service.judging.queue import JudgeQueue
from steelsight.service.problem import Problem


class CountedInspector(Inspector):
    """Keeps the sizes of its passes, and waits where it is told to."""

    def __init__(self, inspector):
        super().__init__(inspector.bundle, inspector.engine)
        self.sizes = []
        self.go = threading.Event()
        self.go.set()
        self.fail = False

    def inspect_decoded(self, reads, *, heatmaps=True):
        self.go.wait(60)
        self.sizes.append(len(reads))
        if self.fail:
            raise RuntimeError("the engine broke")
        return super().inspect_decoded(reads, heatmaps=heatmaps)


@pytest.fixture
def inspector(packaged):
    return CountedInspector(packaged)


@pytest.fixture
def judge(inspector):
    made = JudgeQueue(inspector, longest=64, decoders=2, max_pixels=2**20)
    yield made
    inspector.go.set()
    made.close()


def wait_until_empty(judge):
    """An answer is there a moment before its place in the queue is free."""
    for _ in range(6000):
        if judge.depth == 0:
            return
        time.sleep(0.01)
    raise AssertionError(f"{judge.depth} images are still inside")


def test_every_image_gets_its_own_verdict(judge, packaged):
    contents = [jpeg(number) if number % 5 else b"no image" for number in range(40)]
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda content: judge.submit(content).result(60), contents))
    for content, answer in zip(contents, answers, strict=True):
        expected = packaged.inspect(content)
        assert answer.verdict.label == expected.label
        assert answer.verdict.state is expected.state
        np.testing.assert_allclose(answer.verdict.probabilities, expected.probabilities, atol=1e-6)
        assert answer.latency_ms > 0


@pytest.mark.parametrize(("single_s", "largest"), [(1.0, 8), (0.0, 1)])
def test_images_that_wait_share_a_pass_where_that_is_faster(judge, inspector, single_s, largest):
    judge._single_s, judge._batch_s = single_s, 1.5
    inspector.sizes.clear()  # those by which the queue measured what is faster
    inspector.go.clear()
    waiting = [judge.submit(jpeg(number)) for number in range(24)]
    judge._decoders.shutdown(wait=True)  # all are decoded, and at most eight wait for the engine
    inspector.go.set()
    wait(waiting, 60)
    assert sum(inspector.sizes) == 24
    assert max(inspector.sizes) == largest
    assert len(inspector.sizes) == 24 if largest == 1 else len(inspector.sizes) <= 24 / 8 + 1


def test_heatmaps_come_to_those_who_want_them(judge):
    assert judge.submit(jpeg(), heatmap=True).result(60).verdict.heatmap is not None
    assert judge.submit(jpeg()).result(60).verdict.heatmap is None


def test_more_than_the_queue_holds_is_refused_and_it_empties(inspector):
    judge = JudgeQueue(inspector, longest=3, decoders=1, max_pixels=2**20)
    inspector.go.clear()
    waiting = [judge.submit(jpeg()) for _ in range(3)]
    with pytest.raises(Problem) as refused:
        judge.submit(jpeg())
    assert (refused.value.status, refused.value.code) == (503, "queue_full")
    assert judge.depth == 3
    inspector.go.set()
    wait(waiting, 60)
    wait_until_empty(judge)
    assert judge.submit(jpeg()).result(60).verdict.label
    judge.close()
    assert judge.depth == 0
    assert not judge.alive
    with pytest.raises(Problem):
        judge.submit(jpeg())


def test_an_image_that_nobody_waits_for_leaves_the_queue(judge, inspector):
    inspector.go.clear()
    waiting = [judge.submit(jpeg(number)) for number in range(6)]
    cancelled = [each for each in waiting if each.cancel()]
    inspector.go.set()
    wait([each for each in waiting if each not in cancelled], 60)
    wait_until_empty(judge)
    assert judge.submit(jpeg()).result(60)


def test_an_engine_that_fails_fails_those_requests_alone(judge, inspector):
    inspector.fail = True
    with pytest.raises(RuntimeError, match="the engine broke"):
        judge.submit(jpeg()).result(60)
    inspector.fail = False
    assert judge.submit(jpeg()).result(60).verdict.label
    assert judge.alive


def test_the_entry_says_what_the_verdict_says(packaged):
    for content in (jpeg(), b"no image"):
        verdict = packaged.inspect(content)
        entry = verdict_entry(packaged, "a" * 32, verdict, latency_ms=2.5)
        assert (entry.label, entry.state, entry.reason) == (verdict.label, verdict.state, verdict.reason)
        assert list(entry.probabilities.values()) == verdict.probabilities.tolist()
        assert entry.probability == (None if np.isnan(verdict.probability) else verdict.probability)
        assert [tuple(each.box) for each in entry.regions] == [each.box for each in verdict.regions]
        assert (entry.bundle, entry.engine) == (packaged.bundle.card.model_id, packaged.engine.about)
        assert entry.detail == verdict.detail
