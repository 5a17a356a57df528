"""The bundles that come with the package, trained on generated sheets, and their names.

Each folder of `runtime/bundles` is one, and its name stands wherever the path of a BUNDLE may stand.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Final

from steelsight.errors import BadBundle

__all__ = ["BUNDLES", "BUNDLE_HELP", "FAST", "FOLDER", "bundle_names", "default_bundle", "named_bundle"]

FOLDER: Final = Path(__file__).parents[1] / "bundles"
FAST: Final = "fast"  # the bundle that is used where none is given
BUNDLES: Final = MappingProxyType(
    {card.parent.name: card.parent for card in sorted(FOLDER.glob("[!.]*/card.json"))}
)  # by the name that stands for it


def bundle_names() -> str:
    """The names of the package's bundles, in words."""
    return ", ".join(BUNDLES)


BUNDLE_HELP: Final = (
    f"BUNDLE folder, or, where none of that name lies here, a bundle of the package: {bundle_names()}."
)


def default_bundle() -> Path:
    """The folder of `fast`; raises BadBundle where the package was installed without it."""
    if FAST not in BUNDLES:
        raise BadBundle(f"{FOLDER / FAST}: the package's own bundle is missing; install steelsight again")
    return BUNDLES[FAST]


def named_bundle(folder: Path) -> Path:
    """The folder of a bundle of the package where its name is given and no such path exists.

    raises  BadBundle for `fast`, where the package was installed without it
    """
    name = str(folder)
    if folder.exists():
        return folder
    return default_bundle() if name == FAST else BUNDLES.get(name, folder)
