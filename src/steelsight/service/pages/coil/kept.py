"""Coils that were read last, and repeat distances, which are searched beside the requests."""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from steelsight.coils.points import points_of
from steelsight.coils.repeats import Repeats, find_repeats
from steelsight.service.api.parts import unknown
from steelsight.service.context import Service
from steelsight.service.pages.coil.packed import pack_coil
from steelsight.service.pages.coil.reading import Coil, coil_version, read_coil

__all__ = ["Kept", "KeptCoils"]

COILS: Final = 4
WAITING: Final = 8  # searches


@dataclass(eq=False)
class Kept:
    """A coil with what was made of it."""

    coil: Coil
    packed: bytes | None = None
    repeats: Future[Repeats] | None = None


class KeptCoils:
    """The coils of one service; safe to share between threads."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._worker: ThreadPoolExecutor | None = None
        self._searches: set[Future[Repeats]] = set()

    def of(self, name: str) -> Kept:
        """A coil as the ledger has it now; read again only where it has changed.

        raises  Problem 404 for a coil without a live verdict, BadInput as `read_coil`, BadLedger
        """
        with self._lock, self._service.ledger.read() as connection:
            version = coil_version(connection, name)
            if version is None:
                raise unknown("coil", name, "/coils")
            kept = self._kept.get(name)
            if kept is None or kept.coil.version != version:
                with _no_collection():
                    kept = Kept(read_coil(connection, name, version))
            self._kept[name] = kept
            self._kept.move_to_end(name)
            while len(self._kept) > COILS:
                self._kept.popitem(last=False)
            return kept

    def packed(self, kept: Kept) -> bytes:
        """The coil's map, compressed."""
        if kept.packed is None:
            kept.packed = pack_coil(kept.coil, self._service.settings.coil_ends_m)
        return kept.packed

    def repeats(self, kept: Kept, wait_s: float) -> Repeats | None:
        """The repeat distances of a coil; None while they are searched, or others are before them.

        wait_s  longest time to wait for them
        raises  BadInput for places that no strip has
        """
        with self._lock:
            self._searches = {each for each in self._searches if not each.done()}
            if kept.repeats is None and len(self._searches) < WAITING:
                self._worker = self._worker or ThreadPoolExecutor(1, "steelsight-repeats")
                points = points_of([each.defect for each in kept.coil.defects])
                kept.repeats = self._worker.submit(find_repeats, points)
                self._searches.add(kept.repeats)
        if kept.repeats is None:
            return None
        try:
            return kept.repeats.result(wait_s)
        except NotYet:
            return None

    def close(self) -> None:
        """Drop the searches that wait; the one that runs ends by itself."""
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without looks for circles of objects: reading a coil makes 100,000 objects, none in a circle."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
