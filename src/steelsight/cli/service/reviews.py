"""`steelsight reviews …`: reviewed sheets as labelled data for the lab, and known cases for the reviewers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.adaptation.reviews.options import ReviewExportOptions
from steelsight.cli.console import JsonFlag, emit_json, print_line
from steelsight.cli.options import expand_options
from steelsight.cli.verb import Verb

if TYPE_CHECKING:
    from steelsight.adaptation.reviews.export import ReviewExport

__all__ = ["reviews"]

reviews = typer.Typer(name="reviews", help="Use the reviews of a ledger.", no_args_is_help=True)


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
    from steelsight.api.ledger.view import open_ledger

    with open_ledger(address) as ledger:
        done = ledger.export_reviews(images, out, options=options)
    _print(done.export)
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
    from steelsight.api.ledger.keeping import enter_known_cases

    done = enter_known_cases(address, table, clean=clean)
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
