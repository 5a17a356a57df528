"""Archives made to exhaust or confuse their reader: each is one refused source, and the others go on."""

import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile

import pytest
from PIL import Image

from steelsight.errors import BadSource
from steelsight.runtime.scan.archives import guarded_stream, tar_headers
from steelsight.runtime.scan.archives.guarded_stream import GuardedStream
from steelsight.runtime.scan.sources import list_sources


def header(name=b"x.jpg", kind=b"0", size=b"%011o\0" % 0, tail=b""):
    """One block of a tar's header with a correct checksum."""
    block = bytearray(512)
    block[: len(name)] = name
    block[124:136] = size.ljust(12, b"\0")
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[482 : 482 + len(tail)] = tail
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def extended(kind, content):
    padded = content.ljust(-(-len(content) // 512) * 512, b"\0")
    return header(b"././@LongLink", kind, b"%011o\0" % len(content)) + padded


def pax(**records):
    content = b""
    for key, value in records.items():
        body = f" {key.replace('_', '.')}={value}\n".encode()
        length = len(body) + 1
        while len(str(length)) + len(body) != length:
            length += 1
        content += str(length).encode() + body
    return content


END = b"\0" * 1024
GOOD = header(b"good.jpg", size=b"%011o\0" % 3) + b"abc".ljust(512, b"\0")
DIGITS = b"1" * 2**19
TARS = {
    "chain of long names": extended(b"L", b"n" * 100) * 2000 + GOOD + END,
    "chain of pax headers": extended(b"x", pax(comment="c")) * 2000 + GOOD + END,
    "chain of global headers": extended(b"g", pax(comment="c")) * 2000 + GOOD + END,
    "negative size": header(size=b"\xff" * 12) + END,
    "huge size": header(size=b"\x80" + b"\x7f" * 11) + END,
    "size of 2^63": header(size=b"\x80" + (2**63).to_bytes(11, "big")) + END,
    "negative pax size": extended(b"x", pax(size="-512")) + GOOD + END,
    "huge pax size": extended(b"x", pax(size="9" * 30)) + GOOD + END,
    "digits without end": extended(b"x", DIGITS) + GOOD + END,
    "digits before a charset": extended(b"x", DIGITS + b" hdrcharset") + GOOD + END,
    "a record longer than its header": extended(b"x", b"999999 path=a\n") + GOOD + END,
    "a record of length 0": extended(b"x", b"0 path=a\n") + GOOD + END,
    "holes without end": header(kind=b"S", tail=b"\1") + (b"\0" * 504 + b"\1" + b"\0" * 7) * 3,
    "letters as size": header(size=b"zzzzzz") + END,
    "wrong checksum": header()[:148] + b"0000000\0" + header()[156:] + END,
}


@pytest.mark.parametrize("attack", TARS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_tar_that_cannot_be_walked_is_one_refused_source(tmp_path, attack, packed):
    content = TARS[attack]
    bad = tmp_path / "bad.tar"
    bad.write_bytes(gzip.compress(content) if packed else content)
    Image.new("L", (9, 9)).save(tmp_path / "fine.png")
    tracemalloc.start()
    sheets = list_sources([bad, tmp_path / "fine.png"]).sheets
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [sheet.name.rpartition("/")[2] for sheet in sheets] == ["bad.tar:", "fine.png"]
    assert sheets[0].reason == "damaged"
    assert sheets[0].detail.startswith("damaged or cut off here")
    assert peak < 2**24
    with pytest.raises(BadSource, match="damaged or cut off here"):
        list_sources([bad])


def test_pax_sparse_maps_are_not_read(tmp_path):
    """The standard library reads such a map without end where the file ends in it."""
    sparse = extended(b"x", pax(GNU_sparse_major=1, GNU_sparse_minor=0, GNU_sparse_name="s.jpg"))
    body = header(b"GNUSparseFile.0/s.jpg", size=b"%011o\0" % 512) + b"99999999999999999999\n".ljust(
        512, b"1"
    )
    path = tmp_path / "x.tar"
    path.write_bytes(sparse + body + GOOD + END)
    sheets = list_sources([path]).sheets
    assert [(sheet.name.rpartition(":")[2], sheet.reason) for sheet in sheets] == [
        ("s.jpg", "unsafe"),
        ("good.jpg", None),
    ]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_headers_are_read_as_by_the_standard_library(tmp_path, form):
    path = tmp_path / "x.tar"
    names = ["a.jpg", "deep/" * 30 + "b.jpg", "c" * 90 + "/" + "d" * 90, "folder/"]
    names += [] if form == tarfile.USTAR_FORMAT else ["é" * 120 + ".jpg", "caf\udce9.jpg", "x" * 300]
    with tarfile.open(path, "w", format=form) as archive:
        for number, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size = 0 if name.endswith("/") else 700 * number
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            info.mtime = 0.5 if form == tarfile.PAX_FORMAT else 0
            archive.addfile(info, io.BytesIO(b"z" * info.size))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"special{kind!r}")
            info.type, info.linkname = kind, "l" * 150 if form != tarfile.USTAR_FORMAT else "l"
            archive.addfile(info)
    with path.open("rb") as file, tarfile.open(path) as archive:
        found = list(tar_headers.iterate_headers(GuardedStream(file, "tar", path.stat().st_size)))
        expected = archive.getmembers()
    assert [(each.name, each.size, each.is_folder, each.is_plain) for each in found] == [
        (info.name, info.size, info.isdir(), info.isreg()) for info in expected
    ]
    assert [each.offset for each in found if each.is_plain] == [
        info.offset_data for info in expected if info.isreg()
    ]


def pack_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a.jpg", "b.jpg"):
            archive.writestr(name, b"content")
    return bytearray(path.read_bytes())


def zip64_offset(data):
    """The place of the first file as 2^63, in an extra field of 64 bits."""
    at = data.index(b"PK\1\2")
    struct.pack_into("<L", data, at + 42, 2**32 - 1)
    struct.pack_into("<H", data, at + 30, 12)
    data[at + 46 + 5 : at + 46 + 5] = struct.pack("<HHQ", 1, 8, 2**63)
    end = data.index(b"PK\5\6")
    struct.pack_into("<L", data, end + 12, struct.unpack_from("<L", data, end + 12)[0] + 12)
    return data


def zip64_end(data):
    """The record of the list's place at an offset beyond 2^63."""
    end = data.index(b"PK\5\6")
    data[end:end] = struct.pack("<4sLQL", b"PK\6\7", 0, 2**63 + 5, 1)
    return data


def large_list(data):
    struct.pack_into("<L", data, data.index(b"PK\5\6") + 12, 2**26)
    return data


def negative_start(data):
    struct.pack_into("<L", data, data.index(b"PK\5\6") + 16, 2**31)
    return data


@pytest.mark.parametrize("attack", [zip64_offset, zip64_end, large_list, negative_start])
def test_a_zip_of_impossible_places_does_not_end_the_others(tmp_path, attack):
    path = tmp_path / "bad.zip"
    path.write_bytes(attack(pack_zip(path)))
    Image.new("L", (9, 9)).save(tmp_path / "fine.png")
    sheets = list_sources([path, tmp_path / "fine.png"]).sheets
    assert sheets[0].reason == "damaged"
    assert sheets[-1].name.endswith("fine.png")
    assert sheets[-1].reason is None


def test_a_bomb_matched_by_a_pattern_does_not_refuse_the_files_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(guarded_stream, "FREE", 2**18)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("bomb.jpg")
        info.size = 2**22
        archive.addfile(info, io.BytesIO(b"\0" * info.size))
    Image.new("L", (9, 9)).save(tmp_path / "b.png")
    pack_zip(tmp_path / "c.zip")
    sheets = list_sources([f"{tmp_path}/*"]).sheets
    assert [sheet.name.removeprefix(f"{tmp_path}/") for sheet in sheets] == [
        "a.tar.gz",
        "b.png",
        "c.zip:a.jpg",
        "c.zip:b.jpg",
    ]
    assert [sheet.reason for sheet in sheets] == ["too_large", None, None, None]
    assert "unpack it yourself" in sheets[0].detail


def test_too_many_entries_of_a_zip_are_refused_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(guarded_stream, "MAX_MEMBERS", 1)
    path = tmp_path / "x.zip"
    pack_zip(path)
    with pytest.raises(BadSource, match="more than the 1 files allowed"):
        list_sources([path])


def test_hidden_files_of_an_archive_are_named(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a.jpg", "..evil/b.jpg", ".hidden/c.jpg"):
            archive.writestr(name, b"1")
    listing = list_sources([path])
    assert [sheet.name for sheet in listing.sheets] == [f"{path}:a.jpg"]
    assert [each.reason for each in listing.passed_over] == ["2 file(s) passed over: hidden"]
