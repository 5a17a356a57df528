"""A decoded image as 8-bit gray, upright: orientation, transparency, inversion and full scale, each once."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import UInt16
from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from steelsight.errors import BadImage
from steelsight.sheets.images.image_file import stated_range
from steelsight.sheets.images.value_range import DARK, FULL, scale_to_bytes

__all__ = ["has_integers", "shown_size", "to_gray", "turn_of", "upright_indices", "upright_integers"]

Integers = UInt16[np.ndarray, "h w"]

_ORIENTATION_TAG: Final = 0x0112
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE: Final = frozenset({_TURNS[5], _TURNS[6], _TURNS[7], _TURNS[8]})


def turn_of(image: ImageFile.ImageFile) -> Image.Transpose | None:
    """What turns the decoded pixels upright; to be asked before they are decoded."""
    if isinstance(image, TiffImageFile):
        return None  # decoding turns them
    return _TURNS.get(image.getexif().get(_ORIENTATION_TAG, 1))


def shown_size(image: ImageFile.ImageFile) -> tuple[int, int]:
    """(height, width) as a viewer shows it; to be asked before the image is decoded."""
    width, height = image.size
    orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    turned = _TURNS.get(orientation) in _ON_ITS_SIDE
    if isinstance(image, TiffImageFile) and _ORIENTATION_TAG in image.tag_v2:
        turned = False  # its size is turned already; where XMP alone says so, it is not
    return (width, height) if turned else (height, width)


def to_gray(
    image: ImageFile.ImageFile,
    name: str,
    *,
    bits: int | None = None,
    refuse_transparent: bool = True,
) -> Image.Image:
    """Mode L, upright.

    bits                full scale of 16-bit files that do not state theirs
    refuse_transparent  an image that is transparent throughout shows nothing; False = it is black
    raises              BadImage where the image shows nothing or its full scale is not known
    """
    turn = turn_of(image)
    _refuse_unmarked_cmyk(image, name)
    if has_integers(image):
        gray, shows = _from_integers(image, name, bits)
    elif image.has_transparency_data:
        gray, shows = _over_black(image, name, bits)
    else:
        gray, shows = image.convert("L"), True
        _refuse_wide_colour(image, np.asarray(gray), bits, name)
    if refuse_transparent and not shows:
        raise BadImage(
            f"{name}: every pixel is transparent, so a viewer shows nothing; "
            "save it without its alpha channel"
        )
    return gray if turn is None else gray.transpose(turn)


def has_integers(image: Image.Image) -> bool:
    """Whether the image holds gray of more than 8 bits."""
    return image.mode in {"I", "F"} or image.mode.startswith("I;16")


def upright_integers(image: ImageFile.ImageFile, name: str) -> Integers:
    """The stored values of gray of more than 8 bits, black at 0, upright.

    raises  BadImage for floating point and for values outside 0..65535
    """
    turn, stated = turn_of(image), stated_range(image)
    values = _integers(image if turn is None else image.transpose(turn), name)
    return ((stated.full or FULL) - values).astype(np.uint16) if stated.inverted else values


def upright_indices(image: ImageFile.ImageFile) -> Integers | None:
    """The palette's indices, upright; None where the image has no palette."""
    if image.mode != "P":
        return None
    turn = turn_of(image)
    return np.asarray(image if turn is None else image.transpose(turn)).astype(np.uint16)


def _integers(image: Image.Image, name: str) -> Integers:
    if image.mode == "F":
        raise BadImage(
            f"{name}: 32-bit floating point, whose range the file does not state; "
            "scale it and save it as 8- or 16-bit gray"
        )
    values = np.asarray(image)
    least, largest = int(values.min()), int(values.max())
    if least < 0 or largest > FULL:
        raise BadImage(
            f"{name}: values from {least} to {largest}, expected 0 to {FULL}; save it as 8- or 16-bit gray"
        )
    return values.astype(np.uint16)


def _from_integers(image: ImageFile.ImageFile, name: str, bits: int | None) -> tuple[Image.Image, bool]:
    """Mode L, and whether anything of it is opaque."""
    stated = stated_range(image)
    values = _integers(image, name)
    narrow = scale_to_bytes(values, stated, bits, name)
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return Image.fromarray(narrow), True
    opaque = values != key
    return Image.fromarray(np.where(opaque, narrow, np.uint8(0))), bool(opaque.any())


def _over_black(image: ImageFile.ImageFile, name: str, bits: int | None) -> tuple[Image.Image, bool]:
    """Mode L over black, and whether anything of it is opaque."""
    straight = image.convert("LA") if image.mode == "La" else image
    pixels = np.asarray(straight.convert("RGBA").convert("LA"), dtype=np.uint16)
    luminance, alpha = np.moveaxis(pixels, 2, 0)
    _refuse_wide_colour(image, luminance, bits, name)
    return Image.fromarray(((luminance * alpha + 127) // 255).astype(np.uint8)), bool(alpha.any())


def _refuse_wide_colour(
    image: ImageFile.ImageFile, luminance: np.ndarray, bits: int | None, name: str
) -> None:
    """Colour of 16 bits a channel is read by its upper 8 bits, which holds at full scale only."""
    if not stated_range(image).wide_colour or bits == 16:
        return
    if bits is not None:
        raise BadImage(
            f"{name}: colour of 16 bits a channel is read at its full scale only, not at --bits {bits}; "
            "save it as 16-bit gray or 8-bit colour"
        )
    if 0 < int(luminance.max()) <= DARK >> 8:
        raise BadImage(
            f"{name}: colour of 16 bits a channel that stays below a quarter of full scale: a camera of "
            "fewer bits or a dark image, its header does not say; save it as 16-bit gray or 8-bit colour, "
            "or say --bits 16 if it is dark"
        )


def _refuse_unmarked_cmyk(image: ImageFile.ImageFile, name: str) -> None:
    if isinstance(image, JpegImageFile) and image.mode == "CMYK" and "adobe" not in image.info:
        raise BadImage(
            f"{name}: CMYK JPEG without Adobe's marker, so that its ink may be inverted or not; "
            "save it as gray or RGB"
        )
