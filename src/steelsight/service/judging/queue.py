"""A bounded queue before one engine: images are decoded in threads and judged in common passes."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np

from steelsight.runtime.engine.inspector import Inspector
from steelsight.runtime.engine.reading import DecodedImage, decode
from steelsight.runtime.verdict import Verdict
from steelsight.service.problem import Problem

__all__ = ["JudgeQueue", "Judged"]

WARM_PASSES: Final = 3  # of each size, timed: the choice between one pass and several follows from them


@dataclass(frozen=True, eq=False)
class Judged:
    """One image with its verdict."""

    verdict: Verdict
    read: DecodedImage
    latency_ms: float  # from the image's arrival to the verdict


@dataclass(frozen=True, eq=False)
class _Job:
    content: bytes
    heatmap: bool
    received: float  # time.perf_counter()
    answer: Future[Judged]


class JudgeQueue:
    """Judges images for many threads; `close` ends its threads.

    inspector   the opened bundle
    longest     images that wait or are judged at a time
    decoders    threads that decode
    max_pixels  of an image by its header; more gives a verdict `too_large`
    """

    def __init__(self, inspector: Inspector, *, longest: int, decoders: int, max_pixels: int) -> None:
        self.inspector = inspector
        self.longest = longest
        self._max_pixels = max_pixels
        self._lock = threading.Lock()
        self._inside = 0
        self._closed = False
        self._decoded: queue.SimpleQueue[tuple[_Job, DecodedImage] | None] = queue.SimpleQueue()
        self._single_s, self._batch_s = self._warm_up()
        self._decoders = ThreadPoolExecutor(decoders, thread_name_prefix="decode")
        self._engine = threading.Thread(target=self._judge_all, name="engine", daemon=True)
        self._engine.start()

    @property
    def depth(self) -> int:
        """Images that wait or are judged."""
        return self._inside

    @property
    def alive(self) -> bool:
        """Whether the engine's thread runs."""
        return self._engine.is_alive()

    def submit(self, content: bytes, *, heatmap: bool = False) -> Future[Judged]:
        """Put an image into the queue.

        raises  Problem `queue_full` where `longest` images are inside already
        """
        with self._lock:
            if self._closed or self._inside >= self.longest:
                raise Problem(
                    503,
                    "queue_full",
                    f"{self._inside} images are waiting or being judged, as many as are allowed",
                    "try again after the seconds that Retry-After says, or send fewer at a time",
                    headers={"Retry-After": "1"},
                )
            job = _Job(content, heatmap, time.perf_counter(), Future())
            self._decoders.submit(self._decode, job)  # within the lock: `close` ends the threads after it
            self._inside += 1
        job.answer.add_done_callback(self._leave)
        return job.answer

    def close(self) -> None:
        """Judge what is inside, then end the threads."""
        with self._lock:
            self._closed = True
        self._decoders.shutdown(wait=True)
        self._decoded.put(None)
        self._engine.join(timeout=30.0)

    def _leave(self, _: Future[Judged]) -> None:
        with self._lock:
            self._inside -= 1

    def _decode(self, job: _Job) -> None:
        if not job.answer.set_running_or_notify_cancel():
            return
        try:
            spec = self.inspector.bundle.card.input
            read = decode(job.content, "image", spec, max_pixels=self._max_pixels)
        except BaseException as error:  # noqa: BLE001  handed to the request that waits
            job.answer.set_exception(error)
        else:
            self._decoded.put((job, read))

    def _judge_all(self) -> None:
        while (first := self._decoded.get()) is not None:
            ready = [first]
            until = time.perf_counter() + self._batch_s
            while len(ready) < self.inspector.engine.batch:
                following = self._next(until if self._inside > len(ready) else 0.0)
                if following is None:
                    break
                ready.append(following)
            for part in self._parts(ready):
                self._judge(part)

    def _next(self, until: float) -> tuple[_Job, DecodedImage] | None:
        """The next decoded image; others that are being decoded are waited for as long as a pass takes.

        A whole pass costs less for each image than a pass for one alone, and one image alone never waits.
        """
        try:
            left = until - time.perf_counter()
            following = self._decoded.get(timeout=left) if left > 0 else self._decoded.get_nowait()
        except queue.Empty:
            return None
        if following is None:
            self._decoded.put(None)  # the end: judge what is there first
        return following

    def _parts(
        self, ready: Sequence[tuple[_Job, DecodedImage]]
    ) -> Sequence[Sequence[tuple[_Job, DecodedImage]]]:
        """One pass, or one for each image where that is faster: a pass of the engine is always whole."""
        if len(ready) * self._single_s < self._batch_s:
            return [[each] for each in ready]
        return [ready]

    def _judge(self, part: Sequence[tuple[_Job, DecodedImage]]) -> None:
        try:
            heatmaps = any(job.heatmap for job, _ in part)
            verdicts = self.inspector.inspect_decoded([read for _, read in part], heatmaps=heatmaps)
        except BaseException as error:  # noqa: BLE001  handed to the requests that wait
            for job, _ in part:
                job.answer.set_exception(error)
            return
        now = time.perf_counter()
        for (job, read), verdict in zip(part, verdicts, strict=True):
            job.answer.set_result(Judged(verdict, read, (now - job.received) * 1000))

    def _warm_up(self) -> tuple[float, float]:
        """Compile both sizes of pass; seconds for one image alone, and for a whole pass."""
        spec, size = self.inspector.bundle.card.input, self.inspector.engine.batch
        gray = np.zeros((spec.height, spec.width), dtype=np.uint8)
        read = DecodedImage(gray, gray.shape, None, "")
        spent = []
        for number in (1, size):
            times = []
            for _ in range(1 + WARM_PASSES):
                started = time.perf_counter()
                self.inspector.inspect_decoded([read] * number, heatmaps=False)
                times.append(time.perf_counter() - started)
            spent.append(min(times))
        return spent[0], spent[1]
