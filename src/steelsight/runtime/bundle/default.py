"""The bundle that comes with the package, trained on generated sheets, and its name `fast`."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Final

from steelsight.errors import BadBundle

__all__ = ["BUNDLES", "FOLDER", "default_bundle", "named_bundle"]

FOLDER: Final = Path(__file__).parents[1] / "default_bundle"
BUNDLES: Final = MappingProxyType({"fast": FOLDER})  # by the name that stands for it


def default_bundle() -> Path:
    """The folder of `fast`; raises BadBundle where the package was installed without it."""
    return _installed(FOLDER)


def named_bundle(folder: Path) -> Path:
    """The folder of a bundle of the package where its name is given and no such path exists.

    raises  BadBundle where the package was installed without it
    """
    name = str(folder)
    return _installed(BUNDLES[name]) if name in BUNDLES and not folder.exists() else folder


def _installed(folder: Path) -> Path:
    if not folder.is_dir():
        raise BadBundle(f"{folder}: the package's own bundle is missing; install steelsight again")
    return folder
