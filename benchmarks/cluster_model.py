"""Constants of the model of scale, measured here, and its predictions beside scans by one to three nodes.

    python benchmarks/cluster_model.py [--sheets 4096] [--rounds 20] [--node-cores 8] [--bundle fast]

constants  decoding, inference and the rest of a part by one worker in this process; the driver's time a part
           with workers that scan nothing; the call of a worker; a look at all parts in flight; requests to a
           store (a server of `cluster_objects.py`, without delay); the start of a scan by a worker of Ray
sleeping   workers that sleep instead of scanning, two a node, on one, two and three nodes of Ray on this
           machine: whether parts, driver and nodes go together as the model says. They need hardly any
           processor, so that three nodes are three nodes, also on two cores
saturated  the same with sleeps so short that the driver is the limit; it shares its cores with the workers
real       real scans by one worker on each of one and two nodes. On two cores the second worker shares its
           core with the driver and Ray: more nodes than two mean nothing here
store      a scan by one local worker from a server that waits 100 ms with each answer

What this cannot show: networks, a store that many nodes share, and the head of a thousand nodes. Ray is
started by the script, on this machine alone. Run nothing else meanwhile. Prints tables and, as its last line,
JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray.cluster_utils import Cluster

import cluster_objects
import steelsight.cluster.scan as cluster_scan
from cluster_tables import compared, predictions, print_tables, say
from cluster_workers import DRAWN, NullScanner, cluster_of, draw_sheets, make_folder, planned_sheets
from steelsight.cluster.checks import Expected
from steelsight.cluster.connect import connect
from steelsight.cluster.node_scanner import (
    NodeScanner,
    NodeSettings,
    bundle_files,
)
from steelsight.cluster.packing import pack_rows
from steelsight.cluster.scan import on_cluster
from steelsight.runtime.bundle.default import default_bundle
from steelsight.runtime.bundle.open import Bundle, open_bundle
from steelsight.runtime.capacity.scale import ScaleConstants, predict_scan
from steelsight.runtime.engine.engine import open_engine
from steelsight.runtime.engine.reading import read_image
from steelsight.runtime.scan.job import ScanJob
from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.output import machine_facts
from steelsight.runtime.scan.parts import PartRows, part_path
from steelsight.runtime.scan.plan import PART, ScanPlan, write_plan
from steelsight.runtime.scan.run import scan
from steelsight.runtime.scan.sources import PlannedSheet

PER_NODE = 2  # workers of a node that sleep
NULL_PARTS = 1500
OPTIONS = ScanOptions(page=False)
DELAY_MS = 100.0  # of the store
READS = 16  # as runtime.scan.objects.read_ahead.THREADS


def main() -> None:
    """Measure, check, predict, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sheets", type=int, default=4096, help="of each real scan, whole parts of 512")
    parser.add_argument("--rounds", type=int, default=20, help="parts of each worker that sleeps")
    parser.add_argument("--node-cores", type=int, default=8, help="of the nodes that are predicted")
    parser.add_argument("--bundle", default="fast", help="path, or name of a bundle of the package")
    given = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ[name] = "testing"
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(given, Path(scratch))
        constants, checks = bench.measure()
        table = predictions(constants, given.node_cores)
    print_tables(constants, checks, table)
    facts = [{"source": source, "nodes": nodes, **asdict(told)} for source, nodes, told in table]
    print(json.dumps({"constants": asdict(constants), "checks": checks, "predictions": facts}))


class Bench:
    """The sheets, the bundle and the plan of parts that nobody scans."""

    def __init__(self, given: argparse.Namespace, scratch: Path) -> None:
        self.given, self.scratch = given, scratch
        self.bundle: Bundle = open_bundle(default_bundle() if given.bundle == "fast" else Path(given.bundle))
        self.sheets = draw_sheets(scratch, given.sheets)
        self.null_plan = write_plan(make_folder(scratch / "null"), planned_sheets(NULL_PARTS * PART), PART)

    def measure(self) -> tuple[ScaleConstants, list[dict[str, Any]]]:
        """The constants, and each prediction beside what was measured."""
        constants = self.one_worker()
        checks = [self.store(constants)]
        constants = replace(constants, request_s=checks[0].pop("request_s"))
        cluster = cluster_of([PER_NODE])
        try:
            with connect(cluster.address):
                driver_s, call_s, wait_s = self.of_ray()
                constants = replace(
                    constants, driver_s=driver_s, wait_s=wait_s, part_s=constants.part_s + call_s
                )
                checks += self.on_nodes(cluster, constants, call_s)
                start_s, real = self.real(replace(constants, request_s=0.0))  # sheets of a folder
        finally:
            cluster.shutdown()
        return replace(constants, start_s=start_s), checks + real

    # ---- one worker, without Ray ----

    def one_worker(self) -> ScaleConstants:
        """Decoding, inference, and what a part takes beside them."""
        images = sorted(self.sheets.iterdir())[:DRAWN]
        spec = self.bundle.card.input
        decode_s = statistics.median(per_item(lambda path=path: read_image(path, spec), 3) for path in images)
        engine = open_engine(self.bundle, threads=1)
        batch = np.stack([read_image(path, spec).gray for path in images[: engine.batch]])
        infer_s = per_item(lambda: engine(batch), 30) / engine.batch
        plan = write_plan(make_folder(self.scratch / "real"), rows_of(self.sheets), PART)
        worker = NodeScanner()
        settings = NodeSettings("fast", plan.checksum, OPTIONS, Expected(machine_facts(engine)))
        report = worker.open("here", bundle_files(self.bundle), settings)
        assert report.refusal is None, report.refusal
        whole_s = per_item(lambda: worker.scan(0, pack_rows(plan.rows(0))), 4)
        rest_s = max(0.0, whole_s - PART * (decode_s + infer_s))
        say(f"a part of {PART}: {whole_s:.3f} s, beside decoding and inference {rest_s:.3f} s")
        size = statistics.mean(path.stat().st_size for path in images)
        return ScaleConstants(PART, decode_s, infer_s, rest_s, driver_s=1e-9, reads=READS, image_bytes=size)

    def store(self, constants: ScaleConstants) -> dict[str, Any]:
        """Processor time of a request, and a scan from a store that waits, by one local worker."""
        folder, at_once = (self.local(source) for source in (str(self.sheets), 0.0))
        request_s = max(0.0, 1 / at_once - 1 / folder)
        told = predict_scan(
            replace(constants, request_s=request_s, round_trip_s=DELAY_MS / 1000),
            nodes=1,
            cores=1,
            sheets=self.given.sheets,
        )
        say(f"one local worker: folder {folder:.1f}, store without delay {at_once:.1f} sheets/s")
        check = compared(f"store, {DELAY_MS:.0f} ms a request", told.sheets_per_s, self.local(DELAY_MS))
        return {**check, "limit": told.limit, "request_s": request_s}

    def local(self, source: str | float) -> float:
        """Sheets a second of a warm scan by one process; of a folder, or from a server with so many ms."""
        finished: list[tuple[float, int]] = []
        out = Path(tempfile.mkdtemp(dir=self.scratch))
        server = None
        if not isinstance(source, str):
            command = [sys.executable, cluster_objects.__file__, "--serve", str(self.sheets)]
            server = subprocess.Popen(
                [*command, "--latency-ms", str(source), "--share", "0"], stdout=subprocess.PIPE, text=True
            )
            assert server.stdout is not None
            os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{int(server.stdout.readline())}"
        try:
            scan(
                self.bundle.folder,
                [source if server is None else "s3://mill/"],
                out,
                OPTIONS,
                workers=1,
                progress=lambda done, _all: finished.append((time.perf_counter(), done)),
            )
        finally:
            if server is not None:
                server.kill()
                server.wait()
        (start, before), (end, after) = finished[0], finished[-1]
        return (after - before) / (end - start)

    # ---- Ray, with workers that scan nothing ----

    def of_ray(self) -> tuple[float, float, float]:
        """Seconds of the driver for a part, of a worker's call, and of a look at one part in flight."""
        driver_s = 1 / self.null_rate(0.0, 2, NULL_PARTS // 3)
        pause = 0.02
        call_s = max(0.0, 1 / self.null_rate(pause, 1, 5 * self.given.rounds) - pause)
        wait_s = look_s()
        say(f"driver {driver_s * 1e3:.2f} ms a part, call {call_s * 1e3:.2f} ms, look {wait_s * 1e6:.2f} us")
        return driver_s, call_s, wait_s

    def on_nodes(self, cluster: Cluster, constants: ScaleConstants, call_s: float) -> list[dict[str, Any]]:
        """Workers that sleep on one, two and three nodes; at last so shortly that the driver is the limit."""
        checks = []
        for nodes in (1, 2, 3):
            if nodes > 1:
                cluster.add_node(num_cpus=PER_NODE, node_ip_address="127.0.0.1")
            for pause in (0.25, 0.05):
                checks.append(self.sleeping(constants, nodes, pause, call_s, self.given.rounds))
        checks.append(self.sleeping(constants, 3, 0.002, call_s, 2 * self.given.rounds))
        return checks

    def sleeping(
        self, constants: ScaleConstants, nodes: int, pause: float, call_s: float, rounds: int
    ) -> dict[str, Any]:
        """Parts a second of workers that sleep."""
        of_pause = replace(constants, decode_s=0.0, infer_s=0.0, request_s=0.0, part_s=pause + call_s)
        told = predict_scan(of_pause, nodes=nodes, cores=PER_NODE, sheets=NULL_PARTS * PART)
        workers = nodes * PER_NODE
        measured = self.null_rate(pause, workers, rounds * workers)
        what = f"{nodes} nodes x {PER_NODE} workers that sleep {pause * 1000:.0f} ms, parts/s"
        return {**compared(what, told.sheets_per_s / PART, measured), "limit": told.limit}

    def null_rate(self, pause: float, workers: int, parts: int) -> float:
        """Parts a second, from the moment when every worker has given one."""
        cluster_scan.NodeScanner = type("Sleeping", (NullScanner,), {"pause": pause})
        out = Path(tempfile.mkdtemp(dir=self.scratch))
        seen: set[bytes] = set()
        start, counted = math.nan, 0
        with closing(on_cluster(workers=workers)(self.null_job(self.null_plan, out))) as finished:
            for part in finished:
                if len(seen) < workers:
                    seen.add(part_path(out, part.part).read_bytes()[:8])
                    start = time.perf_counter()
                else:
                    counted += 1
                if counted == parts:
                    break
        rate = counted / (time.perf_counter() - start)
        cluster_scan.NodeScanner = NodeScanner
        if counted < parts:
            raise SystemExit(f"expected {parts} parts once {workers} workers had started, got {counted}")
        return rate

    def null_job(self, plan: ScanPlan, out: Path) -> ScanJob:
        """Parts that `NullScanner` gives back."""
        (out / "verdicts").mkdir()
        facts = machine_facts(open_engine(self.bundle, threads=1))
        rows = PartRows(self.bundle.card, plan.checksum, heatmaps=False)
        return ScanJob(self.bundle, plan, out, range(plan.parts), rows, OPTIONS, facts)

    # ---- Ray, real scans ----

    def real(self, constants: ScaleConstants) -> tuple[float, list[dict[str, Any]]]:
        """The start of a scan by Ray, and warm scans by one worker on each of one and two nodes."""
        checks, starts = [], []
        for nodes in (1, 2):
            told = predict_scan(constants, nodes=nodes, cores=1, sheets=self.given.sheets)
            times: list[tuple[float, int]] = []
            out = Path(tempfile.mkdtemp(dir=self.scratch))
            began = time.perf_counter()
            scan(
                self.bundle.folder,
                [self.sheets],
                out,
                OPTIONS,
                progress=lambda done, _all, times=times: times.append((time.perf_counter(), done)),
                run_parts=on_cluster(workers=nodes),
            )
            starts.append(max(0.0, times[0][0] - began - constants.scanned_s))
            (start, before), (end, after) = times[nodes - 1], times[-1]
            rate = (after - before) / (end - start)
            check = compared(f"{nodes} nodes x 1 worker that scans, sheets/s", told.sheets_per_s, rate)
            checks.append({**check, "limit": told.limit})
        return starts[0], checks


def look_s(pending: int = 4000) -> float:
    """Seconds of `ray.wait` for one reference that is not ready, with so many of them."""

    @ray.remote(num_cpus=0)
    class Silent:
        def wait(self) -> None:
            time.sleep(3600)

    actor = Silent.remote()
    refs = [actor.wait.remote() for _ in range(pending)]
    taken = per_item(lambda: ray.wait(refs, num_returns=pending, timeout=0, fetch_local=False), 5)
    ray.kill(actor)
    return taken / pending


def rows_of(folder: Path) -> list[PlannedSheet]:
    """The plan of one part."""
    paths = sorted(folder.iterdir())[:PART]
    return [PlannedSheet(number, path.name, str(path)) for number, path in enumerate(paths)]


def per_item(call: Any, times: int) -> float:
    """Median elapsed seconds of a call, after one that is not counted."""
    call()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
