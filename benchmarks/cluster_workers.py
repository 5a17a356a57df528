"""What the benchmarks of clusters share: a cluster on this machine, sheets, and workers that scan nothing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster

from steelsight.cluster.checks import NodeReport
from steelsight.cluster.node_scanner import ScannedPart
from steelsight.cluster.packing import unpack_rows
from steelsight.runtime.scan.sources import PlannedSheet
from steelsight.sheets.synthetic import synth_spec, write_sheets

DRAWN = 48  # generated sheets; more are these again under other names
PART_BYTES = 60_000  # of a part's file, about


def cluster_of(cores: list[int]) -> Cluster:
    """A head without cores and nodes with some."""
    head = {"num_cpus": 0, "include_dashboard": False, "node_ip_address": "127.0.0.1"}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for count in cores:
        cluster.add_node(num_cpus=count, node_ip_address="127.0.0.1")
    return cluster


def draw_sheets(scratch: Path, count: int, **size: int) -> Path:
    """A folder of generated sheets.

    size  height and width in pixels; 256x1600 where they are not given
    """
    write_sheets(synth_spec(count=DRAWN, **size), scratch / "drawn")
    drawn = sorted((scratch / "drawn").rglob("*.jpg"))
    folder = make_folder(scratch / "sheets")
    for number in range(count):
        (folder / f"{number:07d}.jpg").write_bytes(drawn[number % len(drawn)].read_bytes())
    return folder


def make_folder(folder: Path) -> Path:
    """The folder, made."""
    folder.mkdir()
    return folder


def planned_sheets(count: int) -> Iterator[PlannedSheet]:
    """Sheets that do not exist."""
    for number in range(count):
        name = f"line3/coil{number // 2000:06d}/{number:09d}.jpg"
        yield PlannedSheet(number, name, f"/archive/{name}")


class NullScanner:
    """Scans nothing: waits perhaps, and gives back bytes of a part's usual size.

    The first eight bytes are the number of its process.
    """

    pause = 0.0  # seconds

    def open(self, node: str, _files: Any, _settings: Any) -> NodeReport:
        """Nothing to open."""
        self.content = os.getpid().to_bytes(8, "little") + os.urandom(PART_BYTES)
        return NodeReport(node, "null", None)

    def scan(self, part: int, rows: bytes) -> ScannedPart:
        """Wait."""
        time.sleep(self.pause)
        return ScannedPart(part, len(unpack_rows(rows)), self.content, None)


class Peak:
    """The largest resident memory of this process while the block runs, in MiB."""

    mib = 0.0

    def __enter__(self) -> Peak:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while not self._done.wait(0.2):
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * page / 2**20
            self.mib = max(self.mib, resident)
