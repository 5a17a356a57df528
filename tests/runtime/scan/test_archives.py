"""Archives: read in memory, never followed outside, with limits on their content."""

import io
import os
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steelsight.errors import BadSource
from steelsight.runtime.engine.reading import ImageRefused
from steelsight.runtime.scan.archives import guarded_stream, listing
from steelsight.runtime.scan.sources import SourceReader, list_sources

CONTENT = {"a/one.jpg": b"first" * 300, "a/b/two.png": b"second", "three.JPG": b""}
TARS = {"tar": "w", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}
ZIPS = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2}


def pack_tar(path, content=CONTENT, mode="w", extra=()):
    with tarfile.open(path, mode) as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in extra:
            archive.addfile(info)
    return path


def pack_zip(path, content=CONTENT, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def read_all(path):
    """Name to content or reason."""
    reader, found = SourceReader(), {}
    for sheet in list_sources([path]).sheets:
        name = sheet.name.removeprefix(f"{path}:")
        try:
            found[name] = reader.read(sheet)
        except ImageRefused as error:
            found[name] = error.reason.value
    reader.close()
    return found


def link(name, kind=tarfile.SYMTYPE, target="/etc/passwd"):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("kind", TARS)
def test_tar_files_are_read_in_every_compression(tmp_path, kind):
    path = pack_tar(tmp_path / f"x.{kind}", mode=TARS[kind])
    assert listing.archive_kind(path) == kind
    assert read_all(path) == CONTENT
    assert list(read_all(path)) == list(CONTENT)  # their own order


@pytest.mark.parametrize("kind", ZIPS)
def test_zip_files_are_read_in_every_compression(tmp_path, kind):
    path = pack_zip(tmp_path / "x.zip", method=ZIPS[kind])
    assert read_all(path) == CONTENT
    prefixed = tmp_path / "prefixed.zip"
    prefixed.write_bytes(b"PK\3\4 not really" + path.read_bytes())
    assert read_all(prefixed) == CONTENT


@pytest.mark.parametrize("kind", TARS)
def test_members_are_found_in_any_order(tmp_path, kind):
    path = pack_tar(tmp_path / "x.any", mode=TARS[kind])
    sheets, reader = list_sources([path]).sheets, SourceReader()
    for sheet in [*reversed(sheets), *sheets]:
        assert reader.read(sheet) == CONTENT[sheet.name.removeprefix(f"{path}:")]
    reader.close()


def test_names_that_lead_outside_the_archive_are_refused(tmp_path):
    bad = {"../../x.jpg": b"1", "/etc/y.jpg": b"2", "a\\..\\z.jpg": b"3", "C:/w.jpg": b"4", "a\n.jpg": b"5"}
    for path in (pack_tar(tmp_path / "x.tar", CONTENT | bad), pack_zip(tmp_path / "x.zip", CONTENT | bad)):
        found = read_all(path)
        assert {name: found[name] for name in CONTENT} == CONTENT
        assert [value for name, value in found.items() if name not in CONTENT] == ["unsafe"] * len(bad)
    assert not (tmp_path.parent / "x.jpg").exists()


def test_links_and_devices_are_refused(tmp_path):
    extra = [link("l.jpg"), link("h.jpg", tarfile.LNKTYPE, "a/one.jpg"), link("d.jpg", tarfile.CHRTYPE)]
    found = read_all(pack_tar(tmp_path / "x.tar", extra=extra))
    assert [found[name] for name in ("l.jpg", "h.jpg", "d.jpg")] == ["unsafe"] * 3
    path = pack_zip(tmp_path / "x.zip")
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("l.jpg")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert read_all(path)["l.jpg"] == "unsafe"


def test_folders_masks_and_other_files_are_not_sheets(tmp_path):
    content = {"a.jpg": b"1", "a.png": b"2", "__MACOSX/._a.jpg": b"3", "readme.txt": b"4", "d/b.jpg": b"5"}
    for path in (pack_tar(tmp_path / "x.tar", content), pack_zip(tmp_path / "x.zip", content)):
        listing = list_sources([path])
        assert [sheet.name for sheet in listing.sheets] == [f"{path}:a.jpg", f"{path}:d/b.jpg"]
        assert "1 file(s) ending in .txt" in listing.passed_over[0].reason


@pytest.mark.parametrize("cut", [512 * 2 + 100, 512 * 4, 512 * 5 + 30])
def test_a_truncated_tar_gives_its_complete_files_and_an_error_row(tmp_path, cut):
    content = {f"{n}.jpg": bytes([n]) * 500 for n in range(4)}
    path = pack_tar(tmp_path / "x.tar", content)
    path.write_bytes(path.read_bytes()[:cut])
    found = read_all(path)
    assert found.pop("") == "damaged"
    assert found
    assert all(value in (content[name], "damaged") for name, value in found.items())


def test_a_damaged_header_in_the_middle_of_a_tar_is_reported(tmp_path):
    path = pack_tar(tmp_path / "x.tar", {f"{n}.jpg": b"x" for n in range(4)})
    data = bytearray(path.read_bytes())
    data[1024 + 100 : 1024 + 160] = b"\xff" * 60  # of the second
    path.write_bytes(data)
    assert read_all(path) == {"0.jpg": b"x", "": "damaged"}


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz"])
def test_a_truncated_compressed_tar_is_reported(tmp_path, kind):
    content = {f"{n}.jpg": os.urandom(20_000) for n in range(9)}
    path = pack_tar(tmp_path / "x.any", content, TARS[kind])
    path.write_bytes(path.read_bytes()[:100_000])
    if kind == "tar.bz2":  # one block of 900 kB holds all
        with pytest.raises(BadSource, match="damaged or cut off"):
            read_all(path)
    else:
        found = read_all(path)
        assert found[""] == "damaged"
        assert found["0.jpg"] == content["0.jpg"]


def test_a_truncated_zip_is_reported(tmp_path):
    path = pack_zip(tmp_path / "x.zip")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(BadSource, match="damaged or cut off here"):
        list_sources([path])


def test_a_zip_with_false_sizes_is_refused(tmp_path):
    path = pack_zip(tmp_path / "x.zip", {"a.jpg": b"\0" * 100_000, "b.jpg": b"fine"})
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\1\2", 0, data.rfind(b"PK\1\2"))
    struct.pack_into("<L", data, at + 24, 10)  # unpacked size of the first
    path.write_bytes(data)
    assert read_all(path) == {"a.jpg": "damaged", "b.jpg": b"fine"}


def test_an_encrypted_zip_is_refused(tmp_path):
    path = pack_zip(tmp_path / "x.zip", {"a.jpg": b"1", "b.jpg": b"2"})
    data = bytearray(path.read_bytes())
    data[data.find(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    assert read_all(path) == {"a.jpg": "unsafe", "b.jpg": b"2"}


def test_zip_bombs_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "MAX_LONE", 2**16)
    path = pack_zip(tmp_path / "x.zip", {"a.jpg": b"\0" * 2**20, "b.jpg": b"fine"})
    assert read_all(path) == {"a.jpg": "too_large", "b.jpg": b"fine"}
    monkeypatch.setattr(listing, "MAX_LONE", 2**30)
    monkeypatch.setattr(guarded_stream, "FREE", 2**18)
    with pytest.raises(BadSource, match="allowed are 200 times its size"):
        list_sources([path])


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz"])
@pytest.mark.parametrize("suffix", ["jpg", "txt"])
def test_tar_bombs_are_refused_while_they_unpack(tmp_path, monkeypatch, kind, suffix):
    monkeypatch.setattr(guarded_stream, "FREE", 2**19)
    path = pack_tar(tmp_path / "x.any", {f"a.{suffix}": b"\0" * 2**23, "b.jpg": b""}, TARS[kind])
    with pytest.raises(BadSource, match="allowed are 200 times its size"):
        list_sources([path])


def test_a_tar_header_of_excessive_size_is_refused(tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        info = tarfile.TarInfo("././@LongLink")
        info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**22
        archive.addfile(info, io.BytesIO(b"a" * 2**22))
    with pytest.raises(BadSource, match="a header of"):
        list_sources([path])


def test_too_many_or_too_large_members_are_refused(tmp_path, monkeypatch):
    path = pack_tar(tmp_path / "x.tar")
    monkeypatch.setattr(listing, "MAX_FILE_BYTES", 1000)
    assert read_all(path)["a/one.jpg"] == "too_large"
    monkeypatch.setattr(guarded_stream, "MAX_MEMBERS", 2)
    with pytest.raises(BadSource, match="more than the 2 files allowed"):
        list_sources([path])
    monkeypatch.setattr(listing, "MAX_DIRECTORY", 10)
    with pytest.raises(BadSource, match="a list of entries of"):
        list_sources([pack_zip(tmp_path / "x.zip")])


def test_a_changed_or_removed_archive_is_refused(tmp_path):
    path = pack_tar(tmp_path / "x.tar")
    sheets, reader = list_sources([path]).sheets, SourceReader()
    pack_tar(path, {"a/one.jpg": b"other"})
    with pytest.raises(ImageRefused, match="changed since it was listed"):
        reader.read(sheets[0])
    path.unlink()
    with pytest.raises(ImageRefused, match="does not exist"):
        reader.read(sheets[0])


BASES = {}


def base(kind):
    if kind not in BASES:
        path = Path(f"/tmp/steelsight-{os.getpid()}.{kind}")
        BASES[kind] = (pack_zip(path) if kind == "zip" else pack_tar(path, mode=TARS[kind])).read_bytes()
        path.unlink()
    return BASES[kind]


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["zip", "tar", "tar.gz", "tar.xz"]),
    edits=st.lists(st.tuples(st.floats(0, 0.999), st.binary(min_size=1, max_size=6)), max_size=6),
    keep=st.floats(0.1, 1),
)
def test_any_damage_gives_a_refusal_and_no_other_error(tmp_path, kind, edits, keep):
    data = bytearray(base(kind))
    for where, new in edits:
        at = int(where * len(data))
        data[at : at + len(new)] = new
    path = tmp_path / "x.any"
    path.write_bytes(data[: int(keep * len(data))])
    try:
        found = read_all(path)
    except BadSource:
        return
    assert all(isinstance(value, bytes | str) for value in found.values())
