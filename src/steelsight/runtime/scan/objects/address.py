"""Addresses of objects: `s3://bucket/key`. A key is a label and never becomes a path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from steelsight.errors import BadSource

__all__ = ["SCHEME", "ObjectAddress", "is_address", "parse_address"]

SCHEME: Final = "s3://"
MAX_KEY_BYTES: Final = 1024  # of UTF-8, as S3 allows
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """A bucket, and a key or the beginning of keys in it."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"

    def __truediv__(self, name: str) -> ObjectAddress:
        """The object of this name below the key, as a path and a name are joined."""
        return ObjectAddress(self.bucket, f"{self.key}{'/' if self.key[-1:] not in ('', '/') else ''}{name}")

    @property
    def name(self) -> str:
        """The last part of the key, as messages call the object."""
        return self.key.rstrip("/").rpartition("/")[2] or self.bucket


def is_address(source: str) -> bool:
    """Whether a source is in an object store."""
    return source.startswith(SCHEME)


def parse_address(source: str) -> ObjectAddress:
    """The address that a text names; the key is taken as it is, without escapes.

    raises  BadSource
    """
    bucket, _, key = source.removeprefix(SCHEME).partition("/")
    if not is_address(source) or not _BUCKET.fullmatch(bucket):
        raise BadSource(
            f"{source!r:.200}: expected s3://BUCKET/PREFIX/ or s3://BUCKET/KEY, got no bucket name"
        )
    try:
        length = len(key.encode())
    except UnicodeEncodeError as error:
        raise BadSource(f"{source!r:.200}: expected a key in UTF-8, got bytes that are not") from error
    if length > MAX_KEY_BYTES:
        raise BadSource(f"{source!r:.200}: expected a key of at most {MAX_KEY_BYTES} bytes, got {length}")
    return ObjectAddress(bucket, key)
