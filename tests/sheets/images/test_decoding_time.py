"""Small files that ask for much work are refused, by their scans or by the time they take."""

import io
import re
import zlib

import numpy as np
import pytest
from PIL import Image

from steelsight.errors import BadImage
from steelsight.sheets.images import decoding_time
from steelsight.sheets.images.pixels import read_gray, read_sheet
from steelsight.types import InputSpec


def progressive(scans, *, size=(64, 400)):
    """A progressive JPEG whose first scan is repeated until there are so many."""
    gray = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    packed = io.BytesIO()
    Image.fromarray(gray).save(packed, "JPEG", progressive=True, quality=50)
    content = packed.getvalue()
    first = content.index(b"\xff\xda")
    end = first + 2 + re.search(rb"\xff[^\0\xd0-\xd7]", content[first + 2 :]).start()
    there = content.count(b"\xff\xda")
    return content[:end] + content[first:end] * (scans - there) + content[end:]


def test_many_scans_are_refused_before_anything_is_decoded():
    assert read_gray(progressive(40)).shape == (64, 400)
    with pytest.raises(
        BadImage, match="a JPEG of 8000 scans, more than the 100 allowed for 400x64"
    ) as refused:
        read_gray(progressive(8000))
    assert refused.value.kind == "too_large"


def test_fewer_scans_are_allowed_of_more_pixels(monkeypatch):
    monkeypatch.setattr(decoding_time, "MAX_SCANNED_PIXELS", 30 * 64 * 400)
    assert read_gray(progressive(30)).shape == (64, 400)
    with pytest.raises(BadImage, match="31 scans, more than the 30 allowed"):
        read_gray(progressive(31))


@pytest.mark.parametrize("scans", [8, 200])
def test_metadata_and_a_film_behind_the_image_are_no_scans(scans):
    image = progressive(scans)
    metadata = b"\xff\xe5\xff\xfe" + (b"\xff\xda" * 2**15)[:0xFFFC]
    whole = image[:2] + metadata + b"\xff\xff" + image[2:] + b"\xff\xda" * 1000
    if scans <= decoding_time.MAX_SCANS:
        np.testing.assert_array_equal(read_gray(whole), read_gray(image))
    else:
        with pytest.raises(BadImage, match="a JPEG of 200 scans, more than the 100 allowed"):
            read_gray(whole)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF"])
def test_decoding_that_takes_too_long_is_stopped(monkeypatch, kind):
    gray = np.random.default_rng(0).integers(0, 256, (600, 900), dtype=np.uint8)
    packed = io.BytesIO()
    Image.fromarray(gray).save(packed, kind)
    expected = read_sheet(packed.getvalue(), InputSpec())
    monkeypatch.setattr(decoding_time, "SECONDS", -1.0)
    with pytest.raises(BadImage, match=r"reading it takes more than .* a megapixel") as refused:
        read_sheet(packed.getvalue(), InputSpec())
    assert refused.value.kind == "too_large"
    monkeypatch.undo()
    np.testing.assert_array_equal(read_sheet(packed.getvalue(), InputSpec()), expected)


def test_a_header_of_endless_chunks_is_stopped(monkeypatch):
    packed = io.BytesIO()
    Image.new("L", (9, 9)).save(packed, "PNG")
    content = packed.getvalue()
    chunk = b"\0\0\0\0prVt" + zlib.crc32(b"prVt").to_bytes(4, "big")
    endless = content[:33] + chunk * 200_000 + content[33:]
    clock = iter(range(10**9))
    monkeypatch.setattr(decoding_time.time, "thread_time", lambda: next(clock) / 1000)  # a read takes 1 ms
    with pytest.raises(BadImage, match=f"reading it takes more than {decoding_time.SECONDS:g} s"):
        read_gray(endless)
    assert next(clock) < 1000 * decoding_time.SECONDS + 1000
