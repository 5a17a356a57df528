"""Mutated archives, parts and JPEGs by the thousand: a refusal with its reason, and the others go on."""

import gzip
import io
import random
import re
import resource
import tarfile
import time
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from steelsight.errors import BadImage
from steelsight.runtime.engine.reading import ImageRefused
from steelsight.runtime.scan.sealed_parquet import read_sealed, seal_table
from steelsight.runtime.scan.sources import SourceReader, list_sources
from steelsight.sheets.images import axis_weights
from steelsight.sheets.images.pixels import read_sheet
from steelsight.types import InputSpec

pytestmark = pytest.mark.long

PATIENCE_S = 10.0  # for one case: a hang, not a slow machine
HARMFUL = (b"\xff" * 8, b"\0" * 8, b"\x80" + b"\0" * 7, b"7" * 11, b"\x7f" + b"\xff" * 7)


def _archives():
    content = {
        "a/one.jpg": b"first" * 300,
        "b/two.png": b"second",
        "long" * 60 + ".jpg": b"third",
        "é.jpg": b"",
    }
    found = []
    for mode, form in (
        ("w", tarfile.GNU_FORMAT),
        ("w", tarfile.PAX_FORMAT),
        ("w", tarfile.USTAR_FORMAT),
        ("w:xz", tarfile.PAX_FORMAT),
        ("w:bz2", tarfile.GNU_FORMAT),
    ):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode=mode, format=form) as archive:
            for name, data in content.items():
                info = tarfile.TarInfo(name if form != tarfile.USTAR_FORMAT else name[-90:])
                info.size, info.mtime = len(data), 0.5 if form == tarfile.PAX_FORMAT else 0
                archive.addfile(info, io.BytesIO(data))
        found.append(packed.getvalue())
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", method) as archive:
            for name, data in content.items():
                with archive.open(
                    zipfile.ZipInfo(name), "w", force_zip64=method == zipfile.ZIP_STORED
                ) as file:
                    file.write(data)
        found.append(packed.getvalue())
    return found


def _with_checksums(data):
    """The headers of a tar with checksums that fit, as an attacker would make them."""
    for at in range(0, len(data) - 511, 512):
        if data[at + 257 : at + 262] == b"ustar":
            data[at + 148 : at + 156] = b" " * 8
            data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
    return data


def _mutate(content, rng):
    data = bytearray(content)
    places = [match.start() for match in re.finditer(b"ustar|PK[\1\3\5\6]", content)] or [0]
    for _ in range(rng.randint(1, 5)):
        base = rng.choice(places) + rng.randint(-260, 250)
        at = min(max(base, 0), len(data) - 1) if rng.random() < 0.8 else rng.randrange(len(data))
        match rng.randrange(6):
            case 0 | 1:
                data[at] = rng.randrange(256)
            case 2:
                harm = rng.choice(HARMFUL)
                data[at : at + len(harm)] = harm
            case 3:
                del data[at + 1 :]
            case 4:  # repeat a block
                start = at - at % 512
                data[start:start] = data[start : start + 512] * rng.choice((1, 2, 40))
            case 5:
                data[at : at + 1] = rng.choice((b"L", b"x", b"g", b"K", b"S", b"0"))
    mutated = bytes(_with_checksums(data) if rng.random() < 0.8 else data)
    return gzip.compress(mutated, 1) if b"ustar" in mutated and rng.random() < 0.3 else mutated


def test_mutated_archives_are_rows_and_the_other_source_goes_on(tmp_path, record_attack):
    seeds, bad, fine = _archives(), tmp_path / "bad", tmp_path / "fine.png"
    Image.new("L", (9, 9)).save(fine)
    counts, slowest, cases = dict.fromkeys(("read", "refused"), 0), 0.0, 40_000
    for case in range(cases):
        rng = random.Random(case)
        content = _mutate(rng.choice(seeds), rng)
        bad.with_suffix(".tar").write_bytes(content)
        start = time.perf_counter()
        reader = SourceReader()
        sheets = list_sources([f"{tmp_path}/bad.t*", fine]).sheets
        assert sheets[-1].path == str(fine), f"case {case}"
        for sheet in sheets[:-1]:
            try:
                reader.read(sheet)
                counts["read"] += 1
            except ImageRefused:
                counts["refused"] += 1
        reader.close()
        slowest = max(slowest, time.perf_counter() - start)
    assert slowest < PATIENCE_S
    assert min(counts.values()) > cases / 10
    record_attack(
        "archives",
        "tar (GNU, pax, ustar; gz, bz2, xz) and zip with mutated headers, checksums made to fit",
        cases,
        f"no error but a row with its reason, the other source scanned; {counts['refused']:,} files refused, "
        f"{counts['read']:,} read; slowest {slowest:.1f} s",
    )


def test_every_flipped_bit_of_a_part_is_refused(tmp_path, record_attack):
    rng = np.random.default_rng(0)
    columns = {
        "index": np.arange(200),
        "name": [f"line/{number}.jpg" for number in range(200)],
        "state": ["decided", "doubtful"] * 100,
        "probability": rng.random(200),
        "probabilities": rng.random((200, 3)).tolist(),
    }
    content, path = seal_table(pa.table(columns), dictionary=["state"]), tmp_path / "part.parquet"
    bits = range(0, 8 * len(content), max(1, 8 * len(content) // 20_000))
    for bit in bits:
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(pa.ArrowInvalid, match="checksum"):
            read_sealed(path)
    record_attack("scans", "one flipped bit in a Parquet part", len(bits), "every one refused")


def test_a_thousand_sizes_of_long_images_keep_little_memory(record_attack):
    spec = InputSpec()
    read_sheet(_png(1600, 256), spec)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(1000):
        read_sheet(_png(100_003 + number, 16), spec)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    kept = sum(each.nbytes for each in axis_weights._weights.values())
    assert kept <= axis_weights.MAX_KEPT
    assert grown < 64
    record_attack(
        "images", "PNG of 100,003x16 to 101,002x16", 1000, f"peak memory grows by {grown:.0f} MiB in all"
    )


def _png(width, height):
    packed = io.BytesIO()
    Image.new("L", (width, height), 90).save(packed, "PNG")
    return packed.getvalue()


def test_scans_of_a_jpeg_are_bounded(record_attack):
    gray = np.random.default_rng(0).integers(0, 256, (256, 1600), dtype=np.uint8)
    packed = io.BytesIO()
    Image.fromarray(gray).save(packed, "JPEG", progressive=True)
    content = packed.getvalue()
    starts = [match.start() for match in re.finditer(rb"\xff\xda", content)]
    slowest, refused, cases = 0.0, 0, 0
    for start in starts:
        end = start + 2 + re.search(rb"\xff[^\0\xd0-\xd7]", content[start + 2 :]).start()
        for repeats in (1, 10, 50, 90, 200, 8000):
            cases += 1
            case = content[:end] + content[start:end] * min(repeats, 2**26 // (end - start)) + content[end:]
            begin = time.perf_counter()
            try:
                read_sheet(case, InputSpec())
            except BadImage:
                refused += 1
            slowest = max(slowest, time.perf_counter() - begin)
    assert refused
    assert slowest < PATIENCE_S
    record_attack(
        "images",
        "progressive JPEG with a scan repeated up to 8,000 times",
        cases,
        f"{refused} refused by their scans, the others read; slowest {slowest:.1f} s",
    )
