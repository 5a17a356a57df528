"""Certificates of the bundles that judge here: what they promise, and what the audit draws say of them."""

from __future__ import annotations

import re
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select

from steelsight.ledger.database import schema
from steelsight.quality.certificate import Certified
from steelsight.quality.ledger import Period, read_audit
from steelsight.quality.records import AuditData
from steelsight.runtime.bundle.card import BundleCard
from steelsight.service.bundles import Bundles

__all__ = ["MOST_VERDICTS", "certified_of", "has_too_many", "live_bundles", "read_since_certified"]

MOST_VERDICTS: Final = 3_000_000  # live ones of a period

# As evaluation.abstention.guarantee.Certificate.statement writes it.
STATEMENT: Final = re.compile(
    r"with [0-9.]+ % confidence at most (?P<risk>[0-9.e-]+) of the answers.* are wrong at threshold "
    r"[0-9.e-]+, where (?P<coverage>[0-9.]+) % of the sheets are answered"
)


def certified_of(card: BundleCard) -> Certified | None:
    """Risk and coverage of the card's certificate; None where nothing is certified."""
    found = STATEMENT.match(card.threshold_statement) if card.threshold_by == "certificate" else None
    if found is None:
        return None
    return Certified(float(found["risk"]), round(float(found["coverage"]) / 100, 6))


def read_since_certified(
    connection: Connection, bundles: Bundles, bundle: str | None
) -> tuple[AuditData | None, str]:
    """All sheets of a bundle, whatever period is looked at: the bounds hold for one that only grows.

    bundle   model id; None = several judged, of which none was chosen
    returns  the sheets, or None with the reason: several, closed (the bundle is not opened here), absent (it
             has no certificate), long (more verdicts than are read)
    """
    if bundle is None:
        return None, "several"
    inspector = bundles.find(bundle)
    if inspector is None:
        return None, "closed"
    card = inspector.bundle.card
    if certified_of(card) is None:
        return None, "absent"
    period = Period(bundle=card.model_id)
    if has_too_many(connection, period):
        return None, "long"
    return read_audit(connection, period, clean=card.no_defect), ""


def live_bundles(period: Period) -> Select[Any]:
    """The model ids of the live verdicts of a period, one row a verdict."""
    table = schema.verdicts
    return select(table.c.bundle).where(table.c.mode == "live", *period.limits(table))


def has_too_many(connection: Connection, period: Period) -> bool:
    """Whether a period has more than MOST_VERDICTS live verdicts."""
    rows = live_bundles(period).limit(MOST_VERDICTS + 1).subquery()
    return connection.execute(select(func.count()).select_from(rows)).scalar_one() > MOST_VERDICTS
