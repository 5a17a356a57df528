"""Draw sheets for audit by a keyed function of the sheet's identity, before anything is shown.

Nobody without the key can tell which sheets will be drawn, and who has the key can repeat every draw: a
sheet is drawn where HMAC-SHA256(key, sheet), read as a number in [0, 1), is below its stratum's share.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from steelsight.errors import BadInput
from steelsight.ledger.chain.entries import Draw

__all__ = ["AuditPlan", "draw_value"]

SHORTEST_KEY = 16  # bytes
OTHER = "other"  # the stratum of sheets whose own stratum has no share


@dataclass(frozen=True)
class AuditPlan:
    """Which share of the sheets is drawn for audit."""

    key: bytes = field(repr=False)  # secret; at least 16 bytes
    shares: Mapping[str, float]  # by stratum, such as a label; "other" = all strata not named

    def __post_init__(self) -> None:
        if len(self.key) < SHORTEST_KEY:
            raise BadInput(f"audit key: expected at least {SHORTEST_KEY} bytes, got {len(self.key)}")
        for stratum, share in self.shares.items():
            if not 0 <= share <= 1:
                raise BadInput(f"audit share of {stratum!r}: expected 0 to 1, got {share}")

    def draw(self, sheet: str, stratum: str) -> Draw | None:
        """The entry of a sheet that is drawn; None where it is not."""
        name = stratum if stratum in self.shares else OTHER
        share = self.shares.get(name, 0.0)
        value = draw_value(self.key, sheet)
        if value >= share:
            return None
        commitment = hashlib.sha256(self.key).hexdigest()
        return Draw(sheet=sheet, stratum=name, probability=share, value=value, key_commitment=commitment)


def draw_value(key: bytes, sheet: str) -> float:
    """The keyed function: uniform in [0, 1), 53 bits."""
    digest = hmac.new(key, sheet.encode(), hashlib.sha256).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53
