"""The bundles that come with the package, trained on generated sheets: `fast` and `accurate`."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Final

from steelsight.errors import BadBundle

__all__ = ["BUNDLES", "FOLDER", "default_bundle", "named_bundle"]

FOLDER: Final = Path(__file__).parents[1] / "default_bundle"
BUNDLES: Final = MappingProxyType({"fast": FOLDER, "accurate": FOLDER.with_name("accurate_bundle")})


def default_bundle() -> Path:
    """The folder of `fast`; raises BadBundle where the package was installed without it."""
    return _installed(FOLDER)


def named_bundle(folder: Path) -> Path:
    """The folder of one of the package's own bundles where its name is given and no such path exists.

    raises  BadBundle where the package was installed without it
    """
    name = str(folder)
    return _installed(BUNDLES[name]) if name in BUNDLES and not folder.exists() else folder


def _installed(folder: Path) -> Path:
    if not folder.is_dir():
        raise BadBundle(f"{folder}: the package's own bundle is missing; install steelsight again")
    return folder
