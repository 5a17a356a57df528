"""The bundle that comes with the package, trained on generated sheets."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from steelsight.errors import BadBundle

__all__ = ["FOLDER", "default_bundle"]

FOLDER: Final = Path(__file__).parents[1] / "default_bundle"


def default_bundle() -> Path:
    """The folder of the package's own bundle; raises BadBundle where the package was installed without it."""
    if not FOLDER.is_dir():
        raise BadBundle(f"{FOLDER}: the package's own bundle is missing; install steelsight again")
    return FOLDER
