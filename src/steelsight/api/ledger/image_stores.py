"""The image store of a ledger, where it must be there already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from steelsight.errors import BadInput

if TYPE_CHECKING:
    from steelsight.ledger.images.store import ImageStore

__all__ = ["open_images"]


def open_images(images: Path | str) -> ImageStore:
    """Open an image store: a folder that is there, or a URL such as s3://bucket/images.

    raises  BadInput where there is no such folder, which a new, empty store would take the place of
    """
    from steelsight.ledger.images.store import ImageStore

    if "://" not in str(images) and not Path(images).is_dir():
        raise BadInput(
            f"--images {images}: expected the ledger's image store, found no such folder; check it"
        )
    return ImageStore(images)
