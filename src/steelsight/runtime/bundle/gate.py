"""Write the record of a release gate into a bundle's card, and check later what it says and of which bundle.

Nothing is measured here. Who may write the card may write any record: where that matters, sign the bundle
after the gate, and check the signature too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from steelsight.errors import BadBundle, BadOutput
from steelsight.files import refuse_output, replace_file
from steelsight.reading import read_regular
from steelsight.runtime.bundle.default import FOLDER
from steelsight.runtime.bundle.gate_record import MOST_GATES, GateRecord, seal_record
from steelsight.runtime.bundle.open import CARD_FILE, SIGNATURE_FILE, Bundle, open_bundle
from steelsight.runtime.bundle.seal import parse_card
from steelsight.runtime.bundle.writer import copy_bundle

__all__ = ["GateCheck", "GateReason", "add_gate", "refuse_gate_output", "verify_gate"]


@dataclass(frozen=True)
class GateReason:
    """Why a bundle may not be promoted."""

    code: Literal["no_gate", "not_passed", "other_data", "table_unreadable", "table_changed"]
    text: str  # what was expected and what came, with what to do
    values: Mapping[str, str]  # of the text: policy; made; data, hash, expected; table, error

    def __str__(self) -> str:
        """The text."""
        return self.text


@dataclass(frozen=True)
class GateCheck:
    """Whether a bundle may be promoted by the records in its card."""

    record: GateRecord | None  # that counts; None = there is none
    reasons: tuple[GateReason, ...]  # why it may not; empty = it may

    @property
    def passed(self) -> bool:
        """Whether the bundle may be promoted."""
        return not self.reasons


def verify_gate(bundle: Bundle, *, policy: Path | None = None, data_hash: str | None = None) -> GateCheck:
    """Check the latest record of a gate in an opened bundle's card.

    policy     the record that counts is the latest one by this policy file, whose bytes and tables must be
               those that were applied; None = the latest record, whatever its policy
    data_hash  of the sheets that it must have been tested on, see sheets.cache; None = any
    raises     BadBundle where a record is not what its hash says, or is about another bundle; OSError where
               the policy file cannot be read
    """
    card = parse_card(bundle.card_text, str(bundle.folder / CARD_FILE))  # checks every record and the id
    wanted = None if policy is None else hashlib.sha256(read_regular(policy)).hexdigest()
    records = [each for each in card.gates if wanted is None or each.policy_sha256 == wanted]
    if not records:
        by = "" if policy is None else f" by the policy {policy} as it is now"
        text = f"expected a gate{by}, found none; run `steelsight gate {bundle.folder} DATA --policy FILE`"
        return GateCheck(
            None, (GateReason("no_gate", text, {"policy": "" if policy is None else policy.name}),)
        )
    record = records[-1]
    reasons = [] if record.passed else [_not_passed(record)]
    if policy is not None:
        reasons += _other_lists(record, policy)
    if data_hash is not None and record.data_hash != data_hash:
        text = (
            f"it was tested on {record.data} with the hash {record.data_hash:.12}…, expected "
            f"{data_hash:.12}…; run the gate on these sheets"
        )
        values = {"data": record.data, "hash": record.data_hash, "expected": data_hash}
        reasons.append(GateReason("other_data", text, values))
    return GateCheck(record, tuple(reasons))


def _not_passed(record: GateRecord) -> GateReason:
    parts = [each.why for each in record.shortcuts if each.outcome != "passed"]
    parts += [each.why for each in record.metrics if each.outcome != "passed"]
    text = f"the gate of {record.made} was not passed: {'; '.join(parts)}"
    return GateReason("not_passed", text, {"made": record.made})


def _other_lists(record: GateRecord, policy: Path) -> list[GateReason]:
    """One reason for each table of the policy that is not the one that was applied."""
    reasons = []
    for name, digest in record.lists.items():
        path = policy.parent / name
        try:
            found = hashlib.sha256(read_regular(path)).hexdigest()
        except OSError as error:
            values = {"table": name, "error": str(error.strerror or error)}
            text = f"{path}: cannot be read ({values['error']}); restore it"
            reasons.append(GateReason("table_unreadable", text, values))
            continue
        if found != digest:
            text = f"{path}: was changed since the gate; run the gate again"
            reasons.append(GateReason("table_changed", text, {"table": name}))
    return reasons


def refuse_gate_output(bundle: Bundle, out: Path | None) -> None:
    """Raise BadOutput or BadBundle where no record can be written into the bundle, before it is measured."""
    if bundle.card.format == 1:
        raise BadBundle(
            f"{bundle.folder}: format 1, whose id is not a hash over the bundle, so that a record could not "
            "name it; export it again"
        )
    if out is None and bundle.folder.resolve().parent == FOLDER.resolve():
        raise BadOutput(
            f"{bundle.folder.name}: a bundle of the package, which is not changed; write a copy with the "
            "record: `steelsight gate BUNDLE DATA --policy FILE --out BUNDLE2`"
        )


def add_gate(bundle: Bundle, record: GateRecord, out: Path | None = None) -> GateRecord:
    """Write a record into the card of a bundle; a signature, which is of the card before, is removed.

    out      BUNDLE folder to write a copy to; None = the bundle itself
    returns  the record with its hash
    raises   BadOutput where it cannot be written; BadBundle where the bundle was replaced since it was opened
    """
    refuse_gate_output(bundle, out)
    sealed = seal_record(record)
    current = bundle if out is not None else open_bundle(bundle.folder)
    if current.card.model_id != sealed.model_id:
        raise BadBundle(
            f"{bundle.folder}: expected the bundle {sealed.model_id}, which was tested, found "
            f"{current.card.model_id}; it was replaced meanwhile, run the gate again"
        )
    text = _with_record(current.card_text, sealed)
    if out is not None:
        copy_bundle(out, current, text)
        return sealed
    try:
        (bundle.folder / SIGNATURE_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise refuse_output(bundle.folder / SIGNATURE_FILE, error) from error
    replace_file(bundle.folder / CARD_FILE, text)
    return sealed


def _with_record(card_text: bytes, record: GateRecord) -> bytes:
    """The text of a card with one more record; every other value stays as it is written."""
    card: dict[str, Any] = json.loads(card_text)
    written = json.loads(record.model_dump_json())
    card["gates"] = [*card.get("gates", ()), written][-MOST_GATES:]
    return (json.dumps(card, indent=2, ensure_ascii=False) + "\n").encode()
