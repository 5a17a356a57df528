"""`steelsight bundle verify|show|sign BUNDLE`: the same answers here, by whom, and what it holds."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import BundleArgument, JsonFlag, console, emit_json, print_line
from steelsight.cli.verb import Verb
from steelsight.errors import GateRefused, ParityRefused

if TYPE_CHECKING:
    from steelsight.runtime.bundle.card import BundleCard
    from steelsight.runtime.bundle.gate_record import GateRecord
    from steelsight.runtime.bundle.open import Bundle

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
    from steelsight.plain import plain
    from steelsight.runtime.bundle.open import open_bundle
    from steelsight.runtime.parity.verify import verify_bundle

    opened = open_bundle(folder)
    if key is not None:
        from steelsight.runtime.bundle.signature import check_signature

        check_signature(opened, key)
        print_line(f"signature: by the key {key}")
    _print_notes(opened.notes)
    if policy is not None:
        _verify_gate(opened, policy)
    found = verify_bundle(opened, threads=threads)
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
        signed = None if key is None else str(key)
        engines = [asdict(each) for each in found]
        emit_json(plain({"bundle": str(folder), "signed_by": signed, "engines": engines}))
    if found[0].broken:
        raise ParityRefused(
            f"{folder}: on this machine it does not answer as its source: {'; '.join(found[0].broken)}; "
            "do not use it here; export it again for this machine, if need be with "
            "`steelsight export --precision f32`"
        )


def _verify_gate(opened: Bundle, policy: Path) -> None:
    """Print the record of the gate; raises GateRefused where there is none that was passed."""
    from steelsight.runtime.bundle.gate import verify_gate

    check = verify_gate(opened, policy=policy)
    if not check.passed or check.record is None:
        raise GateRefused(f"{opened.folder}: {'; '.join(map(str, check.reasons))}")
    print_line(f"gate: {_gate_words(check.record)}")


@bundle.command(cls=Verb)
def show(folder: BundleArgument, as_json: JsonFlag = False) -> None:
    """Check that a bundle is complete, and print its card."""
    from steelsight.runtime.bundle.open import open_bundle

    opened = open_bundle(folder)
    card = opened.card
    facts = {
        "model": f"{card.model}, {card.head} head, {card.precision}, id {card.model_id}",
        "classes": ", ".join(card.class_names),
        "input": f"{card.input.height}x{card.input.width}, {card.input.fit}",
        "threshold": "none" if card.threshold is None else f"{card.threshold:g}",
        "promise": card.threshold_statement or "none",
        "label sets": _label_sets(card),
        "made by": f"steelsight {card.steelsight_version}",
        **({"gate": _gate_words(card.gates[-1])} if card.gates else {}),
    }
    for name, value in facts.items():
        console.print(f"{name:<10} {value}", markup=False, soft_wrap=True)
    _print_notes(opened.notes)
    if as_json:
        emit_json(card.model_dump(mode="json"))


def _gate_words(record: GateRecord) -> str:
    outcome = "passed" if record.passed else "not passed"
    return f"{outcome} by {record.policy} on {record.sheets} sheets of {record.data}, {record.made}"


def _label_sets(card: BundleCard) -> str:
    sets = card.label_sets
    if sets is None:
        return "none"
    lacking = [f"{name} {more}" for name, more in zip(card.class_names, sets.needed, strict=True) if more]
    words = f"at least {sets.coverage:.0%} of the familiar sheets of each class have it in their set"
    return f"{words}; more sheets needed: {', '.join(lacking)}" if lacking else words


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
    from steelsight.runtime.bundle.signature import sign_bundle

    asked = typer.prompt("password", hide_input=True, err=True).encode() if password else None
    written = sign_bundle(folder, key, asked)
    print_line(f"signature: {written}")
    if as_json:
        emit_json({"bundle": str(folder), "signature": str(written)})


def _print_notes(notes: tuple[str, ...]) -> None:
    for note in notes:
        print_line(f"note: {note}")
