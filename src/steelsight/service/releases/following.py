"""Makes the bundle that people chose the default of this process, also where another process wrote it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from steelsight.errors import BadBundle
from steelsight.runtime.bundle.open import Bundle
from steelsight.runtime.engine.engine import open_engine
from steelsight.runtime.engine.inspector import Inspector
from steelsight.service.api.health import PartState
from steelsight.service.context import Service
from steelsight.service.releases.choices import Choice, ChoiceLog, chosen
from steelsight.service.releases.places import find_bundle, read_place
from steelsight.service.repeating import Repeating

__all__ = ["Releases", "inspector_of", "shadow_id"]

LOG: Final = logging.getLogger("steelsight.service.releases")
EVERY_S: Final = 2.0  # a choice that another process wrote holds here after so long


class Releases:
    """The choices of one service; `start` and `stop` a thread that follows them.

    changed  called after another bundle has become the default here
    """

    def __init__(self, service: Service) -> None:
        self.changed: list[Callable[[], None]] = []
        self.trouble: str | None = None  # id of a chosen bundle that is not at hand; None = it judges
        self.acting = threading.Lock()  # one promotion or rollback at a time in this process
        self._service = service
        self._log = ChoiceLog()
        self._following = threading.Lock()
        self._thread = Repeating(
            "releases", self.follow, lambda: EVERY_S, "the chosen bundle could not be looked up", LOG
        )

    def choices(self) -> tuple[Choice, ...]:
        """The choices as the ledger has them now; raises BadLedger."""
        with self._service.ledger.read() as connection:
            return self._log.read(connection)

    def choices_within(self, connection: Connection) -> tuple[Choice, ...]:
        """`choices` in a transaction; what it writes itself is read only after it is committed."""
        return self._log.read(connection)

    def follow(self) -> None:
        """Make the chosen bundle the default here; raises BadLedger.

        Where it is not at hand, what judged before goes on, and `trouble` says so.
        """
        with self._following:
            wanted = chosen(self.choices()) or self._service.bundles.configured
            if wanted == self._service.bundles.default.bundle.card.model_id:
                self.trouble = None
                return
            if not self._open(wanted):
                if self.trouble != wanted:
                    LOG.error("the bundle %s was chosen and is not at hand; another one judges", wanted)
                self.trouble = wanted
                return
            self._service.bundles.make_default(wanted)
            self.trouble = None
        for call in self.changed:
            call()

    def _open(self, model: str) -> bool:
        if self._service.bundles.by_id(model) is not None:
            return True
        bundle = find_bundle(self._service, model)
        if bundle is None:
            return False
        try:
            self._service.bundles.add(_name(bundle), inspector_of(self._service, bundle))
        except BadBundle as error:
            LOG.warning("the bundle %s cannot be run here: %s", model, error)
            return False
        return True

    def state(self) -> PartState:
        """Whether the chosen bundle judges, for /health."""
        if self.trouble is None:
            return PartState("ok")
        return PartState("degraded", "the bundle that was promoted is not at hand; another one judges")

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._thread.stop()


def inspector_of(service: Service, bundle: Bundle) -> Inspector:
    """A bundle with an engine as the settings say; raises BadBundle, BadInput."""
    settings = service.settings
    engine = open_engine(bundle, settings.engine, threads=settings.threads, batch=settings.batch)
    return Inspector(bundle, engine)


def _name(bundle: Bundle) -> str:
    """The folder's name; of a kept one, whose name is the id, the start of it."""
    name = bundle.folder.resolve().name
    return name[:12] if name == bundle.card.model_id else name


def shadow_id(service: Service) -> str | None:
    """The id of the bundle that the setting `shadow` names; None = none, or its card cannot be read."""
    if service.settings.shadow is None:
        return None
    try:
        return read_place(service.settings.shadow).model
    except BadBundle:
        return None
