"""`steelsight reviews …`: reviewed sheets as labelled data for the lab, and known cases for the reviewers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.adaptation.reviews.options import ReviewExportOptions
from steelsight.cli.console import JsonFlag, emit_json, print_line
from steelsight.cli.options import expand_options
from steelsight.cli.verb import Verb
from steelsight.errors import BadInput

if TYPE_CHECKING:
    from steelsight.adaptation.reviews.export import ReviewExport

__all__ = ["reviews"]

reviews = typer.Typer(name="reviews", help="Use the reviews of a ledger.", no_args_is_help=True)
WRITER = "ledger"  # writes the events of this verb, as of `steelsight ledger`


@reviews.callback()
def _group() -> None:
    pass


@reviews.command(cls=Verb)
@expand_options
def export(
    address: Annotated[
        str,
        typer.Argument(help="A file, sqlite:///FILE, or postgresql://USER@HOST/NAME.", metavar="LEDGER"),
    ],
    images: Annotated[str, typer.Option(help="Image store: a folder, or a URL such as s3://bucket/images.")],
    out: Annotated[Path, typer.Option(help="DATA folder to write.", metavar="DATA")],
    options: ReviewExportOptions,
    as_json: JsonFlag = False,
) -> None:
    """Write reviewed sheets as a DATA folder, with lists of nuisances; names and comments stay out."""
    from steelsight.adaptation.reviews.export import export_reviews
    from steelsight.ledger.chain.entries import Event
    from steelsight.ledger.database.open import opened
    from steelsight.ledger.images.store import ImageStore
    from steelsight.ledger.writing.writer import open_writer

    if "://" not in images and not Path(images).is_dir():
        raise BadInput(
            f"--images {images}: expected the ledger's image store, found no such folder; check it"
        )
    with opened(address) as found, open_writer(found, WRITER) as writer:
        done = export_reviews(found, ImageStore(images), out, options)
        counts = {"sheets": done.sheets, "reviews": done.reviews}
        writer.append([Event(name="export", details={"format": "data", "rows": counts})])
    _print(done)
    if as_json:
        emit_json(done.as_dict())


@reviews.command("known-cases", cls=Verb)
def known_cases(
    address: Annotated[
        str,
        typer.Argument(help="A file, sqlite:///FILE, or postgresql://USER@HOST/NAME.", metavar="LEDGER"),
    ],
    table: Annotated[
        Path,
        typer.Argument(
            help="CSV: sheet,label or station,item,label; an empty label ends one.", metavar="CSV"
        ),
    ],
    clean: Annotated[str, typer.Option(help="Label of sheets without a defect.")] = "none",
    as_json: JsonFlag = False,
) -> None:
    """Put right labels of sheets on record, by which reviewers are measured; they must not know them."""
    from steelsight.ledger.database.open import opened
    from steelsight.ledger.keeping.known_cases import enter_known_cases, read_right_labels
    from steelsight.ledger.writing.writer import open_writer

    rows = read_right_labels(table)
    with opened(address) as found, open_writer(found, WRITER) as writer:
        done = enter_known_cases(found, writer, rows, clean=clean)
    print_line(f"{done.made} known cases entered, {done.ended} ended, {done.unchanged} unchanged")
    if as_json:
        emit_json(done.as_dict())


def _print(done: ReviewExport) -> None:
    classes = ", ".join(f"{count} {name}" for name, count in done.classes.items())
    print_line(f"{done.sheets} sheets of {done.coils} coils, {done.masks} masks: {classes}")
    print_line("parts: " + ", ".join(f"{count} {part}" for part, count in done.parts.items()))
    for each in done.nuisances:
        print_line(
            f"nuisance {each.name}: {each.with_it} sheets with it, {each.without} without: {each.file}"
        )
    for reason, count in done.left_out.items():
        print_line(f"left out: {count}: {reason}")
    print_line(f"data: {done.out}; read it with `steelsight data {done.out} --groups column:coil`")
