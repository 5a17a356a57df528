"""Retention: remove old images that nobody needs; entries stay for ever."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, exists, func, select

from steelsight.errors import BadInput
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.chain.event_names import PRUNED
from steelsight.ledger.database import schema
from steelsight.ledger.database.open import Ledger
from steelsight.ledger.images.store import ImageStore
from steelsight.ledger.reading.known_cases import was_known
from steelsight.ledger.writing.writer import Writer, now_us

__all__ = ["Pruned", "Removable", "count_removable", "prune_images"]

DAY_US: Final = 86_400_000_000
BATCH: Final = 1000  # images in one event


@dataclass(frozen=True)
class Pruned:
    """What retention removed."""

    removed: int
    absent: int  # were not in the store
    kept: int  # old images that a review, a doubtful verdict or a draw keeps

    def as_dict(self) -> dict[str, int]:
        """Plain values for JSON."""
        return vars(self).copy()


def prune_images(
    ledger: Ledger, store: ImageStore, writer: Writer, days: float, *, dry_run: bool = False
) -> Pruned:
    """Remove the images of sheets captured more than `days` ago, and put on record which.

    Kept: an image that belongs to any sheet that is newer, was reviewed, has a verdict other than decided, or
    was drawn for audit, or is a known case. The event is written before the images are removed: a crash
    leaves at most the images of the last event, which the next call removes.

    raises  BadInput for a number of days below 0
    """
    if not days >= 0:
        raise BadInput(f"days: expected 0 or more, got {days}")
    before = now_us() - int(min(days, 1e6) * DAY_US)
    removed = absent = 0
    with ledger.read() as connection:
        kept = _count_old(connection, before)
        batches = list(_batches(connection, before))
        unfinished = [] if dry_run else _last_event(connection, before)
    for image in unfinished:
        store.remove(image)
    for batch in batches:
        images = batch if dry_run else _record(ledger, writer, days, before, batch)
        for image in images:
            there = store.has(image) if dry_run else store.remove(image)
            removed += there
            absent += not there
    return Pruned(removed, absent, kept - removed - absent)


@dataclass(frozen=True)
class Removable:
    """What retention would do, by the ledger alone."""

    removable: int  # images
    kept: int  # old images that a review, a doubtful verdict, a draw or a newer sheet keeps


def count_removable(connection: Connection, days: float) -> Removable:
    """Count the images that `prune_images` would remove, without a look at the store.

    raises  BadInput for a number of days below 0
    """
    if not days >= 0:
        raise BadInput(f"days: expected 0 or more, got {days}")
    before = now_us() - int(min(days, 1e6) * DAY_US)
    table = schema.sheets
    kept = select(table.c.image_hash).where(
        (table.c.captured_us >= before) | _needed(), table.c.image_hash.is_not(None)
    )
    old = _old_images(before).subquery()
    total = connection.execute(select(func.count()).select_from(old)).scalar_one()
    free = select(func.count()).select_from(old).where(old.c.image_hash.not_in(kept))
    removable = connection.execute(free).scalar_one()
    return Removable(int(removable), int(total - removable))


def _record(ledger: Ledger, writer: Writer, days: float, before: int, batch: list[str]) -> list[str]:
    """Put on record which images are removed: those that nothing entered meanwhile keeps."""
    with ledger.write() as connection:
        kept = _kept(connection, before, batch)
        images = [image for image in batch if image not in kept]
        if images:
            writer.append_within(connection, [Event(name=PRUNED, details={"days": days, "images": images})])
    return images


def _needed() -> ColumnElement[bool]:
    """Whether a sheet keeps its image."""
    sheet = schema.sheets.c.sheet
    reviewed = exists().where(schema.reviews.c.sheet == sheet)
    drawn = exists().where(schema.draws.c.sheet == sheet)
    undecided = exists().where(schema.verdicts.c.sheet == sheet, schema.verdicts.c.state != "decided")
    return reviewed | drawn | undecided | was_known(sheet)


def _old_images(before: int) -> Any:
    table = schema.sheets
    pruned = schema.pruned_images
    gone = exists().where(pruned.c.image_hash == table.c.image_hash, pruned.c.pruned_us > table.c.entered_us)
    return (
        select(table.c.image_hash)
        .where(table.c.captured_us < before, table.c.image_hash.is_not(None), ~gone)
        .distinct()
    )


def _count_old(connection: Connection, before: int) -> int:
    return len(connection.execute(_old_images(before)).all())


def _last_event(connection: Connection, before: int) -> list[str]:
    """Images of the last event of retention that no sheet entered after it has, and that no sheet keeps.

    The clocks of stations differ: a sheet that was entered after the event may state an earlier time.
    """
    pruned, table = schema.pruned_images, schema.sheets
    again = exists().where(
        table.c.image_hash == pruned.c.image_hash, table.c.entered_us >= pruned.c.pruned_us
    )
    last = select(func.max(pruned.c.pruned_us)).scalar_subquery()
    query = select(pruned.c.image_hash).where(pruned.c.pruned_us == last, ~again)
    return sorted(set(connection.execute(query).scalars()) - _kept(connection, before))


def _kept(connection: Connection, before: int, among: Sequence[str] | None = None) -> set[str]:
    """Images of sheets that keep them, among some or all."""
    table = schema.sheets
    kept = select(table.c.image_hash).where((table.c.captured_us >= before) | _needed()).distinct()
    if among is not None:
        kept = kept.where(table.c.image_hash.in_(among))
    return set(connection.execute(kept).scalars())


def _batches(connection: Connection, before: int) -> Iterator[list[str]]:
    """Images that no sheet keeps, in a stable order."""
    old = sorted(set(connection.execute(_old_images(before)).scalars()) - _kept(connection, before))
    for start in range(0, len(old), BATCH):
        yield old[start : start + BATCH]
