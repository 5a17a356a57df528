"""Settings of the service for a generated coil: what a plant sets up once."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, Final

import numpy as np

from steelsight.files import replace_file
from steelsight.runs.plant.live_coil import CALIBRATION, PATTERN, LiveCoil

__all__ = ["live_settings"]

AUDIT: Final = 0.1  # share of the sheets that are drawn for audit
SECOND_REVIEW: Final = 0.1  # share of the reviewed sheets that a second person reviews too
KEY_BYTES: Final = 32

RECOMMENDATION: Final = """count_within_m = 5

[[rule]]
name = "not like the training sheets"
action = "re-inspect"
states = ["unknown_input"]

[[rule]]
name = "doubtful defect"
action = "re-inspect"
types = ["type 1", "type 2", "type 3", "type 4"]
states = ["doubtful"]

[[rule]]
name = "large defect"
action = "hold"
types = ["type 3", "type 4"]
least_area_mm2 = 400

[[rule]]
name = "long defect"
action = "downgrade"
types = ["type 1", "type 2", "type 3", "type 4"]
least_length_mm = 150

[[rule]]
name = "anything else"
action = "accept"
"""

GATE: Final = """[[shortcut]]  # the stains of the coil
nuisance = "stain"
most_flipped = 0.05
"""


def live_settings(out: Path, coil: LiveCoil) -> dict[str, Any]:
    """Write the files that the settings name; the settings, as `steelsight serve` takes them.

    The key of the audit draws is made once: the same folder keeps its draws.

    out      folder; what lies there beside these files is left alone
    raises   BadOutput where a file cannot be written
    """
    files = {
        "calibration": ("calibration.toml", CALIBRATION),
        "coil_rolls": ("rolls.csv", _rolls(coil)),
        "recommendation_policy": ("recommendation.toml", RECOMMENDATION),
        "gate_policy": ("gate.toml", GATE),
    }
    for name, text in files.values():
        replace_file(out / name, text)
    key = out / "audit.key"
    if not key.exists():
        replace_file(key, secrets.token_bytes(KEY_BYTES))
        key.chmod(0o600)
    return {
        **{setting: out / name for setting, (name, _) in files.items()},
        "pattern": PATTERN,
        "audit": AUDIT,
        "audit_key": key,
        "second_review_share": SECOND_REVIEW,
    }


def _rolls(coil: LiveCoil) -> str:
    """A table of rolls: the one that leaves the mark, and two that turn at another distance."""
    marked = 1000 * coil.turn_m / np.pi
    rolls = {"work roll": 0.45 * marked, "back-up roll": marked, "bridle roll": 0.7 * marked}
    rows = (f"{name},{diameter:.1f},2,1\n" for name, diameter in rolls.items())
    return "name,diameter_mm,tolerance_mm,stretch\n" + "".join(rows)
