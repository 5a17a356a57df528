"""`steelsight ledger …`: make, verify, anchor, back up, restore, export, prune and read a ledger."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import JsonFlag, console, emit_json, print_line
from steelsight.cli.verb import Verb
from steelsight.errors import LedgerAltered

if TYPE_CHECKING:
    from steelsight.api.results.ledger import VerificationResult

__all__ = ["ledger"]

ledger = typer.Typer(
    name="ledger", help="Keep and verify the ledger of verdicts and reviews.", no_args_is_help=True
)

SHOWN = 20  # findings printed
Address = Annotated[
    str,
    typer.Argument(help="A file, sqlite:///FILE, or postgresql://USER@HOST/NAME.", metavar="LEDGER"),
]
Anchors = Annotated[
    list[Path] | None,
    typer.Option("--anchor", help="Anchor file that the ledger must reach; may be given several times."),
]
PublicKey = Annotated[
    Path | None,
    typer.Option("--public-key", help="PEM file: every anchor must be signed by its private key."),
]
BackupFile = Annotated[Path, typer.Argument(help="Backup file.", metavar="BACKUP")]


class Form(StrEnum):
    """Formats of `export`."""

    PARQUET = "parquet"
    CSV = "csv"


@ledger.command(cls=Verb)
def init(address: Address, as_json: JsonFlag = False) -> None:
    """Make a new, empty ledger."""
    from steelsight.api.ledger.keeping import create_ledger

    with create_ledger(address) as made:
        console.print(f"ledger {made.id} in {made.address}", markup=False, soft_wrap=True)
        if as_json:
            emit_json({"ledger": made.id, "address": made.address})


@ledger.command(cls=Verb)
def verify(
    address: Address, anchor: Anchors = None, public_key: PublicKey = None, as_json: JsonFlag = False
) -> None:
    """Check every entry, every chain and every read model; exit code 1 where anything was changed."""
    from steelsight.api.ledger.view import open_ledger

    with open_ledger(address) as found:
        result = found.verify(anchor or (), public_key=public_key)
    _report(result, as_json=as_json, anchored=bool(anchor))


def _report(result: VerificationResult, *, as_json: bool, anchored: bool) -> None:
    for finding in result.findings[:SHOWN]:
        print_line(f"{finding.kind}: {finding.message}")
    if len(result.findings) > SHOWN:
        print_line(f"… and {len(result.findings) - SHOWN} more; --json lists all")
    if as_json:
        emit_json(result.as_dict())
    if not result.clean:
        raise LedgerAltered(f"{result.address}: {len(result.findings)} findings in {result.entries} entries")
    words = f"{result.entries} entries of {len(result.heads)} writers verify"
    print_line(words if anchored else f"{words}; give --anchor to find a chain that was written anew")


@ledger.command(cls=Verb)
def anchor(
    address: Address,
    out: Annotated[Path | None, typer.Option(help="File to write; without it the anchor is printed.")] = None,
    key: Annotated[Path | None, typer.Option(help="Ed25519 private key in PEM form, to sign with.")] = None,
) -> None:
    """Print the last entry of each writer; keep it where nobody who can change the ledger can change it."""
    from steelsight.api.ledger.view import open_ledger

    with open_ledger(address) as found:
        made = found.anchor(out, key=key)
    if out is None:
        emit_json(made.as_dict())
    else:
        print_line(f"{len(made.heads)} heads in {out}")


@ledger.command(cls=Verb)
def backup(address: Address, path: BackupFile, as_json: JsonFlag = False) -> None:
    """Write one consistent state into a file, while stations go on writing."""
    from steelsight.api.ledger.keeping import back_up

    done = back_up(address, path)
    print_line(f"{done.entries} entries in {path}")
    if as_json:
        emit_json({"path": str(path), "ledger": done.ledger, "entries": done.entries, "sha256": done.sha256})


@ledger.command(cls=Verb)
def restore(
    path: BackupFile,
    address: Address,
    anchor: Anchors = None,
    public_key: PublicKey = None,
    as_json: JsonFlag = False,
) -> None:
    """Restore a backup into an empty database, begin a new epoch, and verify."""
    from steelsight.api.ledger.keeping import restore as restore_backup

    result = restore_backup(path, address, anchor or (), public_key=public_key)
    _report(result, as_json=as_json, anchored=bool(anchor))


@ledger.command(cls=Verb)
def export(
    address: Address,
    out: Annotated[Path, typer.Option(help="Folder for one file of each table.")],
    form: Annotated[Form, typer.Option("--format", help="Format of the files.")] = Form.PARQUET,
    as_json: JsonFlag = False,
) -> None:
    """Write sheets, verdicts, draws, reviews and events as tables; names and texts of people stay out."""
    from steelsight.api.ledger.view import open_ledger

    with open_ledger(address) as found:
        counts = found.export(out, "csv" if form is Form.CSV else "parquet")
    print_line(f"{', '.join(f'{count} {name}' for name, count in counts.items())} in {out}")
    if as_json:
        emit_json({"out": str(out), "rows": counts})


@ledger.command(cls=Verb)
def prune(
    address: Address,
    images: Annotated[str, typer.Option(help="Image store: a folder, or a URL such as s3://bucket/images.")],
    days: Annotated[float, typer.Option(min=0, help="Keep every image that is not older.")] = 90.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only; remove nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Remove old images; those of reviewed, doubtful and drawn sheets, and all entries, are kept."""
    from steelsight.api.ledger.keeping import prune_images

    done = prune_images(address, images, days=days, dry_run=dry_run)
    did = "would be removed" if dry_run else "removed"
    print_line(f"{done.removed} images {did}, {done.kept} old ones kept, {done.absent} were not there")
    if as_json:
        emit_json(done.as_dict())


@ledger.command(cls=Verb)
def rebuild(address: Address, as_json: JsonFlag = False) -> None:
    """Derive the read models from the entries again."""
    from steelsight.api.ledger.keeping import rebuild as derive

    count = derive(address)
    print_line(f"read models derived from {count} entries")
    if as_json:
        emit_json({"entries": count})


@ledger.command(cls=Verb)
def defects(
    address: Address,
    coil: Annotated[str, typer.Argument(help="Name of the coil.", metavar="COIL")],
    tolerance: Annotated[
        float, typer.Option(help="Largest gap between parts at a border, in mm.", min=0, max=1000)
    ] = 5.0,
    as_json: JsonFlag = False,
) -> None:
    """List a coil's defects along it; what lies across borders of images is one defect."""
    from steelsight.api.ledger.view import open_ledger

    with open_ledger(address) as ledger:
        result = ledger.defects(coil, tolerance_mm=tolerance)
    values = [defect.as_dict() for defect in result.defects]
    for each in values:
        print_line(
            f"{each['start_m']:.3f} to {each['end_m']:.3f} m, {each['left_mm']:.0f} to "
            f"{each['right_mm']:.0f} mm, {each['side'] or 'side unknown'}: {each['label']}, "
            f"{len(each['members'])} regions"
        )
    print_line(f"{len(values)} defects on {coil}; {result.without_place}")
    if as_json:
        emit_json(result.as_dict())


@ledger.command(cls=Verb)
def release(
    address: Address,
    name: Annotated[str, typer.Argument(help="Name of a station or another writer.", metavar="WRITER")],
) -> None:
    """Free a writer's name after its process ended; one that still runs cannot write any more."""
    from steelsight.api.ledger.keeping import release_name

    holder = release_name(address, name)
    print_line(f"{name} is free" if holder is None else f"{name} is free; {holder} held it")


@ledger.command(cls=Verb)
def upgrade(address: Address) -> None:
    """Bring a ledger of an earlier version to this version's schema; make a backup first."""
    from steelsight.api.ledger.keeping import upgrade as migrate

    print_line(f"schema {migrate(address)}")


@ledger.command("erase-person", cls=Verb)
def erase_person(
    address: Address,
    person: Annotated[
        str, typer.Argument(help="Random id of the person, as entries hold it.", metavar="PERSON")
    ],
) -> None:
    """Delete a person's name, address and texts; entries keep the random id and still verify."""
    from steelsight.api.ledger.keeping import erase_person as erase

    count = erase(address, person)
    print_line(f"erased, with {count} texts")
