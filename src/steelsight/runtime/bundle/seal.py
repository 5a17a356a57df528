"""The text of a card, and the hash over the whole bundle that is its model id.

The card holds the SHA-256 of every other file. The id is a hash over everything in the card but itself and
the records of gates, as JSON with sorted keys, so one number stands for the bundle: whatever is changed in
any file changes it. A record of a gate holds that id and has a hash of its own.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from pydantic import ValidationError

from steelsight.errors import BadBundle
from steelsight.reading import parse_json
from steelsight.runtime.bundle.card import BUNDLE_FORMAT, BUNDLE_FORMATS, BundleCard
from steelsight.runtime.bundle.gate_record import record_hash

__all__ = ["parse_card", "seal", "write_card"]

ID_DIGITS: Final = 32  # of the id, hexadecimal: 128 bits
OLD_ID_DIGITS: Final = 12  # in format 1
_NOT_HASHED: Final = ("model_id", "gates")  # by the id


def seal(card: BundleCard) -> BundleCard:
    """The card in the format that is written, with its id."""
    current = card.model_copy(update={"format": BUNDLE_FORMAT, "model_id": ""})
    return current.model_copy(update={"model_id": _hash(json.loads(current.model_dump_json()))})


def write_card(card: BundleCard) -> bytes:
    """The bytes of card.json."""
    none = None if card.gates else {"gates"}  # earlier versions do not know the field
    return (card.model_dump_json(indent=2, exclude=none) + "\n").encode()


def parse_card(text: bytes, where: str) -> BundleCard:
    """Read a card.

    where   path of the file in messages
    raises  BadBundle for text that is no JSON or could be read in two ways, for another format, for values
            out of bounds, and where the id is not the hash of what the card says, or the record of a gate is
            of another bundle or not what its hash says
    """
    try:
        raw = parse_json(text, strict=True)
    except ValueError as error:
        raise BadBundle(f"{where}: expected JSON, got {error}; export the bundle again") from error
    if not isinstance(raw, dict) or raw.get("format") not in BUNDLE_FORMATS:
        came = raw.get("format") if isinstance(raw, dict) else type(raw).__name__
        raise BadBundle(
            f"{where}: expected bundle format {' or '.join(map(str, BUNDLE_FORMATS))}, got {came!r:.80}; "
            "use the steelsight version that wrote it"
        )
    try:
        card = BundleCard.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "card"
        raise BadBundle(f"{where}: {field:.120}: {first['msg']:.300}; export the bundle again") from error
    _check_id(card, raw, where)
    _check_gates(card, raw, where)
    return card


def _check_id(card: BundleCard, raw: dict[str, Any], where: str) -> None:
    found = card.files[card.graph_file].sha256[:OLD_ID_DIGITS] if card.format == 1 else _hash(raw)
    if card.model_id != found:
        raise BadBundle(
            f"{where}: model_id: expected {found}, the checksum of what it names, got "
            f"{card.model_id or 'none'}; the card was altered or damaged, export or copy the bundle again"
        )


def _check_gates(card: BundleCard, raw: dict[str, Any], where: str) -> None:
    for number, (record, written) in enumerate(zip(card.gates, raw.get("gates", ()), strict=True)):
        if record.model_id != card.model_id or record.sha256 != record_hash(written):
            raise BadBundle(
                f"{where}: gates.{number}: expected the record of a gate of {card.model_id} with the hash of "
                "what it says, got another; the card was altered or damaged, copy the bundle again or repeat "
                "the gate"
            )


def _hash(card: dict[str, Any]) -> str:
    rest = {key: value for key, value in card.items() if key not in _NOT_HASHED}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]
