"""What the requests for evidence share in one application; it lies at `app.state.evidence`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from steelsight.service.pages.review.evidence.embeddings import Embeddings
from steelsight.service.pages.review.reliability import MapReliability, nothing_known
from steelsight.service.problem import Problem

__all__ = ["EvidenceState"]

WAIT_S: Final = 2.0  # for the search of another request; a waiting one keeps a thread


class EvidenceState:
    """Embeddings that are kept, the turn of those who cover places, and what flags maps.

    reliability  flags maps that are not to be relied on
    """

    def __init__(self, reliability: MapReliability = nothing_known) -> None:
        self.embeddings = Embeddings()
        self.reliability = reliability
        self._covering = threading.Lock()
        self._counting = threading.Lock()
        self._searching: set[str] = set()  # people

    @contextmanager
    def covering(self, person: str) -> Iterator[None]:
        """One search at a time covers places, and one of each person runs or waits.

        raises  Problem: 429 search_running where the person has another one; 503 busy where that of somebody
                else takes longer than WAIT_S
        """
        with self._counting:
            if person in self._searching:
                raise Problem(
                    429,
                    "search_running",
                    "expected one search among marked places at a time, and yours is still running",
                    "wait for its answer, then ask again",
                    headers={"Retry-After": "5"},
                )
            self._searching.add(person)
        try:
            with self._turn():
                yield
        finally:
            with self._counting:
                self._searching.discard(person)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._covering.acquire(timeout=WAIT_S):
            message = "another search among marked places is running"
            raise Problem(503, "busy", message, "try again in a moment", headers={"Retry-After": "5"})
        try:
            yield
        finally:
            self._covering.release()
