"""Opens one image file without trusting it.

The header is read first and everything that must not be decoded is refused there: too many pixels,
several frames, other formats, samples of unknown meaning. Pillow's own guard is not used: it warns where a
refusal is due, and its limit is a global of the process.
"""

from __future__ import annotations

import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from steelsight.errors import BadImage
from steelsight.reading import read_regular
from steelsight.sheets.images.decoding_time import TimedBytes, limit_decoding, refuse_scans
from steelsight.sheets.images.tiff_header import (
    TiffFacts,
    as_black_is_zero,
    explain_layout,
    read_tiff_facts,
    refuse_layout,
)
from steelsight.sheets.images.value_range import (
    StatedRange,
    jpeg2000_range,
    pgm_range,
    png_range,
    tiff_range,
)

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "OUT_OF_MEMORY",
    "name_of",
    "open_image",
    "read_bytes",
    "stated_range",
    "unreadable",
]

MAX_PIXELS: Final = 2**26  # 67 million: 160 sheets of 1600x256 in one file, 268 MB when decoded with alpha
MAX_FILE_BYTES: Final = 2**29  # MAX_PIXELS at 8 bytes a pixel, the most an uncompressed 16-bit file needs
OUT_OF_MEMORY: Final = (
    "this computer had too little memory to read it; free memory, and run the same command again"
)
IMAGE_SUFFIXES: Final = frozenset(
    {
        *(".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".pgm", ".ppm"),
        *(".jp2", ".j2k"),
    }
)

_FORMATS: Final[tuple[tuple[bytes, type[ImageFile.ImageFile]], ...]] = (
    (b"\xff\xd8\xff", JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", PngImageFile),
    (b"BM", BmpImageFile),
    (b"II*\0", TiffImageFile),
    (b"MM\0*", TiffImageFile),
    (b"II+\0", TiffImageFile),  # BigTIFF
    (b"MM\0+", TiffImageFile),  # BigTIFF in the other byte order
    (b"\0\0\0\x0cjP  \r\n\x87\n", Jpeg2KImageFile),
    (b"\xff\x4f\xff\x51", Jpeg2KImageFile),
    (b"GIF8", GifImageFile),
    (b"RIFF", WebPImageFile),
    (b"P2", PpmImageFile),
    (b"P3", PpmImageFile),
    (b"P5", PpmImageFile),
    (b"P6", PpmImageFile),
)
_RANGES: Final = {
    PngImageFile: png_range,
    PpmImageFile: pgm_range,
    Jpeg2KImageFile: jpeg2000_range,
}
_RANGE: Final = "steelsight.range"  # key of an opened image's info
# What Pillow's parsers raise on damaged files, besides OSError.
_DAMAGE: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    zlib.error,
    Warning,  # where warnings are errors: Pillow warns of damage it reads over, such as torn metadata
)


def read_bytes(path: Path) -> bytes:
    """The bytes of a regular file; raises BadImage with the reason when there are none to be had."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise BadImage(
                f"{path.name}: expected a file, found a folder or a device; remove it", kind="not_an_image"
            )
        if found.st_size > MAX_FILE_BYTES:
            raise BadImage(
                f"{path.name}: {found.st_size} bytes, more than {MAX_FILE_BYTES}; is it one image?",
                kind="too_large",
            )
        content = read_regular(path, most_bytes=MAX_FILE_BYTES)
    except OSError as error:
        raise BadImage(unreadable(path, error)) from error
    except MemoryError as error:
        raise _out_of_memory(path.name) from error
    if not content:
        raise BadImage(f"{path.name}: the file is empty (0 bytes); copy it again")
    return content


def unreadable(path: Path, error: OSError) -> str:
    """The message for a path the operating system will not open."""
    advice = {
        FileNotFoundError: "the file does not exist; if it is a link, its target is gone",
        PermissionError: "no permission to read it; change its permissions or run as a user who may",
    }.get(type(error))
    if advice is None and "symbolic link" in (error.strerror or ""):
        advice = "a symbolic link that leads back to itself; remove it"
    return f"{path.name}: {advice or error.strerror or error}"


def name_of(source: Path | bytes) -> str:
    """How messages call an image."""
    return source.name if isinstance(source, Path) else "image"


@contextmanager
def open_image(
    source: Path | bytes, *, max_pixels: int = MAX_PIXELS, name: str | None = None
) -> Iterator[ImageFile.ImageFile]:
    """One still image, header read and not yet decoded.

    source  a path, or the bytes of a file
    name    how messages call it; None = the path's name, or "image"
    raises  BadImage when the file cannot be read, is no image, holds several frames, exceeds `max_pixels`, or
            turns out damaged while the caller decodes it inside the `with`; or where its samples mean nothing
            that can be shown, such as floating point of 64 bits
    """
    content = read_bytes(source) if isinstance(source, Path) else source
    name = name_of(source) if name is None else name
    try:
        with _open(content, name) as image:
            _refuse_oversized(image, name, max_pixels)
            _refuse_frames(image, name)
            refuse_scans(image, content, name)
            limit_decoding(image)
            yield image
    except BadImage:
        raise
    except Image.DecompressionBombError as error:
        raise BadImage(
            f"{name}: more pixels than its header said ({_first_line(error)}); export it again",
            kind="too_large",
        ) from error
    except MemoryError as error:
        raise _out_of_memory(name) from error
    except _DAMAGE as error:
        if "out of memory" in str(error):  # the words of Pillow's decoders
            raise _out_of_memory(name) from error
        raise BadImage(f"{name}: damaged image ({_first_line(error)}); copy or export it again") from error


def _out_of_memory(name: str) -> BadImage:
    return BadImage(f"{name}: {OUT_OF_MEMORY}", kind="out_of_memory")


def stated_range(image: ImageFile.ImageFile) -> StatedRange:
    """What the header of an opened image says of its values."""
    found: StatedRange = image.info[_RANGE]
    return found


def _open(content: bytes, name: str) -> ImageFile.ImageFile:
    image_class = _format_of(content, name)
    if image_class is TiffImageFile and (facts := read_tiff_facts(content)) is not None:
        return _open_tiff(content, facts, name)
    image = image_class(TimedBytes(content, name))
    image.info[_RANGE] = _RANGES[image_class](content) if image_class in _RANGES else StatedRange()
    return image


def _open_tiff(content: bytes, facts: TiffFacts, name: str) -> TiffImageFile:
    refuse_layout(facts, name)
    stated = tiff_range(facts)
    try:
        image = TiffImageFile(
            TimedBytes(as_black_is_zero(content, facts) if stated.inverted else content, name)
        )
    except SyntaxError as error:
        if "pixel mode" not in str(error):
            raise
        raise BadImage(explain_layout(facts, name)) from error
    image.info[_RANGE] = stated
    return image


def _format_of(content: bytes, name: str) -> type[ImageFile.ImageFile]:
    for magic, image_class in _FORMATS:
        if content.startswith(magic):
            return image_class
    start = content[:12].decode("ascii", "replace").encode("unicode_escape").decode()
    raise BadImage(
        f"{name}: expected a JPEG, PNG, BMP, TIFF, WebP, PGM or JPEG 2000 image, found a file that "
        f"starts with '{start}'; its name does not make it an image",
        kind="not_an_image",
    )


def _refuse_oversized(image: ImageFile.ImageFile, name: str, max_pixels: int) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise BadImage(f"{name}: {width}x{height} pixels; expected at least one")
    if width * height > max_pixels:
        raise BadImage(
            f"{name}: {width}x{height} = {width * height} pixels, more than the {max_pixels} allowed; "
            "nothing was decoded; cut it into sheets or scale it down",
            kind="too_large",
        )


def _refuse_frames(image: ImageFile.ImageFile, name: str) -> None:
    if getattr(image, "is_animated", False):
        raise BadImage(
            f"{name}: expected one still image, found an animation or a stack; export single frames",
            kind="not_an_image",
        )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
