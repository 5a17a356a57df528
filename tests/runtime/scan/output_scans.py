"""Scans into the bucket of `object_store`, for the tests of outputs."""

from contextlib import closing

import numpy as np
import pytest
from PIL import Image
from tests.runtime.scan.object_store import BUCKET

from steelsight.runtime.engine.engine import open_engine
from steelsight.runtime.scan import run as scan_module
from steelsight.runtime.scan.job import FinishedPart
from steelsight.runtime.scan.objects.store import StoreLimits
from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.part_scanner import PartScanner
from steelsight.runtime.scan.parts import write_part

QUICK = StoreLimits(connect_s=2.0, read_s=2.0, attempts=3, pause_s=0.01, most_pause_s=0.05)
OUT = f"s3://{BUCKET}/results/line3"
PARTS = 5  # of PER_PART sheets, the last one shorter
PER_PART = 4
SHEETS = PER_PART * PARTS - 1  # one of them no image


def draw_sheets(folder):
    """Sheets of PARTS parts."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(SHEETS - 1):
        gray = rng.integers(0, 255, (64, 96)).astype(np.uint8)
        Image.fromarray(gray).save(folder / f"{number:02d}.png")
    (folder / "bad.png").write_bytes(b"no image")
    return folder


def scan(bundle, source, out, **more):
    """A scan without a page, unless one is asked for."""
    options = {key: more.pop(key) for key in ("heatmaps", "fresh", "page", "partition") if key in more}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan_module, "open_engine", opened_engine)
        return scan_module.scan(bundle, [source], out, ScanOptions(**{"page": False} | options), **more)


_ENGINES = {}


def opened_engine(bundle, name, *, threads, batch):
    """The engine of equal bundles, opened once."""
    key = (bundle.card.model_dump_json(), name, threads, batch)
    if key not in _ENGINES:
        _ENGINES[key] = open_engine(bundle, name, threads=threads, batch=batch)
    return _ENGINES[key]


def here(job):
    """Scan parts in this process, which is quicker than starting others."""
    engine = opened_engine(job.bundle, job.options.engine, threads=1, batch=job.options.batch)
    with closing(PartScanner(job.bundle, engine, job.rows)) as scanner:
        for number in job.parts:
            sheets = job.plan.part(number)
            write_part(job.out, number, scanner(number, sheets))
            yield FinishedPart(number, len(sheets))


def stored(client, prefix="results/line3/"):
    """Content by name of every object below the prefix."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    return {
        key.removeprefix(prefix): client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys
    }


def in_folder(out):
    """Content by name of every file below a folder."""
    files = (path for path in sorted(out.rglob("*")) if path.is_file())
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def times_written(troubles):
    """How often each part was written, in order."""
    ends = [f"/line3/verdicts/part-{part:05d}.parquet" for part in range(PARTS)]
    return [sum(path.endswith(end) for path in troubles.written) for end in ends]
