"""Read the results of a run's search for shortcuts and of its shortcut tests for the card of its bundle.

`steelsight shortcuts prove` and `gate` write tests to RUN/shortcuts/prove-*/proof.json, `find` writes a
search to RUN/shortcuts/shortcuts.json. A result on other weights is left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from steelsight.checksums import read_checked
from steelsight.errors import BadCheckpoint
from steelsight.reading import parse_object
from steelsight.runtime.bundle.card import ShortcutStamp

__all__ = ["read_search", "read_stamps"]


def read_stamps(run: Path, weights_sha256: str) -> tuple[ShortcutStamp, ...]:
    """The verdicts on a run's shortcuts, in order of their folders' names; () where none was tested.

    raises  BadCheckpoint for a proof.json of another form
    """
    stamps = []
    for path in sorted((run / "shortcuts").glob("prove-*/proof.json")):
        try:
            report = parse_object(read_checked(path, advice="prove again, or remove the folder"))
            if report.get("weights_sha256") == weights_sha256:
                stamps.append(_stamp(report))
        except BadCheckpoint:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
            raise BadCheckpoint(
                f"{path}: expected a proof as `steelsight shortcuts prove` writes it, got {error}; "
                "prove again, or remove the folder"
            ) from error
    return tuple(stamps)


def read_search(run: Path, weights_sha256: str) -> str:
    """The outcome of the run's search for shortcuts in words; "" where these weights were not searched.

    raises  BadCheckpoint for a shortcuts.json of another form
    """
    path = run / "shortcuts" / "shortcuts.json"
    if not path.is_file():
        return ""
    try:
        report = parse_object(read_checked(path, advice="search again, or remove the file"))
        search = report.get("search", {})  # absent in files of older versions, which do not name the weights
        if search.get("weights_sha256") != weights_sha256:
            return ""
        sheets = report["find"]["sheets"]
        return f"On {sheets} {search['split']} sheets of `{search['data']}`: {search['outcome']}"
    except BadCheckpoint:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadCheckpoint(
            f"{path}: expected a search as `steelsight shortcuts find` writes it, got {error}; "
            "search again, or remove the file"
        ) from error


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
