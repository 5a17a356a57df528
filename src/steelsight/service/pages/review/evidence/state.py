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

    @contextmanager
    def covering(self) -> Iterator[None]:
        """One search at a time covers places.

        raises  Problem 503 busy where another one takes longer than WAIT_S
        """
        if not self._covering.acquire(timeout=WAIT_S):
            message = "another search among marked places is running"
            raise Problem(503, "busy", message, "try again in a moment", headers={"Retry-After": "5"})
        try:
            yield
        finally:
            self._covering.release()
