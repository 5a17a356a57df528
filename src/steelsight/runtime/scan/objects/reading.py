"""Read images from an object store: the bytes, or the reason that becomes the image's row."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterable
from typing import Final

from steelsight.errors import BadSource
from steelsight.runtime.engine.reading import ImageRefused, out_of_memory
from steelsight.runtime.scan.objects.address import ObjectAddress, parse_address
from steelsight.runtime.scan.objects.faults import ObjectFault
from steelsight.runtime.scan.objects.read_ahead import ReadAhead
from steelsight.runtime.scan.objects.store import ObjectStore
from steelsight.sheets.images.image_file import MAX_FILE_BYTES
from steelsight.types import Reason

__all__ = ["ObjectReader", "refused_object"]

MOST_AHEAD: Final = 2**24  # bytes of one image that is read ahead
MOST_LOST: Final = 3  # images in a row that a store cannot give for its own reasons; then the scan ends


class ObjectReader:
    """Reads images of a store. Where the store itself is lost it ends the scan by a BadSource."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self._ahead = ReadAhead(self._read_small)
        self._lost = 0
        self._lock = threading.Lock()

    def expect(self, paths: Iterable[str]) -> None:
        """Read the objects at these addresses ahead, in the order in which `read` will be called."""
        self._ahead.expect(paths)

    def read(self, path: str) -> bytes:
        """The bytes of the object at an address, all of one state of it.

        raises  ImageRefused; BadSource after MOST_LOST images that the store could not give
        """
        content = self._ahead.take(path)
        return self._read(path, MAX_FILE_BYTES) if content is None else content

    def close(self) -> None:
        """End reading ahead, and close the connections."""
        self._ahead.close()
        self.store.close()

    def _read_small(self, path: str) -> bytes | None:
        """The bytes of an object, None where it is too large to be kept until it is asked for."""
        try:
            return self._read(path, min(MOST_AHEAD, MAX_FILE_BYTES))
        except ImageRefused as error:
            if error.reason is Reason.TOO_LARGE:
                return None
            raise

    def _read(self, path: str, most_bytes: int) -> bytes:
        address = parse_address(path)
        try:
            content = self.store.read(address, most_bytes=most_bytes)
        except ObjectFault as error:
            self.count(path, error)
            raise refused_object(address, error) from error
        except MemoryError as error:
            raise out_of_memory(address.name) from error
        self.count(path, None)
        return content

    def count(self, path: str, error: ObjectFault | None) -> None:
        """Note whether an image came; raises BadSource where the store is lost.

        error  why it did not come; None = it came
        """
        with self._lock:
            self._lost = self._lost + 1 if error is not None and error.concerns_store else 0
            if self._lost >= MOST_LOST and error is not None:
                raise BadSource(
                    f"{path}: {error.strerror}; so it was for {MOST_LOST} images in a row, and the scan "
                    "ended; all written parts are complete; run the same command again"
                ) from error


def refused_object(address: ObjectAddress, fault: ObjectFault) -> ImageRefused:
    """The refusal of one image, whose reason may pass unless it is too large."""
    if fault.errno == errno.EFBIG:
        return ImageRefused(Reason.TOO_LARGE, f"{address.name}: {fault.strerror}; is it one image?")
    reason = Reason.CHANGED if fault.errno == errno.ESTALE else Reason.MISSING
    return ImageRefused(reason, f"{address.name}: {fault.strerror}")
