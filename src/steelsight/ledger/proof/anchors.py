"""Anchors: the last entry of each writer, kept where nobody who can change the ledger can change them.

With a key an anchor is signed (Ed25519); whoever holds the public key can tell that it is genuine.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from sqlalchemy import select

from steelsight.errors import BadInput
from steelsight.ledger.chain.canonical import time_text
from steelsight.ledger.database import schema
from steelsight.ledger.database.open import Ledger
from steelsight.ledger.writing.writer import now_us
from steelsight.reading import read_regular

__all__ = ["Anchor", "Head", "make_anchor", "read_anchor"]

LARGEST: int = 16 * 2**20  # bytes of an anchor file


@dataclass(frozen=True)
class Head:
    """The last entry of a writer."""

    writer: str
    seq: int
    digest: str  # hexadecimal


@dataclass(frozen=True)
class Anchor:
    """The heads of every writer of a ledger at one time."""

    ledger: str
    epoch: int
    time: str  # UTC
    heads: tuple[Head, ...]
    signature: str = ""  # Ed25519 over the canonical form of the rest, hexadecimal

    def signed_bytes(self) -> bytes:
        """What is signed."""
        return rfc8785.dumps({name: value for name, value in self.as_dict().items() if name != "signature"})

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        heads = [vars(head) for head in self.heads]
        about = {"ledger": self.ledger, "epoch": self.epoch, "time": self.time, "heads": heads}
        return {**about, "signature": self.signature} if self.signature else about


def make_anchor(ledger: Ledger, key: Path | None = None) -> Anchor:
    """The heads of all writers now.

    key     PEM file of an Ed25519 private key; None = not signed
    raises  BadInput where the key cannot be used
    """
    signer = None if key is None else _private_key(key)
    with ledger.read() as connection:
        epoch = connection.execute(select(schema.ledger.c.epoch)).scalar_one()
        table = schema.writers
        rows = connection.execute(select(table).where(table.c.seq > 0).order_by(table.c.name)).all()
    heads = tuple(Head(row.name, int(row.seq), bytes(row.digest).hex()) for row in rows)
    anchor = Anchor(ledger.id, epoch, time_text(now_us()), heads)
    if signer is None:
        return anchor
    return Anchor(anchor.ledger, epoch, anchor.time, heads, signer.sign(anchor.signed_bytes()).hex())


def read_anchor(path: Path, public_key: Path | None = None) -> Anchor:
    """An anchor from its file.

    public_key  PEM file; the anchor must be signed by its private key
    raises      BadInput where the file is no anchor or its signature is not valid
    """
    try:
        content = json.loads(read_regular(path, most_bytes=LARGEST))
        heads = tuple(
            Head(str(each["writer"]), int(each["seq"]), bytes.fromhex(each["digest"]).hex())
            for each in content["heads"]
        )
        signature = bytes.fromhex(content.get("signature", "")).hex()
        anchor = Anchor(str(content["ledger"]), int(content["epoch"]), str(content["time"]), heads, signature)
        anchor.signed_bytes()  # refuses what has no canonical form
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise BadInput(
            f"{path}: expected an anchor, as `steelsight ledger anchor` writes it ({error})"
        ) from error
    if public_key is not None:
        _check_signature(path, anchor, public_key)
    return anchor


def _check_signature(path: Path, anchor: Anchor, public_key: Path) -> None:
    key = _load(public_key, load_pem_public_key)
    if not isinstance(key, Ed25519PublicKey):
        raise BadInput(f"{public_key}: expected an Ed25519 public key in PEM form")
    if not anchor.signature:
        raise BadInput(f"{path}: is not signed; make it with `steelsight ledger anchor --key`")
    try:
        key.verify(bytes.fromhex(anchor.signature), anchor.signed_bytes())
    except InvalidSignature as error:
        raise BadInput(
            f"{path}: its signature is not of the key {public_key}; the anchor was changed"
        ) from error


def _private_key(path: Path) -> Ed25519PrivateKey:
    key = _load(path, lambda content: load_pem_private_key(content, password=None))
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput(f"{path}: expected an Ed25519 private key in PEM form")
    return key


def _load(path: Path, load: Any) -> Any:
    try:
        return load(read_regular(path, most_bytes=LARGEST))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadInput(f"{path}: expected an unencrypted Ed25519 key in PEM form ({error})") from error
