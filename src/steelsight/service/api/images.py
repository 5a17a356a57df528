"""The image file of a sheet: from the store, or from the folder that the station watches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from steelsight.errors import ImageAltered, ImageMissing
from steelsight.ledger.database import schema
from steelsight.runtime.engine.reading import ImageRefused, read_file
from steelsight.service.context import Service
from steelsight.service.problem import Problem

__all__ = ["media_type", "stored_image"]

_KINDS: Final = (  # first bytes, media type, suffix
    (b"\xff\xd8\xff", "image/jpeg", ".jpg"),
    (b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
    (b"BM", "image/bmp", ".bmp"),
    (b"II", "image/tiff", ".tif"),
    (b"MM", "image/tiff", ".tif"),
    (b"GIF8", "image/gif", ".gif"),
    (b"RIFF", "image/webp", ".webp"),
    (b"\0\0\0\x0cjP  ", "image/jp2", ".jp2"),
    (b"\xff\x4f\xff\x51", "image/jp2", ".j2k"),
    (b"P", "image/x-portable-anymap", ".pnm"),
)


def media_type(content: bytes) -> tuple[str, str]:
    """Media type and suffix of an image file, by its first bytes; never one that a browser would run."""
    for start, kind, suffix in _KINDS:
        if content.startswith(start):
            return kind, suffix
    return "application/octet-stream", ".bin"


def stored_image(service: Service, sheet: Mapping[str, Any]) -> bytes:
    """The bytes that were judged.

    sheet   its row
    raises  Problem: 404 image_missing, 410 image_pruned, 409 image_altered
    """
    digest = sheet["image_hash"]
    if digest is None:
        raise _missing("the station could not read this image")
    try:
        if service.images is not None and service.images.has(digest):
            return service.images.get(digest)
        return _in_watched_folder(service, sheet["image"], digest)
    except ImageMissing as error:
        if _pruned(service, digest):
            raise Problem(
                410, "image_pruned", f"image {digest[:12]}… was removed by retention", "its entries are kept"
            ) from error
        raise _missing(f"image {digest[:12]}… is not in the image store") from error
    except ImageAltered as error:
        raise Problem(
            409,
            "image_altered",
            f"image {digest[:12]}… has other bytes than those that were judged",
            "restore the image store from a backup; the ledger's hash is that of the image judged",
            facts={"image_hash": digest},
        ) from error


def _in_watched_folder(service: Service, place: str | None, digest: str) -> bytes:
    """An image that stayed where the station found it; nothing outside of the watched folder is read."""
    folder = service.settings.watch
    if folder is None or place is None:
        raise ImageMissing(digest)
    path = Path(place)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ImageMissing(digest)
    try:
        content = read_file(path)
    except ImageRefused as error:
        raise ImageMissing(digest) from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise ImageAltered(digest)
    return content


def _pruned(service: Service, digest: str) -> bool:
    table = schema.pruned_images
    query = select(table.c.seq).where(table.c.image_hash == digest).limit(1)
    with service.ledger.read() as connection:
        return connection.execute(query).one_or_none() is not None


def _missing(message: str) -> Problem:
    return Problem(
        404, "image_missing", message, "ask for the sheet's history without its image, or start with --images"
    )
