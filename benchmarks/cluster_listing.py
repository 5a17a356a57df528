"""How much memory a listing of very many objects and a very large plan need, and how fast parts are given.

    python benchmarks/cluster_listing.py [--keys 1000000] [--sheets 10000000] [--folder DIR]

The store is a stub that pages as S3 does, so that the listing and the plan are measured and no server. Every
measure runs in a process of its own, whose peak of resident memory is told, with that of the process before
the measure beside it.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from steelsight.runtime.scan.objects.store import ObjectStore
from steelsight.runtime.scan.plan import PART, open_plan, write_plan
from steelsight.runtime.scan.planned_files import PlannedFiles
from steelsight.runtime.scan.sources import PlannedSheet, SourceWalk

PAGE = 1000  # keys, as S3 pages
DRAWN = 4000  # parts


class PagingStub:
    """A client whose bucket holds so many images of coils, in pages."""

    def __init__(self, keys: int) -> None:
        self.keys = keys

    def get_paginator(self, _name: str) -> PagingStub:
        """Itself."""
        return self

    def paginate(self, **wanted: str) -> Iterator[dict[str, Any]]:
        """Pages of keys below the prefix, sorted; each with the fields of an answer of S3."""
        for start in range(0, self.keys, PAGE):
            numbers = range(start, min(start + PAGE, self.keys))
            yield {"Contents": [_entry(f"{wanted['Prefix']}{key_of(number)}") for number in numbers]}

    def close(self) -> None:
        """Nothing is open."""


def key_of(number: int) -> str:
    """The key of an image: 5,000 a coil, in two cameras."""
    coil, sheet = divmod(number, 5000)
    camera, sheet = divmod(sheet, 2500)
    return f"coil{coil:06d}/cam{camera}/{sheet:06d}.jpg"


def _entry(key: str) -> dict[str, Any]:
    return {
        "Key": key,
        "Size": 52_000,
        "ETag": '"0123456789abcdef0123456789abcdef"',
        "StorageClass": "STANDARD",
    }


def list_keys(folder: Path, count: int) -> dict[str, Any]:
    """Stream a listing into a plan; the SDK is loaded, so that its memory counts too."""
    import boto3

    loaded = boto3.session.Session().client("s3", region_name="us-east-1")
    started = time.perf_counter()
    plan = write_plan(folder, SourceWalk(["s3://mill/line3/"], ObjectStore(client=PagingStub(count))), PART)
    seconds = time.perf_counter() - started
    loaded.close()
    return {"objects": plan.sheets, "seconds": seconds}


def resume(folder: Path, count: int) -> dict[str, Any]:
    """What a scan that goes on does: the listing again, each object looked up in the plan."""
    started = time.perf_counter()
    planned = PlannedFiles(open_plan(folder))
    walk = SourceWalk(["s3://mill/line3/"], ObjectStore(client=PagingStub(count + 5)))
    later = sum(sheet not in planned for sheet in walk)
    return {"later": later, "seconds": time.perf_counter() - started}


def write_large(folder: Path, count: int) -> dict[str, Any]:
    """Write a plan of so many sheets."""
    started = time.perf_counter()
    names = (f"s3://mill/line3/{key_of(number)}" for number in range(count))
    plan = write_plan(folder, (PlannedSheet(i, name, name) for i, name in enumerate(names)), PART)
    return {
        "parts": plan.parts,
        "megabytes": plan.path.stat().st_size / 1e6,
        "seconds": time.perf_counter() - started,
    }


def hand_out(folder: Path, _count: int) -> dict[str, Any]:
    """Open a plan and take parts of it: their rows, as a cluster's driver sends them, and their sheets."""
    started = time.perf_counter()
    plan = open_plan(folder)
    opened = time.perf_counter() - started
    rng, facts = random.Random(0), {"open_s": opened}
    for name, take in (("rows", plan.rows), ("sheets", plan.part)):
        numbers = [rng.randrange(plan.parts) for _ in range(DRAWN)]
        wall, processor = time.perf_counter(), time.process_time()
        for number in numbers:
            take(number)
        facts[f"{name}_parts_per_s"] = DRAWN / (time.perf_counter() - wall)
        facts[f"{name}_parts_per_processor_s"] = DRAWN / (time.process_time() - processor)
    return facts


MEASURES = {each.__name__: each for each in (list_keys, resume, write_large, hand_out)}


def peak_mb() -> float:
    """The peak of this process's resident memory in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def measure(name: str, folder: Path, count: int) -> dict[str, Any]:
    """Run a measure in a process of its own."""
    command = [sys.executable, __file__, "--measure", name, "--folder", str(folder), "--keys", str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def main() -> None:
    """Print one line a measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keys", type=int, default=1_000_000, help="Objects that are listed.")
    parser.add_argument("--sheets", type=int, default=10_000_000, help="Sheets of the large plan.")
    parser.add_argument("--folder", type=Path, help="Where the plans are written.")
    parser.add_argument("--measure", choices=sorted(MEASURES), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        before = peak_mb()
        facts = MEASURES[given.measure](given.folder, given.keys)
        print(
            json.dumps(
                {**facts, "processor_s": time.process_time(), "before_mb": before, "peak_mb": peak_mb()}
            )
        )
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for name in MEASURES:
            count = given.sheets if name in ("write_large", "hand_out") else given.keys
            print(name, json.dumps({k: round(v, 1) for k, v in measure(name, Path(folder), count).items()}))


if __name__ == "__main__":
    main()
