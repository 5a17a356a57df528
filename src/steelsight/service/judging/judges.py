"""One queue for each opened bundle, made when it is first used."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping

from steelsight.runtime.engine.inspector import Inspector
from steelsight.service.bundles import Bundles
from steelsight.service.judging.queue import JudgeQueue
from steelsight.service.settings.server import ServerSettings

__all__ = ["Judges"]


class Judges:
    """The queues of all bundles; `close` ends their threads."""

    def __init__(self, bundles: Bundles, settings: ServerSettings) -> None:
        self._bundles = bundles
        self._settings = settings
        self._queues: dict[str, JudgeQueue] = {}
        self._lock = threading.Lock()

    @property
    def queues(self) -> Mapping[str, JudgeQueue]:
        """Those that were used, by model id."""
        return dict(self._queues)

    def warm(self) -> None:
        """Make the default bundle's queue now: the first image is then judged as fast as the others."""
        self.of(self._bundles.default)

    def of(self, inspector: Inspector) -> JudgeQueue:
        """The queue of a bundle."""
        model = inspector.bundle.card.model_id
        found = self._queues.get(model)
        if found is not None:
            return found
        with self._lock:
            if model not in self._queues:
                self._queues[model] = JudgeQueue(
                    inspector,
                    longest=self._settings.queue,
                    decoders=self._settings.decoders or os.cpu_count() or 1,
                    max_pixels=int(self._settings.most_megapixels * 1e6),
                )
            return self._queues[model]

    def close(self) -> None:
        """Judge what is inside, then end the threads."""
        with self._lock:
            queues, self._queues = list(self._queues.values()), {}
        for each in queues:
            each.close()
