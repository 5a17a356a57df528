"""`steelsight bundle verify|show|sign BUNDLE`: the same answers here, by whom, and what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import BundleArgument, JsonFlag, console, emit_json, print_line
from steelsight.cli.verb import Verb

__all__ = ["bundle"]

bundle = typer.Typer(name="bundle", help="Verify, show and sign a bundle.", no_args_is_help=True)


@bundle.command(cls=Verb)
def verify(
    folder: BundleArgument,
    threads: Annotated[int, typer.Option(min=0, help="Number of threads; 0 = the engine's own choice.")] = 0,
    key: Annotated[
        Path | None,
        typer.Option(help="Public key (PEM, Ed25519) whose signature it must carry.", metavar="FILE"),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            help="Policy file by which its card must say that it passed `steelsight gate`.", metavar="FILE"
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check every file, and compare every installed engine on the probe sheets the bundle carries."""
    from steelsight.api.plant.bundles import verify_bundle

    done = verify_bundle(
        folder, key=key, policy=policy, threads=threads, progress=lambda event: print_line(event.message)
    )
    for engine, largest, agreement, cosine, verdict in done.table().rows:
        console.print(
            f"{engine}: |Δp| at most {largest:.2g}, verdicts {agreement:.2%}, maps {cosine:.4f}: {verdict}",
            markup=False,
            soft_wrap=True,
        )
    if as_json:
        emit_json(done.as_dict())
    done.check()


@bundle.command(cls=Verb)
def show(folder: BundleArgument, as_json: JsonFlag = False) -> None:
    """Check that a bundle is complete, and print its card."""
    from steelsight.api.plant.bundles import show_bundle

    shown = show_bundle(folder)
    for name, value in shown.table().rows:
        console.print(f"{name:<10} {value}", markup=False, soft_wrap=True)
    for note in shown.notes:
        print_line(f"note: {note}")
    if as_json:
        emit_json(shown.as_dict())


@bundle.command(cls=Verb)
def sign(
    folder: BundleArgument,
    key: Annotated[
        Path, typer.Option(help="Private key (PEM, Ed25519), as OpenSSL writes it.", metavar="FILE")
    ],
    password: Annotated[
        bool, typer.Option("--password", help="The key is encrypted: ask for its password.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Check that a bundle is complete, and sign it: `bundle verify --key` shows later that nothing changed.

    `openssl genpkey -algorithm ed25519 -out private.pem` makes a key, and
    `openssl pkey -in private.pem -pubout -out public.pem` its public part.
    """
    from steelsight.api.plant.bundles import sign_bundle

    asked = typer.prompt("password", hide_input=True, err=True).encode() if password else None
    written = sign_bundle(folder, key, asked)
    print_line(f"signature: {written}")
    if as_json:
        emit_json({"bundle": str(folder), "signature": str(written)})
