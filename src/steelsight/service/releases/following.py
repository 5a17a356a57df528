"""Makes the bundles that people chose the default and the shadow here, also those that others chose."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from steelsight.errors import BadBundle
from steelsight.runtime.bundle.open import Bundle
from steelsight.runtime.engine.engine import open_engine
from steelsight.runtime.engine.inspector import Inspector
from steelsight.service.api.health import PartState
from steelsight.service.context import Service
from steelsight.service.releases.choices import SHADOWS, Choice, ChoiceLog, chosen, chosen_shadow
from steelsight.service.releases.places import find_bundle, kept_folder, read_place
from steelsight.service.repeating import Repeating

__all__ = ["Releases", "inspector_of", "shadow_id"]

LOG: Final = logging.getLogger("steelsight.service.releases")
EVERY_S: Final = 2.0  # a choice that another process wrote holds here after so long


class Releases:
    """The choices of one service; `start` and `stop` a thread that follows them.

    changed         called after another bundle has become the default here
    shadow_changed  called after another bundle has become the shadow of the service's station, or none,
                    where the default stayed
    """

    def __init__(self, service: Service) -> None:
        self.changed: list[Callable[[], None]] = []
        self.shadow_changed: list[Callable[[], None]] = []
        self.trouble: str | None = None  # id of a chosen bundle that is not at hand; None = it judges
        self.shadow_trouble: str | None = None  # likewise of a chosen shadow
        self.shadow_folder: Path | None = None  # of the shadow, as of the last `follow`; None = there is none
        self.acting = threading.Lock()  # one promotion or rollback at a time in this process
        self._service = service
        self._log, self._shadow_log = ChoiceLog(), ChoiceLog(SHADOWS)
        self._shadow: str | None = None  # id of the shadow whose folder that is
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

    def shadow_choices(self) -> tuple[Choice, ...]:
        """Starts and ends of shadows as the ledger has them now; raises BadLedger."""
        with self._service.ledger.read() as connection:
            return self._shadow_log.read(connection)

    def shadow_choices_within(self, connection: Connection) -> tuple[Choice, ...]:
        """`shadow_choices` in a transaction, as `choices_within`."""
        return self._shadow_log.read(connection)

    def shadow(self) -> str | None:
        """The id of the bundle that is to judge beside the default now; None = none. raises BadLedger"""
        found = chosen_shadow(self.shadow_choices(), shadow_id(self._service))
        return None if found == self._default() else found

    def _default(self) -> str:
        return self._service.bundles.default.bundle.card.model_id

    def follow(self) -> None:
        """Make the chosen bundles the default and the shadow here; raises BadLedger.

        Where the default is not at hand, what judged before goes on, and `trouble` says so; where the shadow
        is not, nothing judges beside the default, and `shadow_trouble` says so.
        """
        with self._following:
            other_default, other_shadow = self._follow_default(), self._follow_shadow()
        for call in self.changed if other_default else self.shadow_changed if other_shadow else ():
            call()

    def _follow_default(self) -> bool:
        wanted = chosen(self.choices()) or self._service.bundles.configured
        if wanted == self._default():
            self.trouble = None
            return False
        if not self._open(wanted):
            if self.trouble != wanted:
                LOG.error("the bundle %s was chosen and is not at hand; another one judges", wanted)
            self.trouble = wanted
            return False
        self._service.bundles.make_default(wanted)
        self.trouble = None
        return True

    def _follow_shadow(self) -> bool:
        before = self.shadow_folder
        if not self.shadow_choices():  # the setting as it is: the station says what is wrong with it
            same = shadow_id(self._service) == self._default()
            self._shadow, self.shadow_folder = None, None if same else self._service.settings.shadow
            return self.shadow_folder != before
        wanted = self.shadow()
        if wanted is None:
            self._shadow, self.shadow_folder, self.shadow_trouble = None, None, None
        elif wanted != self._shadow:  # its folder is looked for again until it is found
            self.shadow_folder = self._folder(wanted)
            if self.shadow_folder is None and self.shadow_trouble != wanted:
                LOG.error("the bundle %s was chosen as shadow and is not at hand", wanted)
            found = self.shadow_folder is not None
            self._shadow, self.shadow_trouble = (wanted, None) if found else (None, wanted)
        return self.shadow_folder != before

    def _folder(self, model: str) -> Path | None:
        kept = kept_folder(self._service, model)
        if kept is not None:
            return kept
        bundle = find_bundle(self._service, model)
        return None if bundle is None else bundle.folder

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
        """Whether the chosen bundles judge, for /health."""
        if self.trouble is not None:
            return PartState("degraded", "the bundle that was promoted is not at hand; another one judges")
        if self.shadow_trouble is not None:
            return PartState(
                "degraded", "the bundle that was chosen as shadow is not at hand; none judges beside"
            )
        return PartState("ok")

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
