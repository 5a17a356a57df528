"""Ledgers that are opened a second time, and entries for them."""

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra [serve]")

from steelsight.ledger.chain.entries import LedgerRegion, SheetSeen, VerdictGiven
from steelsight.ledger.database.open import open_ledger


@pytest.fixture
def reopen():
    """Open a ledger a second time, as another process would."""
    more = []

    def call(ledger):
        if ledger.engine.dialect.name == "sqlite":
            address = str(ledger.engine.url.database)
        else:
            address = ledger.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        more.append(open_ledger(address))
        return more[-1]

    yield call
    for each in more:
        each.close()


def sheet(number: int, station: str = "line-1", **values) -> SheetSeen:
    facts = {
        "station": station,
        "item": f"s{number:05}.jpg",
        "image_hash": f"{number:064x}",
        "width": 1600,
        "height": 256,
        "captured_us": 1_700_000_000_000_000 + number * 20_000,
        "coil": f"C{number // 10}",
        "position_m": number * 0.3,
    }
    return SheetSeen(**{**facts, **values})


def verdict(seen: SheetSeen, label: str = "scratch", **values) -> VerdictGiven:
    facts = {
        "sheet": seen.sheet,
        "bundle": "b" * 16,
        "label": label,
        "probability": 0.75,
        "probabilities": {"none": 0.25, "scratch": 0.75},
        "state": "decided",
        "reason": "confident",
        "regions": (LedgerRegion(box=(1, 2, 30, 40), area_px=900, score=1.0),),
        "distance": 1.5,
        "latency_ms": 7.25,
    }
    return VerdictGiven(**{**facts, **values})


def judged(first: int, last: int, **values):
    """Entries of sheets `first` to `last` - 1, each with one verdict."""
    entries = []
    for number in range(first, last):
        seen = sheet(number, **values)
        entries += [seen, verdict(seen)]
    return entries
