"""Results in object storage: what a folder would hold, each part written once, by a local S3 server."""

import json

import numpy as np
import pytest
from PIL import Image
from tests.runtime.scan.object_store import BUCKET, serve_objects, upload

from steelsight.errors import BadOutput
from steelsight.runtime.scan import run as scan_module
from steelsight.runtime.scan.objects import store as store_module
from steelsight.runtime.scan.objects.store import StoreLimits
from steelsight.runtime.scan.options import ScanOptions

QUICK = StoreLimits(connect_s=2.0, read_s=2.0, attempts=4, pause_s=0.01, most_pause_s=0.05)
OUT = f"s3://{BUCKET}/results/line3"
PARTS = 5  # of PER_PART sheets, the last one shorter
PER_PART = 4


@pytest.fixture
def served(monkeypatch):
    monkeypatch.setattr(store_module, "StoreLimits", lambda: QUICK)
    monkeypatch.setattr(scan_module, "PART", PER_PART)
    with serve_objects(monkeypatch) as (client, troubles):
        yield client, troubles


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(PER_PART * PARTS - 2):
        path = tmp_path / f"in/{number:02d}.png"
        Image.fromarray(rng.integers(0, 255, (64, 96)).astype(np.uint8)).save(path)
    (tmp_path / "in/bad.png").write_bytes(b"no image")
    return tmp_path / "in"


def scan(bundle, source, out, **more):
    options = {key: more.pop(key) for key in ("heatmaps", "fresh", "page") if key in more}
    return scan_module.scan(bundle, [source], out, ScanOptions(**{"page": False} | options), **more)


def stored(client, prefix="results/line3/"):
    """Content by name of every object below the prefix."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    return {key.removeprefix(prefix): client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def in_folder(out):
    files = (path for path in sorted(out.rglob("*")) if path.is_file())
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def written(troubles, name):
    """How often the server took a write of an object below the output."""
    return sum(method == "PUT" and path.endswith(f"/line3/{name}") for method, path, _ in troubles.requests)


def test_a_bucket_holds_what_a_folder_would(served, folder, make_bundle, tmp_path):
    client, _ = served
    bundle, seen = make_bundle(), []
    report = scan(bundle, folder, OUT, workers=2, page=True, progress=lambda *done: seen.append(done))
    scan(bundle, folder, tmp_path / "local", workers=1, page=True)
    found, local = stored(client), in_folder(tmp_path / "local")
    lock = json.loads(found.pop(".lock"))
    assert lock["released"] is True
    assert set(found) == set(local) - {".lock", ".workers"}
    same = set(found) - {"report.html", "report.json"}
    assert {name: found[name] for name in same} == {name: local[name] for name in same}
    assert b"Sheets to check" in found["report.html"]
    assert sorted(total for _, total in seen) == [19] * PARTS
    assert (report.scanned, report.kept, str(report.out)) == (19, 0, OUT)
    assert str(report.page) == f"{OUT}/report.html"
    assert report.as_dict()["out"] == OUT
