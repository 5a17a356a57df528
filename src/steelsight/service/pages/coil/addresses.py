"""The address of a coil: its name may hold any text, also `/`, `..` or `compare`."""

from __future__ import annotations

import base64
import re
from typing import Final

from steelsight.service.api.parts import unknown

__all__ = ["coil_address", "coil_of", "file_name"]

COILS: Final = "/coils"
CODED: Final = "~"  # before a name in base64url
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,200}")  # as entries of the ledger hold names
_TAKEN: Final = frozenset(("compare",))


def coil_address(coil: str) -> str:
    """The path of a coil's page; browsers and proxies leave it as it is.

    >>> coil_address("C17"), coil_address("../x"), coil_address("compare")
    ('/coils/C17', '/coils/~Li4veA', '/coils/~Y29tcGFyZQ')
    """
    if _PLAIN.fullmatch(coil) and coil not in _TAKEN:
        return f"{COILS}/{coil}"
    return f"{COILS}/{CODED}{base64.urlsafe_b64encode(coil.encode()).decode().rstrip('=')}"


def coil_of(segment: str) -> str:
    """The name that a segment of a path stands for; raises Problem 404 for one that stands for none."""
    coil = segment
    if segment.startswith(CODED):
        coded = segment.removeprefix(CODED)
        try:
            coil = base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True).decode()
        except ValueError as error:
            raise unknown("coil", segment, COILS) from error
    if not _NAME.fullmatch(coil) or (coil != segment and coil_address(coil) != f"{COILS}/{segment}"):
        raise unknown("coil", segment, COILS)
    return coil


def file_name(coil: str, suffix: str) -> str:
    """A name for a file about a coil, of harmless characters only.

    >>> file_name("C/17 «x»", ".csv")
    'coil-C_17_x.csv'
    """
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", coil[:80]).strip("_.")
    return f"coil-{plain or 'unnamed'}{suffix}"
