"""What a run's proofs of shortcuts say, for the card of its bundle.

The proofs lie where `steelsight shortcuts prove` and `gate` write them, RUN/shortcuts/prove-*/proof.json. One
that was made with other weights says nothing of these and is left out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from steelsight.errors import BadCheckpoint
from steelsight.runtime.bundle.card import ShortcutStamp

__all__ = ["read_stamps"]


def read_stamps(run: Path, weights_sha256: str) -> tuple[ShortcutStamp, ...]:
    """The verdicts on a run's shortcuts, in order of their folders' names; () where nobody looked.

    raises  BadCheckpoint for a proof.json that is none
    """
    found = []
    for path in sorted((run / "shortcuts").glob("prove-*/proof.json")):
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            if told.get("weights_sha256") == weights_sha256:
                found.append(_stamp(told))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
            raise BadCheckpoint(
                f"{path}: expected a proof as `steelsight shortcuts prove` writes it, got {error}; "
                "prove again, or remove the folder"
            ) from error
    return tuple(found)


def _stamp(told: dict[str, Any]) -> ShortcutStamp:
    proof = told["proof"]
    pasted = proof["pasted"]
    excess = None if pasted is None else pasted["excess"]
    return ShortcutStamp(
        nuisance=proof["nuisance"],
        suspect=proof["suspect"],
        verdict=proof["verdict"],
        because=proof["because"],
        excess=None if excess is None else (excess["estimate"], excess["low"], excess["high"]),
        pasted=0 if pasted is None else pasted["receivers"],
        data=told["data"],
        data_hash=told["data_hash"],
    )
