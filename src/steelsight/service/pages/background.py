"""Long computations of pages: one at a time in a thread of their own, kept by the state of the ledger."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from steelsight.service.problem import Problem

__all__ = ["Background", "Found"]

Value = TypeVar("Value")
KEPT: Final = 24  # results
WAITING: Final = 4  # computations that run or wait
FRESH_S: Final = 60.0  # a result is shown so long although the ledger went on


@dataclass(frozen=True)
class Found(Generic[Value]):
    """What there is of a result."""

    value: Value | None  # None = it is being computed, and there is no earlier one
    pending: bool  # a newer one is being computed


@dataclass(frozen=True)
class _Kept(Generic[Value]):
    heads: Hashable
    at_s: float
    value: Value


class Background(Generic[Value]):
    """Computes and keeps results; safe to share between threads.

    A result counts as long as the ledger has the same heads, and for a minute beyond.
    """

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, _Kept[Value]] = OrderedDict()
        self._running: dict[Hashable, Future[Value]] = {}

    def find(
        self, key: Hashable, heads: Hashable, compute: Callable[[], Value], *, wait_s: float
    ) -> Found[Value]:
        """The result of a computation, begun where it is not there.

        heads    state of the ledger
        wait_s   longest time to wait for it
        raises   Problem 503 busy where too many wait already; what `compute` raises
        """
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and (kept.heads == heads or time.monotonic() - kept.at_s < FRESH_S):
                self._kept.move_to_end(key)
                return Found(kept.value, pending=False)
            job = self._running.get(key) or self._begin(key, heads, compute)
        if job is not None:
            try:
                return Found(job.result(wait_s), pending=False)
            except NotYet:
                if job.done():  # it ended just now, or has raised this itself
                    return Found(job.result(), pending=False)
            finally:
                if job.done():
                    self._forget(key, job)
        if job is None and kept is None:
            message = "too many figures are being computed"
            raise Problem(503, "busy", message, "try again in a moment", headers={"Retry-After": "5"})
        return Found(None if kept is None else kept.value, pending=True)

    def _begin(self, key: Hashable, heads: Hashable, compute: Callable[[], Value]) -> Future[Value] | None:
        """Begin a computation; None where too many wait."""
        for name, each in list(self._running.items()):
            if each.done():  # it failed, and nobody asked again
                del self._running[name]
        if len(self._running) >= WAITING:
            return None
        job = self._pool.submit(self._compute, key, heads, compute)
        self._running[key] = job
        return job

    def _compute(self, key: Hashable, heads: Hashable, compute: Callable[[], Value]) -> Value:
        value = compute()
        with self._lock:
            self._kept[key] = _Kept(heads, time.monotonic(), value)
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return value

    def _forget(self, key: Hashable, job: Future[Value]) -> None:
        with self._lock:
            if self._running.get(key) is job:
                del self._running[key]

    def close(self) -> None:
        """Begin no more computations; the one that runs ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)
