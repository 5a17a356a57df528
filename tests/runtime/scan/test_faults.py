"""Troubles of the moment, odd names and flipped bits: rows are tried again, shown by one rule, or refused."""

import itertools
import json
import os
import random
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from steelsight.errors import BadOutput
from steelsight.runtime.engine.reading import ImageRefused
from steelsight.runtime.scan import run as scan_module
from steelsight.runtime.scan import sources
from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.parts import part_path, read_part
from steelsight.runtime.scan.sealed_parquet import read_sealed, seal_table
from steelsight.sheets.formats import listing
from steelsight.types import Reason

posix = pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX alone")


def scan(bundle, folder, out, **options):
    return scan_module.scan(bundle, [folder], out, ScanOptions(**options))


def put(path, level=90):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (96, 64), level).save(path, "PNG")


def rows_of(out):
    return read_part(out, 0).to_pylist()


@posix
def test_files_of_any_name_and_fault_get_a_row_and_the_others_go_on(make_bundle, tmp_path):
    folder, out = tmp_path / os.fsdecode(b"gr\xfcn"), tmp_path / os.fsdecode(b"out\xfc")
    put(folder / "a.png")
    for byte in (b"\xe8", b"\xe9"):
        put(folder / os.fsdecode(b"caf" + byte + b".png"))
    odd = [folder / os.fsdecode(name) for name in (b"d\xe9.jpg", b"f\xe9.jpg", b"n\xe9.jpg", b"o\xe9.jpg")]
    odd[0].symlink_to("nowhere")
    os.mkfifo(odd[1])
    odd[2].write_bytes(b"a letter")
    with odd[3].open("wb") as file:
        file.truncate(2**29 + 1)
    (folder / os.fsdecode(b"stray.t\xe9t")).write_text("stray")
    (folder / os.fsdecode(b"deep\xe9/.hidden")).mkdir(parents=True)
    (folder / os.fsdecode(b"deep\xe9/x.\xe9")).write_text("stray")
    bundle = make_bundle()
    for kept in (0, 7):
        report = scan(bundle, folder, out)
        assert (report.kept, report.summary.sheets) == (kept, 7)
    rows = {row["name"].rpartition("/")[2]: row for row in rows_of(out)}
    assert {name: row["reason"] for name, row in rows.items() if row["state"] == "bad_image"} == {
        r"d\xe9.jpg": "missing",
        r"f\xe9.jpg": "not_an_image",
        r"n\xe9.jpg": "not_an_image",
        r"o\xe9.jpg": "too_large",
    }
    assert {r"caf\xe8.png", r"caf\xe9.png", "a.png"} <= set(rows)
    page, table = (out / "report.html").read_text(), (out / "quarantine.csv").read_text()
    assert r"caf\xe9.png" in page
    assert r"stray.t\xe9t" in page or r".t\xe9t" in page
    assert r"d\xe9.jpg" in table
    for name in ("scan.json", "summary.json", "report.json"):
        assert r"\udc" not in (out / name).read_text()
        json.loads((out / name).read_bytes())


def test_reasons_of_the_moment_are_named_and_tried_again(make_bundle, tmp_path):
    folder, out, bundle = tmp_path / "in", tmp_path / "out", make_bundle()
    for number in range(4):
        put(folder / f"{number}.png")
    (folder / "1.png").rename(tmp_path / "away.png")
    (folder / "1.png").symlink_to(tmp_path / "there.png")
    report = scan(bundle, folder, out)
    assert (report.transient, report.as_dict()["transient"]) == (1, 1)
    assert rows_of(out)[1]["reason"] == "missing"
    assert (out / "quarantine.csv").read_text().splitlines()[0].endswith(",transient")
    assert (out / "quarantine.csv").read_text().splitlines()[1].endswith(",yes")
    assert "missing (may pass: tried again by the same scan)" in (out / "report.html").read_text()
    assert scan(bundle, folder, out).scanned == 0  # still missing: nothing to do
    (tmp_path / "away.png").rename(tmp_path / "there.png")
    again = scan(bundle, folder, out)
    assert (again.scanned, again.transient) == (4, 0)
    scan(bundle, folder, tmp_path / "whole")
    assert part_path(out, 0).read_bytes() == part_path(tmp_path / "whole", 0).read_bytes()


@pytest.mark.parametrize("where", ["read_file", "decode"])
def test_too_little_memory_is_no_property_of_an_image(make_bundle, tmp_path, monkeypatch, where):
    folder, out, bundle = tmp_path / "in", tmp_path / "out", make_bundle()
    put(folder / "a.png")
    with monkeypatch.context() as patch:

        def exhaust(*args, **options):
            raise MemoryError

        if where == "decode":
            patch.setattr("steelsight.sheets.images.pixels.to_gray", exhaust)
        else:
            patch.setattr("steelsight.runtime.engine.reading.os", SimpleNamespace(fstat=exhaust))
        assert scan(bundle, folder, out, page=False).transient == 1
    row = rows_of(out)[0]
    assert row["reason"] == "out_of_memory"
    assert "too little memory" in row["detail"]
    again = scan(bundle, folder, out, page=False)
    assert (again.scanned, again.transient) == (1, 0)


def test_a_sheet_that_changes_while_it_is_read_is_tried_again(make_bundle, tmp_path, monkeypatch):
    folder, out, bundle = tmp_path / "in", tmp_path / "out", make_bundle()
    put(folder / "a.png")
    with monkeypatch.context() as patch:

        def refuse(path):
            raise ImageRefused(Reason.CHANGED, "a.png: it was written to while it was read")

        patch.setattr(sources, "read_file", refuse)
        assert scan(bundle, folder, out, page=False).summary.reasons == {"changed": 1}
    assert scan(bundle, folder, out, page=False).scanned == 1


def test_every_flipped_bit_of_a_part_is_noticed(tmp_path):
    table = pa.table({"name": ["a", "b"], "probability": [0.25, 0.75], "state": ["decided"] * 2})
    table = table.replace_schema_metadata({"steelsight.part": "0"})
    content = seal_table(table, dictionary=["state"])
    path = tmp_path / "part.parquet"
    path.write_bytes(content)
    assert read_sealed(path).equals(table, check_metadata=True)
    assert pq.read_table(path).to_pydict() == table.to_pydict()
    assert seal_table(table, dictionary=["state"]) == content
    for bit in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(pa.ArrowInvalid, match="checksum"):
            read_sealed(path)


def test_a_part_of_flipped_bits_is_written_again(make_bundle, tmp_path):
    folder, out, bundle = tmp_path / "in", tmp_path / "out", make_bundle()
    for number in range(3):
        put(folder / f"{number}.png", level=60 * number + 40)
    scan(bundle, folder, out, page=False)
    path, rng = part_path(out, 0), random.Random(0)
    whole = path.read_bytes()
    for _ in range(10):
        flipped = bytearray(whole)
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises(BadOutput, match="damaged"):
            read_part(out, 0)
        assert scan(bundle, folder, out, page=False).rewritten == (0,)
        assert path.read_bytes() == whole


def test_a_changed_scan_json_is_refused(make_bundle, tmp_path):
    folder, out, bundle = tmp_path / "in", tmp_path / "out", make_bundle()
    put(folder / "a.png")
    (folder / "b.txt").write_text("stray")
    scan(bundle, folder, out, page=False)
    path = out / "scan.json"
    path.write_text(path.read_text().replace("1 file(s)", "2 file(s)"))
    with pytest.raises(BadOutput, match="its checksum does not match"):
        scan(bundle, folder, out, page=False)
    for content, reason in ((b"[]", "expected an object"), (b"[" * 100_000, "nested"), (b"\xff", "Decode")):
        path.write_bytes(content)
        with pytest.raises(BadOutput, match=f"expected the scan.json of this version.*{reason}"):
            scan(bundle, folder, out, page=False)
    path.unlink()
    os.mkfifo(path)  # a plain read would wait for ever
    with pytest.raises(BadOutput, match="not a regular file"):
        scan(bundle, folder, out, page=False)


def test_deep_folders_and_farms_of_links_end(tmp_path, monkeypatch):
    deep = tmp_path
    for _ in range(listing.MAX_DEPTH + 50):
        deep = deep / "d"
        deep.mkdir()
    put(deep / "far.png")
    put(tmp_path / "near.png")
    found = listing.list_images(tmp_path)
    assert found.images == ("near.png",)
    assert any("folders deep" in each.reason for each in found.unreadable)

    farm = tmp_path / "farm"
    rooms = [farm / f"room{number:02d}" for number in range(30)]
    for here, there in itertools.pairwise(rooms):
        put(here / "a.png")
        for link in ("x", "y"):  # 2^29 ways to the last
            (here / link).symlink_to(there, target_is_directory=True)
    monkeypatch.setattr(listing, "MAX_LINKED", 200)
    monkeypatch.setattr("steelsight.runtime.scan.patterns.MAX_LINKED", 200)
    found = listing.list_images(rooms[0])
    assert 0 < len(found.images) <= 201
    assert sum("no more are read" in each.reason for each in found.unreadable) == 1
    told = sources.list_sources([f"{rooms[0]}/**/*.png"])
    assert 0 < len(told.sheets) <= 201
    assert any("no more are read" in each.reason for each in told.passed_over)
