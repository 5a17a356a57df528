"""Sheets in object storage: the same rows as from the same files in a folder, by a local S3 server."""

import errno
import json
import sys
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.runtime.scan.object_store import BUCKET, serve_objects, upload

from steelsight.errors import BadSource
from steelsight.runtime.engine.reading import ImageRefused
from steelsight.runtime.scan import run as scan_module
from steelsight.runtime.scan.objects.address import ObjectAddress
from steelsight.runtime.scan.objects.faults import ObjectFault
from steelsight.runtime.scan.objects.ranged_file import ObjectFile
from steelsight.runtime.scan.objects.spool import KeySpool
from steelsight.runtime.scan.objects.store import ObjectStore
from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.sources import SourceReader, SourceWalk, list_sources, source_id


@pytest.fixture
def served(monkeypatch):
    with serve_objects(monkeypatch) as (client, troubles):
        yield client, troubles


@pytest.fixture
def mill(tmp_path):
    """Photographs, some with masks, other files, hidden ones, a result of ours, and bad images."""
    folder, rng = tmp_path / "mill", np.random.default_rng(0)
    for name in ("c1/a.jpg", "c1/b.png", "c2/a.jpg", "c2/deep/x.PNG", "z.jpg", "c1/a-0.jpg"):
        save(folder / name, rng.integers(0, 255, (64, 96)))
    for name in ("c1/a.png", "c1/b_mask.png", "masks/z.png"):
        save(folder / name, np.pad(np.full((20, 20), 255), ((4, 40), (6, 70))))
    texts = ("c1/notes.txt", "c2/t.csv", "README.md", "c2/.hidden.jpg", ".trash/a.jpg", "Thumbs.db")
    for name in (*texts, "run/scan.json", "run/figure.jpg", "bad/letter.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("a letter")
    (folder / "bad/empty.jpg").write_bytes(b"")
    (folder / "bad/cut.jpg").write_bytes((folder / "z.jpg").read_bytes()[:700])
    return folder


def save(path, gray):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(gray.astype(np.uint8)).save(path)


def scan(bundle, source, out, **more):
    options = {key: more.pop(key) for key in ("heatmaps", "fresh") if key in more}
    return scan_module.scan(bundle, [source], out, ScanOptions(page=False, **options), **more)


def rows_of(out, prefix):
    """Rows, their names without the prefix."""
    rows = pa.concat_tables(pq.read_table(path) for path in sorted((out / "verdicts").iterdir())).to_pylist()
    return [{**row, "name": row["name"].removeprefix(str(prefix))} for row in rows]


def told(walk, prefix):
    return {(each.id.removeprefix(str(prefix)).strip("/."), each.reason) for each in walk.passed_over}


def test_a_prefix_is_scanned_as_the_folder_of_the_same_files(served, mill, make_bundle, tmp_path):
    upload(served[0], mill, "line/3/")
    bundle, source = make_bundle(), f"s3://{BUCKET}/line/3/"
    scan(bundle, mill, tmp_path / "local", heatmaps=True)
    report = scan(bundle, source, tmp_path / "stored", heatmaps=True)
    local = rows_of(tmp_path / "local", f"{mill}/")
    assert local == rows_of(tmp_path / "stored", source)
    assert [row["name"] for row in local][:3] == ["bad/cut.jpg", "bad/empty.jpg", "bad/letter.jpg"]
    assert {"c1/a.png", "c1/b_mask.png", "masks/z.png"}.isdisjoint(row["name"] for row in local)
    walks = SourceWalk([mill]), SourceWalk([source])
    assert [len(list(walk)) for walk in walks] == [len(local)] * 2
    assert {key for key in told(walks[0], mill) if "mask" not in key[1]} == {
        key for key in told(walks[1], source) if "mask" not in key[1]
    }
    again = scan(bundle, source, tmp_path / "stored", heatmaps=True)
    assert (again.kept, again.scanned, report.scanned, again.later) == (len(local), 0, len(local), ())
    (mill / "zz.jpg").write_bytes((mill / "z.jpg").read_bytes())
    upload(served[0], mill, "line/3/")
    assert scan(bundle, source, tmp_path / "stored", heatmaps=True).later == (f"{source}zz.jpg",)


def test_worker_processes_read_by_the_same_environment(served, mill, make_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(scan_module, "PART", 3)
    upload(served[0], mill)
    bundle, source = make_bundle(), f"s3://{BUCKET}"
    scan(bundle, mill, tmp_path / "local", workers=1)
    scan(bundle, source, tmp_path / "stored", workers=2)
    assert rows_of(tmp_path / "local", f"{mill}/") == rows_of(tmp_path / "stored", f"{source}/")


def pack(folder, kind):
    path = folder.with_suffix(f".{kind}")
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(folder.rglob("*.*g")):
                archive.write(file, file.relative_to(folder).as_posix())
    else:
        with tarfile.open(path, f"w:{kind[4:]}") as archive:
            for file in sorted(folder.rglob("*.*g")):
                archive.add(file, file.relative_to(folder).as_posix())
    return path


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz"])
def test_archives_are_read_by_ranges(served, mill, make_bundle, tmp_path, kind, monkeypatch):
    client, troubles = served
    path, bundle, source = pack(mill, kind), make_bundle(), f"s3://{BUCKET}/old/mill.{kind}"
    client.upload_file(str(path), BUCKET, f"old/mill.{kind}")
    monkeypatch.setattr("steelsight.runtime.scan.objects.ranged_file.BUFFER", 2048)
    scan(bundle, path, tmp_path / "local")
    scan(bundle, source, tmp_path / "stored")
    local = rows_of(tmp_path / "local", path)
    assert local == rows_of(tmp_path / "stored", source)
    assert len(local) > 8
    gets = [wanted for method, _, wanted in troubles.requests if method == "GET"]
    assert gets
    assert all(wanted and int(wanted.split("-")[1]) < path.stat().st_size for wanted in gets)
    client.put_object(Bucket=BUCKET, Key=f"old/mill.{kind}", Body=path.read_bytes() + b"\0" * 512)
    with pytest.raises(Exception, match="the archive was changed since the scan"):
        scan(bundle, source, tmp_path / "stored")


def test_an_archive_replaced_after_its_listing_is_refused_member_by_member(served, mill):
    client, _ = served
    source = f"s3://{BUCKET}/mill.zip"
    client.upload_file(str(pack(mill, "zip")), BUCKET, "mill.zip")
    sheets = list_sources([source]).sheets
    reader = SourceReader()
    reader.read(sheets[0])
    client.put_object(Bucket=BUCKET, Key="mill.zip", Body=b"other")
    reader.close()
    with pytest.raises(ImageRefused, match="changed since it was listed"):
        reader.read(sheets[1])
    reader.close()


def test_single_objects_and_repeated_sources_are_listed_once(served, mill):
    upload(served[0], mill)
    root = f"s3://{BUCKET}"

    def names(*sources):
        return [sheet.name.removeprefix(f"{root}/") for sheet in list_sources(sources).sheets]

    assert names(f"{root}/z.jpg") == ["z.jpg"]
    assert names(f"{root}/c1/a.png") == ["c1/a.png"]  # named by itself: no mask
    assert names(f"{root}/c2") == names(f"{root}/c2/") == ["c2/a.jpg", "c2/deep/x.PNG"]
    assert names(f"{root}/c2/deep", f"{root}/c2", f"{root}/z.jpg", f"{root}/z.jpg") == [
        "c2/deep/x.PNG",
        "c2/a.jpg",
        "z.jpg",
    ]
    assert names(f"{root}/c2/", mill / "z.jpg")[2] == str(mill / "z.jpg")
    assert source_id(f"{root}/c2/") == f"{root}/c2/"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("s3://nowhere/x/", "s3://nowhere/x/: there is no such bucket"),
        ("s3://nowhere/x.jpg", "s3://nowhere/x.jpg: there is no such bucket"),
        ("s3://mill/none/", "expected at least one image to scan, found none"),
        ("s3://mill/none.jpg", "found none; check the address"),
        ("s3://mill/*.jpg", r"\* and \? are no patterns"),
        ("s3://mill/notes.txt", "got an object that is none of them"),
        ("s3://", "got no bucket name"),
        ("s3:///key", "got no bucket name"),
        ("s3://a b/key", "got no bucket name"),
        ("s3://mill/" + "k" * 1025, "a key of at most 1024 bytes, got 1025"),
        ("s3://mill/\udcff", "a key in UTF-8"),
    ],
)
def test_unusable_addresses_are_refused_in_one_line(served, source, words):
    served[0].put_object(Bucket=BUCKET, Key="notes.txt", Body=b"x" * 2000)
    with pytest.raises(BadSource, match=words) as caught:
        list_sources([source])
    assert "\n" not in str(caught.value)


def test_hostile_keys_are_labels(served, make_bundle, tmp_path):
    client, _ = served
    good = tmp_path / "good.png"
    save(good, np.random.default_rng(0).integers(0, 255, (64, 96)))
    keys = [
        "a//b.png",
        "/etc/x.png",
        "%2e%2e/c.png",
        "a+b c.png",
        "\x1b[2J.png",
        "<b>.png",
        "ü" * 500 + ".png",
    ]
    for key in (*keys, "../up.png"):
        client.put_object(Bucket=BUCKET, Key=key, Body=good.read_bytes())
    client.put_object(Bucket=BUCKET, Key="folder/", Body=b"")
    client.put_object(Bucket=BUCKET, Key="image.png/", Body=b"")
    out = tmp_path / "out"
    report = scan_module.scan(make_bundle(), [f"s3://{BUCKET}/"], out)
    assert {row["name"] for row in rows_of(out, f"s3://{BUCKET}/")} == set(keys)
    assert report.summary.states["bad_image"] == 0
    page = (out / "report.html").read_text()
    assert "<b>.png" not in page
    assert [each["reason"] for each in json.loads((out / "scan.json").read_text())["passed_over"]] == [
        "hidden"  # `..`, as every name that begins with a dot
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "good.png", "out"]


class Pages:
    """Stands for a client whose store holds some keys."""

    def __init__(self, *pages):
        self.pages = pages

    def get_paginator(self, name):
        assert name == "list_objects_v2"
        return self

    def paginate(self, Bucket, Prefix):
        for page in self.pages:
            yield (
                {"Contents": [{"Key": key, "Size": 9} for key in page if key.startswith(Prefix)]}
                if page
                else {}
            )

    def close(self):
        pass


def test_keys_of_every_character_and_unsorted_stores_are_listed():
    keys = ["b\n.jpg", "a\r\n.jpg", "\x1b[31m.jpg", "b.jpg", "c\0.jpg", "d\u2028.jpg"]
    walk = SourceWalk(["s3://mill/"], ObjectStore(client=Pages(keys[:3], [], keys[3:])))
    assert [sheet.path for sheet in walk] == [f"s3://mill/{key}" for key in sorted(keys)]


def test_a_spool_gives_back_its_keys_and_sorts_them():
    spool = KeySpool()
    for key in ("b", "", "a\n", "a\n", "ü" * 400):
        spool.add(key)
    assert (list(spool), len(spool), spool.is_sorted) == (["b", "", "a\n", "a\n", "ü" * 400], 5, False)
    spool.sort()
    assert (list(spool), spool.is_sorted) == (["", "a\n", "b", "ü" * 400], True)
    spool.close()


def test_an_object_reads_and_seeks_as_a_file(served, monkeypatch):
    content = np.random.default_rng(0).bytes(10_000)
    served[0].put_object(Bucket=BUCKET, Key="x", Body=content)
    monkeypatch.setattr("steelsight.runtime.scan.objects.ranged_file.BUFFER", 512)
    monkeypatch.setattr("steelsight.runtime.scan.objects.ranged_file.MAX_RANGE", 3000)
    store = ObjectStore()
    with ObjectFile(store, ObjectAddress(BUCKET, "x")) as file:
        assert file.seekable()
        assert file.read() == content
        assert (file.seek(-10, 2), file.read(), file.read(5)) == (9990, content[-10:], b"")
        assert (file.seek(100), file.read(7000), file.tell()) == (100, content[100:7100], 7100)
        assert (file.seek(20_000), file.read(9)) == (20_000, b"")
        with pytest.raises(ValueError, match="before the start"):
            file.seek(-1)
        served[0].put_object(Bucket=BUCKET, Key="x", Body=b"other" * 2000)
        file.seek(0)
        with pytest.raises(ObjectFault, match="changed since it was listed") as caught:
            file.read(10)
        assert caught.value.errno == errno.ESTALE
    store.close()


def test_the_extra_is_named_where_the_sdk_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(
        BadSource, match=r"needs boto3, which is not installed; pip install 'steelsight\[s3\]'"
    ):
        list_sources(["s3://mill/x/"])


def test_the_sdk_is_imported_for_object_storage_alone(mill):
    import subprocess

    program = f"""
import sys
from steelsight.runtime.scan.sources import SourceReader, list_sources
reader = SourceReader()
for sheet in list_sources([{str(mill)!r}]).sheets[3:]:
    reader.read(sheet)
print([name for name in sys.modules if name.startswith(("boto", "urllib3"))])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_images_are_read_ahead_and_large_ones_when_their_turn_comes(served, tmp_path, monkeypatch):
    client, troubles = served
    monkeypatch.setattr("steelsight.runtime.scan.objects.reading.MOST_AHEAD", 1000)
    contents = {f"{number:02d}.jpg": bytes([number]) * (900 + 20 * number) for number in range(20)}
    for key, content in contents.items():
        client.put_object(Bucket=BUCKET, Key=key, Body=content)
    sheets = list_sources([f"s3://{BUCKET}/"]).sheets
    client.delete_object(Bucket=BUCKET, Key="07.jpg")
    troubles.rule = lambda method, path: ("stall", 0.2)
    reader, found = SourceReader(), {}
    reader.expect(sheets)
    for sheet in sheets[:3] + sheets[5:]:  # some of them are not asked for
        try:
            found[sheet.path[-6:]] = reader.read(sheet)
        except ImageRefused as error:
            found[sheet.path[-6:]] = error.reason.value
    assert found == {key: content for key, content in contents.items() if key not in ("03.jpg", "04.jpg")} | {
        "07.jpg": "missing"
    }
    assert troubles.most_open > 1
    reader.expect(sheets[:4])
    reader.expect(sheets[10:12])  # the first are forgotten
    assert reader.read(sheets[0]) == contents["00.jpg"]
    assert reader.read(sheets[11]) == contents["11.jpg"]
    reader.close()
