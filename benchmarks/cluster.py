"""A scan by Ray beside the local one, deaths at random points, and the driver's own cost.

    python benchmarks/cluster.py speed [--sheets 50000] [--turns 3]
    python benchmarks/cluster.py deaths [--kills 24]
    python benchmarks/cluster.py driver [--sheets 10000000] [--parts 4000]

speed   two workers of Ray over two local worker processes, the same sheets, in turns, one thread each; `warm`
        counts from the moment when every worker has given its first part
deaths  workers, nodes, drivers and heads are killed while a scan runs; its rows are those of a local scan
driver  workers that scan nothing and give back the bytes of a part: what the driver does for a part, and its
        memory for a plan of so many sheets

Ray is started by the script, on this machine alone. Run nothing else meanwhile. The last line is JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster

import steelsight.cluster.scan as cluster_scan
from cluster_workers import NullScanner, Peak, cluster_of, draw_sheets, planned_sheets
from steelsight.cluster.connect import connect
from steelsight.cluster.scan import on_cluster
from steelsight.runtime.bundle.default import default_bundle
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.engine.engine import open_engine
from steelsight.runtime.scan import run as scan_module
from steelsight.runtime.scan.job import RunParts, ScanJob
from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.output import machine_facts
from steelsight.runtime.scan.parts import PartRows
from steelsight.runtime.scan.plan import PART, write_plan

OPTIONS = ScanOptions(page=False)


def main() -> None:
    """Measure, print, end with JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["speed", "deaths", "driver"])
    parser.add_argument("--sheets", type=int)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--kills", type=int, default=24)
    parser.add_argument("--parts", type=int, default=4000)
    options = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with tempfile.TemporaryDirectory() as scratch:
        run = {"speed": measure_speed, "deaths": measure_deaths, "driver": measure_driver}[options.what]
        print(json.dumps(run(options, Path(scratch))))


# ---- speed ----


def measure_speed(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Sheets a second of both, and their ratio."""
    folder = draw_sheets(scratch, options.sheets or 50_000, height=64, width=400)
    cluster = cluster_of([2])
    rates: dict[str, list[tuple[float, float]]] = {"local": [], "ray": []}
    with connect(cluster.address):
        for turn in range(options.turns):
            for name, runner in (("local", None), ("ray", on_cluster(workers=2))):
                rates[name].append(timed_scan(folder, scratch / f"{name}{turn}", runner))
                print(f"{name}: {rates[name][-1][0]:.0f} sheets/s, warm {rates[name][-1][1]:.0f}", flush=True)
    same = {digest_of(scratch / f"{name}{turn}") for name in rates for turn in range(options.turns)}
    cluster.shutdown()
    found: dict[str, Any] = {"sheets": options.sheets or 50_000, "identical": len(same) == 1}
    for place, kind in enumerate(("whole", "warm")):
        of = {name: statistics.median(each[place] for each in values) for name, values in rates.items()}
        ratio = statistics.median(
            mine[place] / other[place] for mine, other in zip(rates["ray"], rates["local"], strict=True)
        )
        found[kind] = {name: round(value, 1) for name, value in of.items()} | {"ratio": round(ratio, 3)}
    return found


def timed_scan(folder: Path, out: Path, runner: RunParts | None) -> tuple[float, float]:
    """Sheets a second of scanning and writing, and of what follows each worker's first part."""
    told: list[tuple[float, int]] = []
    report = scan_module.scan(
        default_bundle(),
        [folder],
        out,
        OPTIONS,
        workers=2,
        progress=lambda done, _total: told.append((time.perf_counter(), done)),
        run_parts=runner,
    )
    (start, before), (end, after) = told[1], told[-1]
    return report.scanned / report.seconds, (after - before) / (end - start)


def digest_of(out: Path) -> str:
    """Of the bytes of all parts."""
    digest = hashlib.sha256()
    for path in sorted((out / "verdicts").iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


# ---- deaths ----


class Machines:
    """A cluster of a head and three nodes of one core, replaced by a new one when its head was killed."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start a new cluster."""
        self.cluster = cluster_of([1, 1, 1])
        self.headless = False

    def kill_head(self) -> None:
        """End the head at once: with it ends the object store that the driver put the bundle into."""
        self.cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)
        self.headless = True

    def renew(self) -> None:
        """A new cluster where the head is gone."""
        if self.headless:
            self.cluster.shutdown()
            self.begin()


def measure_deaths(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Kill something at random points until enough were killed; compare rows."""
    scan_module.PART = 32
    folder = draw_sheets(scratch, options.sheets or 6_000, height=64, width=400)
    scan_module.scan(default_bundle(), [folder], scratch / "local", OPTIONS, workers=2)
    expected = digest_of(scratch / "local")
    machines = Machines()
    chosen = random.Random(0)
    killed: dict[str, int] = dict.fromkeys(("worker", "node", "driver", "head"), 0)
    scans, wrong = 0, 0
    while sum(killed.values()) < options.kills:
        out = scratch / f"out{scans}"
        scans += 1
        while scan_and_kill(machines, folder, out, killed, options.kills, chosen):
            machines.renew()
        wrong += digest_of(out) != expected
    machines.cluster.shutdown()
    return {"killed": killed, "scans": scans, "wrong": wrong}


def scan_and_kill(
    machines: Machines, folder: Path, out: Path, killed: dict[str, int], most: int, chosen: random.Random
) -> bool:
    """Scan until it ends, killing meanwhile; whether the driver was ended, and has to scan again."""
    driver = start_driver(machines.cluster, folder, out)
    while driver.poll() is None:
        time.sleep(chosen.uniform(2, 6))
        if driver.poll() is None and not machines.headless and sum(killed.values()) < most:
            kind = chosen.choice(list(killed))
            killed[kind] += kill(kind, machines, driver)
            print(f"killed a {kind}: {killed}", flush=True)
    if driver.returncode > 0 and not machines.headless:
        raise SystemExit(f"the scan ended with code {driver.returncode}")
    return driver.returncode != 0


def start_driver(cluster: Cluster, folder: Path, out: Path) -> subprocess.Popen[bytes]:
    """A scan by another process."""
    program = (
        f"import sys; from steelsight.runtime.scan import run as s; s.PART = {scan_module.PART}\n"
        "from steelsight.runtime.scan.options import ScanOptions\n"
        "from steelsight.cluster.connect import connect\n"
        "from steelsight.cluster.scan import on_cluster\n"
        "with connect(sys.argv[1]):\n"
        "    s.scan(sys.argv[2], [sys.argv[3]], sys.argv[4], ScanOptions(page=False), run_parts=on_cluster())"
    )
    command = [sys.executable, "-c", program, cluster.address, default_bundle(), folder, out]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def kill(kind: str, machines: Machines, driver: subprocess.Popen[bytes]) -> int:
    """Kill a worker, a node, the driver or the head; how many were killed."""
    cluster = machines.cluster
    if kind == "driver":
        driver.kill()
        driver.wait()
    elif kind == "head":
        machines.kill_head()
    elif kind == "node":
        cluster.remove_node(sorted(cluster.worker_nodes, key=id)[0], allow_graceful=False)
        cluster.add_node(num_cpus=1, node_ip_address="127.0.0.1")
    else:
        workers = workers_of(cluster)
        if not workers:
            return 0
        os.kill(workers[0], signal.SIGKILL)
    return 1


def workers_of(cluster: Cluster) -> list[int]:
    """Process numbers of the actors that scan on this cluster: children of the raylets of its nodes."""
    found = []
    for node in cluster.worker_nodes:
        for raylet in node.all_processes["raylet"]:
            number = raylet.process.pid
            children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
            found += [int(each) for each in children if is_scanner(each)]
    return found


def is_scanner(number: str) -> bool:
    """Whether a process is an actor that scans."""
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes().startswith(b"ray::NodeScanner")
    except OSError:  # ended meanwhile
        return False


# ---- the driver's cost ----


def measure_driver(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Parts a second, and the driver's memory with a plan of many sheets."""
    sheets = options.sheets or 10_000_000
    started = time.perf_counter()
    plan = write_plan(scratch, planned_sheets(sheets), PART)
    planning = time.perf_counter() - started
    cluster_scan.NodeScanner = NullScanner  # type: ignore[assignment,misc]
    bundle = open_bundle(default_bundle())
    facts = machine_facts(open_engine(bundle, threads=1))
    rows = PartRows(bundle.card, plan.checksum, heatmaps=False)
    numbers = range(min(options.parts, plan.parts))
    cluster = cluster_of([2])
    with connect(cluster.address), Peak() as peak:
        times, processor = [], []
        for _ in on_cluster(workers=2)(ScanJob(bundle, plan, scratch, numbers, rows, OPTIONS, facts)):
            times.append(time.perf_counter())
            processor.append(time.process_time())
        seconds = times[-1] - times[1]
    cluster.shutdown()
    return {
        "sheets": sheets,
        "parts_of_plan": plan.parts,
        "planning_s": round(planning, 1),
        "parts": len(times),
        "parts_per_s": round((len(times) - 2) / seconds, 1),
        "driver_processor_ms_a_part": round((processor[-1] - processor[1]) / (len(times) - 2) * 1e3, 2),
        "peak_mib": round(peak.mib),
        "whole_process_peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    main()
