"""Read the results of a run's shortcut tests for the card of its bundle.

`steelsight shortcuts prove` and `gate` write them to RUN/shortcuts/prove-*/proof.json. A proof of other
weights is left out.
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
    """The verdicts on a run's shortcuts, in order of their folders' names; () where none was tested.

    raises  BadCheckpoint for a proof.json of another form
    """
    stamps = []
    for path in sorted((run / "shortcuts").glob("prove-*/proof.json")):
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            if report.get("weights_sha256") == weights_sha256:
                stamps.append(_stamp(report))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
            raise BadCheckpoint(
                f"{path}: expected a proof as `steelsight shortcuts prove` writes it, got {error}; "
                "prove again, or remove the folder"
            ) from error
    return tuple(stamps)


def _stamp(report: dict[str, Any]) -> ShortcutStamp:
    proof = report["proof"]
    pasted = proof["pasted"]
    excess = None if pasted is None else pasted["excess"]
    return ShortcutStamp(
        nuisance=proof["nuisance"],
        suspect=proof["suspect"],
        verdict=proof["verdict"],
        because=proof["because"],
        excess=None if excess is None else (excess["estimate"], excess["low"], excess["high"]),
        pasted=0 if pasted is None else pasted["receivers"],
        data=report["data"],
        data_hash=report["data_hash"],
    )
