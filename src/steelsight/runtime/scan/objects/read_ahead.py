"""Read objects before they are asked for, so that the waits for a store pass at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

__all__ = ["ReadAhead"]

THREADS: Final = 16  # requests at a time: of 20 ms each they give 800 images a second


class ReadAhead:
    """Takes addresses in the order in which they will be asked for, and reads at most THREADS ahead."""

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        """Nothing is read yet.

        read  the bytes of an address; None = too many to be kept; may raise, and `take` then does
        """
        self._read = read
        self._pool: ThreadPoolExecutor | None = None
        self._coming: deque[str] = deque()
        self._reading: deque[tuple[str, Future[bytes | None]]] = deque()

    def expect(self, paths: Iterable[str]) -> None:
        """Forget what was expected, and start to read these."""
        self._cancel()
        self._coming = deque(paths)
        self._start()

    def take(self, path: str) -> bytes | None:
        """The bytes of an address that was read ahead; None where it was not, or was too large for that.

        raises  what `read` raised for it
        """
        if path not in (each for each, _ in self._reading):
            return None
        while True:
            each, future = self._reading.popleft()
            self._start()
            if each == path:
                return future.result()
            future.cancel()

    def close(self) -> None:
        """Wait for what is being read, and end the threads."""
        self._cancel()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._pool = None

    def _start(self) -> None:
        if self._coming and self._pool is None:
            self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="read-ahead")
        while self._coming and self._pool is not None and len(self._reading) < THREADS:
            path = self._coming.popleft()
            self._reading.append((path, self._pool.submit(self._read, path)))

    def _cancel(self) -> None:
        for _, future in self._reading:
            future.cancel()
        self._reading.clear()
        self._coming.clear()
