"""Images by the SHA-256 of their bytes: each is stored once, and a missing or altered one is told."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

import pyarrow.fs as pafs

from steelsight.errors import BadInput, BadOutput, ImageAltered, ImageMissing
from steelsight.files import replace_file

__all__ = ["ImageStore"]

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class ImageStore:
    """A content-addressed store of image files in a folder or in object storage.

    An object's key is `ab/cdef…`, the SHA-256 of its bytes. Writing is atomic: an object is whole or absent.

    address  a folder, or a URL that pyarrow.fs knows (file://, s3://, gs://, …)
    raises   BadInput where the address cannot be used
    """

    def __init__(self, address: Path | str) -> None:
        self.address = str(address)
        try:
            if "://" in self.address:
                self._files, root = pafs.FileSystem.from_uri(self.address)
            else:
                self._files, root = pafs.LocalFileSystem(), str(Path(self.address).absolute())
            self._root = root.rstrip("/")
            self._local = isinstance(self._files, pafs.LocalFileSystem)
            self._files.create_dir(self._root, recursive=True)
        except (OSError, ValueError, NotImplementedError) as error:  # the last: pyarrow lacks the scheme
            raise BadInput(f"image store {self.address}: cannot be used ({error})") from error

    def put(self, content: bytes) -> str:
        """Store an image; returns its SHA-256. An image that is there already is not written again.

        raises  BadOutput where it cannot be written
        """
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(digest)
        try:
            if self._size(path) == len(content):
                return digest
            if self._local:
                replace_file(Path(path), content, advice="free space on the disk of the image store")
            else:
                with self._files.open_output_stream(path) as stream:
                    stream.write(content)
        except OSError as error:
            raise BadOutput(
                f"image store {self.address}: could not write {digest[:12]}… ({error})"
            ) from error
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes of an image.

        raises  ImageMissing where it is not there; ImageAltered where it has other bytes
        """
        path = self._path(digest)
        try:
            with self._files.open_input_stream(path) as stream:
                content: bytes = stream.read()
        except FileNotFoundError as error:
            raise ImageMissing(f"image {digest[:12]}…: is not in the store {self.address}") from error
        except OSError as error:
            raise ImageMissing(
                f"image {digest[:12]}…: cannot be read from {self.address} ({error})"
            ) from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise ImageAltered(
                f"image {digest[:12]}…: its bytes in {self.address} are not those that were judged"
            )
        return content

    def has(self, digest: str) -> bool:
        """Whether an image is there; its bytes are not checked. raises BadOutput where the store is away."""
        path = self._path(digest)
        try:
            return self._size(path) is not None
        except OSError as error:
            raise BadOutput(
                f"image store {self.address}: could not look for {digest[:12]}… ({error})"
            ) from error

    def remove(self, digest: str) -> bool:
        """Remove an image; whether it was there. raises BadOutput where it cannot be removed."""
        path = self._path(digest)
        try:
            if self._size(path) is None:
                return False
            self._files.delete_file(path)
        except OSError as error:
            raise BadOutput(
                f"image store {self.address}: could not remove {digest[:12]}… ({error})"
            ) from error
        return True

    def _path(self, digest: str) -> str:
        if not _DIGEST.fullmatch(digest):
            raise BadInput(f"image: expected a SHA-256 of 64 hexadecimal digits, got {digest!r:.80}")
        return f"{self._root}/{digest[:2]}/{digest[2:]}"

    def _size(self, path: str) -> int | None:
        found = self._files.get_file_info(path)
        return found.size if found.type == pafs.FileType.File else None
