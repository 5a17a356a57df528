"""`steelsight bundle verify|show BUNDLE`: whether a bundle gives the same answers here, and what it holds."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import JsonFlag, console, emit_json
from steelsight.cli.verb import Verb
from steelsight.errors import ParityRefused

__all__ = ["bundle"]

bundle = typer.Typer(name="bundle", help="Verify and show a bundle.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(help="BUNDLE folder.", metavar="BUNDLE")]


@bundle.command(cls=Verb)
def verify(
    folder: Folder,
    threads: Annotated[int, typer.Option(min=0, help="Number of threads; 0 = the engine's own choice.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Check every file, and compare every installed engine on the probe sheets the bundle carries."""
    from steelsight.plain import plain
    from steelsight.runtime.parity.verify import verify_bundle

    found = verify_bundle(folder, threads=threads)
    for each in found:
        told = each.parity
        verdict = "; ".join(each.broken) or "as its source"
        console.print(
            f"{told.engine}: |Δp| at most {told.largest:.2g}, verdicts {told.agreement:.2%}, "
            f"maps {told.cosine_p5:.4f}: {verdict}",
            markup=False,
            soft_wrap=True,
        )
    if as_json:
        emit_json(plain({"bundle": str(folder), "engines": [asdict(each) for each in found]}))
    if found[0].broken:
        raise ParityRefused(
            f"{folder}: on this machine it does not answer as its source: {'; '.join(found[0].broken)}; "
            "do not use it here; export it again for this machine, if need be with "
            "`steelsight export --precision f32`"
        )


@bundle.command(cls=Verb)
def show(folder: Folder, as_json: JsonFlag = False) -> None:
    """Check that a bundle is complete, and print its card."""
    from steelsight.runtime.bundle.open import open_bundle

    card = open_bundle(folder).card
    facts = {
        "model": f"{card.model}, {card.head} head, {card.precision}, id {card.model_id}",
        "classes": ", ".join(card.class_names),
        "input": f"{card.input.height}x{card.input.width}, {card.input.fit}",
        "threshold": "none" if card.threshold is None else f"{card.threshold:g}",
        "promise": card.threshold_statement or "none",
        "made by": f"steelsight {card.steelsight_version}",
    }
    for name, value in facts.items():
        console.print(f"{name:<10} {value}", markup=False, soft_wrap=True)
    if as_json:
        emit_json(card.model_dump(mode="json"))
