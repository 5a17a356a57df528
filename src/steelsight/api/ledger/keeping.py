"""Keep a ledger: make it, back it up, restore and upgrade it, prune images, erase people. No torch.

Each call opens the ledger by its address, does one thing, and closes it. What must be on record is written
under the name `ledger`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from steelsight.api.ledger.view import LedgerView
from steelsight.argument_types import checked

if TYPE_CHECKING:
    from steelsight.api.results.ledger import VerificationResult
    from steelsight.ledger.database.open import Ledger
    from steelsight.ledger.keeping.backup import BackupReport
    from steelsight.ledger.keeping.known_cases import EnteredCases
    from steelsight.ledger.keeping.retention import Pruned
    from steelsight.ledger.proof.anchors import Anchor
    from steelsight.ledger.writing.writer import Writer

__all__ = [
    "back_up",
    "create_ledger",
    "enter_known_cases",
    "erase_person",
    "prune_images",
    "rebuild",
    "release_name",
    "restore",
    "upgrade",
]


@checked
def create_ledger(address: Path | str) -> LedgerView:
    """Make a new, empty ledger, open.

    address  a file, sqlite:///FILE, or postgresql://USER@HOST/NAME
    raises   BadLedger where the database cannot be used, or holds a ledger or anything else
    """
    from steelsight.ledger.database.open import create_ledger as create

    return LedgerView(create(str(address)))


@checked
def back_up(address: Path | str, path: Path | str) -> BackupReport:
    """Write one consistent state of a ledger into a file, while stations go on writing.

    address  of a ledger of this version's schema or of an earlier one
    returns  path, ledger, entries and SHA-256
    raises   BadLedger; BadOutput where the file cannot be written
    """
    from steelsight.ledger.database.open import opened
    from steelsight.ledger.keeping.backup import back_up as write_backup

    with opened(str(address), earlier=True) as ledger:
        return write_backup(ledger, Path(path))


@checked
def restore(
    path: Path | str,
    address: Path | str,
    anchors: Sequence[Anchor | Path | str] | Anchor | Path | str = (),
    *,
    public_key: Path | str | None = None,
) -> VerificationResult:
    """Restore a backup into an empty database, begin a new epoch, and verify.

    anchors     kept elsewhere, as `LedgerView.verify` takes them; the backup must reach them
    public_key  PEM file: every anchor file must be signed by its private key
    raises      BadInput where the file is not a whole backup, or an anchor cannot be used; BadLedger where
                the database holds a ledger; LedgerAltered where the entries do not verify or do not reach an
                anchor
    """
    from steelsight.api.ledger.view import read_anchors
    from steelsight.api.results.ledger import VerificationResult
    from steelsight.ledger.keeping.backup import restore as restore_backup

    known = read_anchors(anchors, public_key)
    ledger, found = restore_backup(Path(path), str(address), known)
    try:
        return VerificationResult(ledger.address, found)
    finally:
        ledger.close()


@checked
def upgrade(address: Path | str) -> str:
    """Bring a ledger of an earlier version to this version's schema, whose name is returned.

    Make a backup first.
    raises  BadLedger where there is no ledger, or its schema is of a later version
    """
    from steelsight.ledger.database.migrate import HEAD
    from steelsight.ledger.database.migrate import upgrade as migrate
    from steelsight.ledger.database.open import opened

    with opened(str(address), earlier=True) as ledger:
        migrate(ledger.engine)
    return HEAD


@checked
def rebuild(address: Path | str) -> int:
    """Derive the read models from the entries again; returns the number of entries; raises BadLedger."""
    from steelsight.ledger.database.open import opened
    from steelsight.ledger.writing.projection import rebuild as derive

    with opened(str(address)) as ledger:
        return derive(ledger)


@checked
def prune_images(
    address: Path | str, images: Path | str, *, days: float = 90.0, dry_run: bool = False
) -> Pruned:
    """Remove old images; those of reviewed, doubtful and drawn sheets, and all entries, are kept.

    images   image store: a folder, or a URL such as s3://bucket/images
    days     every image that is not older is kept; 0 or more
    dry_run  count only; remove nothing
    returns  images removed, absent from the store, and kept although old
    raises   BadInput where there is no such store, with nothing put on record, or for `days`; BadLedger
    """
    from steelsight.api.ledger.image_stores import open_images
    from steelsight.ledger.keeping.retention import prune_images as prune

    store = open_images(images)
    with _recording(address) as (ledger, writer):
        return prune(ledger, store, writer, days, dry_run=dry_run)


@checked
def release_name(address: Path | str, name: str) -> str | None:
    """Free a writer's name after its process ended; one that still runs cannot write any more.

    returns  the process that held it; None where it was free, and nothing is put on record
    raises   BadInput for a name that no writer has; BadLedger
    """
    from steelsight.ledger.chain.entries import Event
    from steelsight.ledger.chain.event_names import NAME_RELEASED
    from steelsight.ledger.database.open import opened
    from steelsight.ledger.writing.writer import SYSTEM_WRITER, open_writer
    from steelsight.ledger.writing.writer import release_name as release

    with opened(str(address)) as ledger:
        holder = release(ledger, name)
        if holder is not None:
            with open_writer(ledger, SYSTEM_WRITER) as writer:
                writer.append([Event(name=NAME_RELEASED, subject=name, details={"holder": holder})])
    return holder


@checked
def erase_person(address: Path | str, person: str) -> int:
    """Delete a person's name, address, texts and account; entries keep the random id and still verify.

    person   random id, as entries hold it
    returns  texts that were deleted
    raises   BadInput where nothing of this person is in the ledger; BadLedger
    """
    from steelsight.ledger.keeping.people import erase_person as erase

    with _recording(address) as (ledger, writer):
        return erase(ledger, writer, person)


@checked
def enter_known_cases(address: Path | str, table: Path | str, *, clean: str = "none") -> EnteredCases:
    """Put right labels of sheets on record, by which reviewers are measured; they must not know them.

    table    CSV of sheet,label or station,item,label; an empty label ends a known case
    clean    label of sheets without a defect
    returns  how many were made, ended, and on record already
    raises   BadInput, with the line of the table; BadLedger
    """
    from steelsight.ledger.keeping.known_cases import enter_known_cases as enter
    from steelsight.ledger.keeping.known_cases import read_right_labels

    rows = read_right_labels(Path(table))
    with _recording(address) as (ledger, writer):
        return enter(ledger, writer, rows, clean=clean)


@contextmanager
def _recording(address: Path | str) -> Iterator[tuple[Ledger, Writer]]:
    """An open ledger, and the writer of what is done to it."""
    from steelsight.ledger.database.open import opened
    from steelsight.ledger.writing.writer import SYSTEM_WRITER, open_writer

    with opened(str(address)) as ledger, open_writer(ledger, SYSTEM_WRITER) as writer:
        yield ledger, writer
