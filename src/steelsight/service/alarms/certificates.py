"""A thread that compares each certificate with the audit draws, as reviews come in."""

from __future__ import annotations

import logging
from typing import Final

from sqlalchemy import func, select

from steelsight.ledger.chain.event_names import KNOWN_CASE, REVIEW_WITHDRAWN
from steelsight.ledger.database import schema
from steelsight.quality.certificate import CertificateState, certificate_state
from steelsight.runtime.engine.inspector import Inspector
from steelsight.service.alarms.conditions import SERVICE, Condition, Priority
from steelsight.service.certificates import certified_of, read_since_certified
from steelsight.service.context import Service
from steelsight.service.repeating import Repeating

__all__ = ["CertificateWatch", "refuted"]

LOG: Final = logging.getLogger("steelsight.service.alarms")
KIND: Final = "certificate_refuted"


class CertificateWatch:
    """Watches the bundles of one service; `start` and `stop`.

    The bounds are confidence sequences: they hold at all looks together, however often one looks.
    """

    def __init__(self, service: Service) -> None:
        self.conditions: tuple[Condition, ...] = ()  # of the last look
        self._service = service
        self._known: tuple[object, ...] = ()  # what the last look has read
        self._thread = Repeating(
            "certificates",
            self.look,
            lambda: service.settings.certificate_check_s,
            "certificates could not be compared",
            LOG,
            at_once=True,  # an alarm that is open stays so after a restart
        )

    def start(self) -> None:
        """Begin to watch, where the setting `certificate_check_s` is not 0."""
        if self._service.settings.certificate_check_s > 0:
            self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._thread.stop()

    def look(self) -> None:
        """Compare every certificate of an opened bundle, where something was reviewed since the last look.

        raises  BadLedger
        """
        inspectors = [each for _, each in self._service.bundles]
        table = schema.events
        told = select(func.count()).where(table.c.name.in_([REVIEW_WITHDRAWN, KNOWN_CASE]))
        reviews = select(func.count()).select_from(schema.reviews)
        with self._service.ledger.read() as connection:
            counts = tuple(int(connection.execute(each).scalar_one()) for each in (reviews, told))
        known = (*counts, *(each.bundle.card.model_id for each in inspectors))
        if known == self._known:
            return
        found = [self._condition(each) for each in inspectors]
        self.conditions = tuple(each for each in found if each is not None)
        self._known = known

    def _condition(self, inspector: Inspector) -> Condition | None:
        card = inspector.bundle.card
        certified = certified_of(card)
        if certified is None:
            return None
        with self._service.ledger.read() as connection:
            data, _ = read_since_certified(connection, self._service.bundles, card.model_id)
        if data is None:  # more verdicts than are read: what was found before stays
            return next((each for each in self.conditions if each.values["bundle"] == card.model_id), None)
        return refuted(card.model_id, certificate_state(data, certified))


def refuted(model: str, state: CertificateState) -> Condition | None:
    """The condition of a certificate that no longer holds; None where it may hold."""
    if not state.void:
        return None
    values = {
        "bundle": model,
        "share": round(state.wrong_bounds[0], 4),
        "limit": round(state.limit, 4),
        "draws": state.draws,
    }
    return Condition(KIND, SERVICE, Priority.HIGH, values)
