"""Whether each part of the service works: database, lease, engine, disk, queue, station."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from sqlalchemy import select

from steelsight.errors import BadLedger
from steelsight.ledger.database import schema
from steelsight.service.context import Service
from steelsight.service.judging.judges import Judges

__all__ = ["Health", "PartState", "PartStates"]

StateWord = Literal["ok", "degraded", "down"]
LEAST_FREE: Final = 2**28  # bytes of a disk; below it is told
NEEDED: Final = ("database", "lease", "engine")  # without one of these no request can be answered


@dataclass(frozen=True)
class PartState:
    """One part of the service."""

    state: StateWord
    detail: str = ""  # what is wrong; no addresses or names, because everybody may ask


PartStates = Mapping[str, PartState]


@dataclass
class Health:
    """Looks at every part; other parts, such as a station, add themselves to `more`."""

    service: Service
    judges: Judges
    more: dict[str, Callable[[], PartState]] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def look(self) -> PartStates:
        """The state of each part."""
        parts = {
            "database": self._database,
            "lease": self._lease,
            "engine": self._engine,
            "disk": self._disk,
            "queue": self._queue,
            **self.more,
        }
        return {name: check() for name, check in parts.items()}

    @staticmethod
    def overall(parts: PartStates) -> StateWord:
        """ok; degraded where a part is not, and requests are answered all the same; down."""
        if any(parts[name].state == "down" for name in NEEDED if name in parts):
            return "down"
        return "ok" if all(part.state == "ok" for part in parts.values()) else "degraded"

    def _database(self) -> PartState:
        try:
            with self.service.ledger.read() as connection:
                connection.execute(select(schema.ledger.c.epoch)).one()
        except BadLedger:
            return PartState("down", "the database does not answer")
        return PartState("ok")

    def _lease(self) -> PartState:
        if self.service.console.trouble is None:
            return PartState("ok")
        return PartState("down", "the service cannot write: its name is taken, or the ledger is away")

    def _engine(self) -> PartState:
        dead = [model for model, each in self.judges.queues.items() if not each.alive]
        return PartState("down", f"{len(dead)} queues have ended") if dead else PartState("ok")

    def _disk(self) -> PartState:
        places = []
        if self.service.ledger.engine.dialect.name == "sqlite":
            places.append(Path(str(self.service.ledger.engine.url.database)).parent)
        if self.service.settings.images is not None and "://" not in self.service.settings.images:
            places.append(Path(self.service.settings.images))
        try:
            free = min((shutil.disk_usage(place).free for place in places), default=LEAST_FREE)
        except OSError as error:
            return PartState("degraded", f"a disk cannot be read ({error.strerror})")
        if free < LEAST_FREE:
            return PartState("degraded", f"{free >> 20} MiB are free; new images and entries may not fit")
        return PartState("ok")

    def _queue(self) -> PartState:
        full = [each for each in self.judges.queues.values() if each.depth >= each.longest]
        return PartState("degraded", "full: images are refused with 503") if full else PartState("ok")
