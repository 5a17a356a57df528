"""Read image files: all bytes from one open file, and the reason where an image is refused."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from steelsight.argument_types import is_possible
from steelsight.errors import BadImage, BadInput
from steelsight.runtime.bundle.card import BundleCard
from steelsight.runtime.verdict import Verdict
from steelsight.sheets.images.image_file import MAX_FILE_BYTES, OUT_OF_MEMORY, unreadable
from steelsight.sheets.images.pixels import MAX_PIXELS, fit_gray, read_sheet_and_size
from steelsight.sheets.images.placement import Placement, place
from steelsight.types import GrayImage, InputSpec, Reason, State

__all__ = [
    "DecodedImage",
    "ImageRefused",
    "decode",
    "out_of_memory",
    "read_file",
    "read_image",
    "several_images",
]

EMPTY: Final = np.zeros(0)


class ImageRefused(BadImage):
    """An image that is not inspected, with the reason that its verdict gives."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message, kind=reason.value)
        self.reason = reason


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """One image at the size of the model's input, or the reason why there is none."""

    gray: GrayImage | None
    size: tuple[int, int]  # of the original, (height, width); (0, 0) where it could not be read
    reason: Reason | None  # where gray is None
    detail: str

    def placement(self, spec: InputSpec) -> Placement:
        """Where the original image lies in the model's input."""
        return place(self.size, spec)

    def refused(self, card: BundleCard) -> Verdict:
        """The verdict on an image that could not be read."""
        nan = float("nan")
        reason = self.reason or Reason.DAMAGED
        return Verdict("", nan, State.BAD_IMAGE, reason, self.detail, (), EMPTY, nan, None, card.model_id)


def read_image(image: Path | str | bytes | np.ndarray, spec: InputSpec) -> DecodedImage:
    """Read a path, the bytes of a file, or a gray array; never raises for what is wrong with the image."""
    try:
        if isinstance(image, np.ndarray):
            return _read_array(image, spec)
        if isinstance(image, bytes | bytearray | memoryview):
            return decode(bytes(image), "image", spec)
        path = _path(image)
        return decode(read_file(path), path.name, spec)
    except ImageRefused as error:
        return DecodedImage(None, (0, 0), error.reason, str(error))


def _path(image: Any) -> Path:
    if isinstance(image, str | os.PathLike):
        path = Path(image)
        if not is_possible(path):
            raise ImageRefused(
                Reason.MISSING, f"{path.name}: expected a path, got text that no file can have as one"
            )
        return path
    raise ImageRefused(
        Reason.NOT_AN_IMAGE,
        f"image: expected a path, bytes of a file or a gray uint8 array (h, w), got {type(image).__name__}",
    )


def several_images(images: Any) -> Any:
    """Images as given, where they are several; raises BadInput for one, whose parts are no images."""
    one = isinstance(images, str | bytes | bytearray | memoryview | os.PathLike | Mapping)
    if one or not isinstance(images, Iterable) or getattr(images, "ndim", 3) == 0:
        raise BadInput(
            f"images: expected a list of images, got {type(images).__name__}; put one image into a list"
        )
    shape = getattr(images, "shape", ())
    if len(shape) == 2:
        raise BadInput(
            f"images: expected a list of images or an array (n, h, w), got one of shape {shape}; "
            "put one image into a list"
        )
    return images


def decode(content: bytes, name: str, spec: InputSpec, *, max_pixels: int = MAX_PIXELS) -> DecodedImage:
    """Decode the bytes of a file.

    name        for messages
    max_pixels  by its header; an image of more is not decoded
    returns     without `gray` where the image cannot be read; `reason` and `detail` say why
    """
    if not content:
        return DecodedImage(
            None, (0, 0), Reason.DAMAGED, f"{name}: the file is empty (0 bytes); copy it again"
        )
    try:
        gray, size = read_sheet_and_size(content, spec, max_pixels=max_pixels, name=name)
    except BadImage as error:
        return DecodedImage(None, (0, 0), Reason(error.kind), str(error))
    return DecodedImage(gray, size, None, "")


def read_file(path: Path) -> bytes:
    """The bytes of a regular file, all of one state of it.

    A file that changes while it is read is read once more, and refused where it changes again.
    raises  ImageRefused
    """
    for _ in range(2):
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for its other end
                raise ImageRefused(
                    Reason.NOT_AN_IMAGE, f"{path.name}: expected a file, got a folder or a device"
                )
            with path.open("rb") as file:
                before = os.fstat(file.fileno())
                if before.st_size > MAX_FILE_BYTES:
                    raise ImageRefused(
                        Reason.TOO_LARGE,
                        f"{path.name}: {before.st_size} bytes, more than {MAX_FILE_BYTES}; is it one image?",
                    )
                content = file.read(before.st_size + 1)
                after = os.fstat(file.fileno())
        except OSError as error:
            raise ImageRefused(Reason.MISSING, unreadable(path, error)) from error
        except MemoryError as error:
            raise out_of_memory(path.name) from error
        if len(content) == before.st_size and before.st_mtime_ns == after.st_mtime_ns:
            return content
    raise ImageRefused(
        Reason.CHANGED, f"{path.name}: it was written to while it was read; scan it again later"
    )


def out_of_memory(name: str) -> ImageRefused:
    """The refusal of an image that this computer has too little memory for."""
    return ImageRefused(Reason.OUT_OF_MEMORY, f"{name}: {OUT_OF_MEMORY}")


def _read_array(gray: np.ndarray, spec: InputSpec) -> DecodedImage:
    if gray.dtype != np.uint8 or gray.ndim != 2 or not gray.size:
        return DecodedImage(
            None,
            (0, 0),
            Reason.NOT_AN_IMAGE,
            f"image: expected gray uint8 of shape (h, w), got {gray.dtype} of shape {gray.shape}",
        )
    size = (gray.shape[0], gray.shape[1])
    return DecodedImage(gray if size == (spec.height, spec.width) else fit_gray(gray, spec), size, None, "")
