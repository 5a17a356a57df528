"""Scan the parts of a plan on the nodes of a Ray cluster; this process alone writes them."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import ray
from ray.exceptions import ObjectLostError, RayActorError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from steelsight.cluster.node_scanner import (
    FirstFile,
    NodeReport,
    NodeScanner,
    NodeSettings,
    ScannedPart,
    bundle_files,
)
from steelsight.cluster.nodes import cores_by_node, host_of, still_there
from steelsight.errors import BadCluster, ScanIncomplete, SteelsightError
from steelsight.files import replace_file
from steelsight.runtime.scan.job import FinishedPart, RunParts, ScanJob
from steelsight.runtime.scan.parts import part_path

__all__ = ["on_cluster"]

IN_FLIGHT: Final = 2  # parts of one worker: one is scanned while the next lies ready
MAX_DEATHS: Final = 3  # of workers at one part, which is then set aside
LOOK_S: Final = 2.0  # between looks at which nodes there are
FIRST_WORKER_S: Final = 180.0  # within which one worker must be ready


def on_cluster(*, workers: int | None = None, mixed: bool = False) -> RunParts:
    """Who scans the parts of a scan on the cluster that this process is connected to.

    Nodes that join are used, and parts of nodes that leave are scanned by others.
    workers  at most so many processes; None = one a processor core of the cluster
    mixed    use nodes of other processors than the driver's too, once the bundle agrees with its model there
    """

    def run(job: ScanJob) -> Generator[FinishedPart, None, None]:
        pool = _Pool(job, workers, mixed)
        try:
            while pool.unfinished:
                pool.look_at_nodes()
                for part in pool.receive():
                    replace_file(part_path(job.out, part.part), part.content)
                    yield FinishedPart(part.part, part.sheets)
        finally:
            pool.end()
        if pool.set_aside:
            raise ScanIncomplete(_incomplete(pool.set_aside))

    return run


@dataclass(eq=False)
class _Worker:
    """An actor of Ray on a node."""

    actor: Any
    node: str  # id of Ray
    opened: bool = False
    parts: deque[int] = field(default_factory=deque)  # in flight, that which is scanned first


class _Pool:
    """The workers of one scan, the parts that wait, and what is in flight."""

    def __init__(self, job: ScanJob, workers: int | None, mixed: bool) -> None:
        self.job = job
        self.most = workers
        self.waiting = deque(job.parts)
        self.workers: set[_Worker] = set()
        self.set_aside: dict[int, list[str]] = {}  # part -> nodes at which its workers died
        self._deaths: dict[int, list[str]] = {}
        self._failed: Counter[str] = Counter()  # node -> workers that died before their first part
        self._refused: dict[str, NodeReport] = {}  # by node
        self._refs: dict[Any, _Worker] = {}
        self._looked = -LOOK_S
        self._since = time.monotonic()
        self._ready = False  # whether a worker was ever ready
        self._actor = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(NodeScanner)
        self._files = ray.put(bundle_files(job.bundle))
        self._settings = NodeSettings(
            str(job.bundle.folder), job.plan.checksum, job.options, dict(job.machine), mixed, _first_file(job)
        )

    @property
    def unfinished(self) -> bool:
        """Whether parts wait or are in flight."""
        return bool(self.waiting) or any(worker.parts for worker in self.workers)

    def look_at_nodes(self) -> None:
        """Start a worker a free core, on nodes that are there and not refused; raises BadCluster."""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        cores = cores_by_node()
        usable = {node: count for node, count in cores.items() if node not in self._refused}
        self._refuse(cores, usable, now)
        busy = Counter(worker.node for worker in self.workers)
        wanted = len(self.waiting) + sum(len(worker.parts) for worker in self.workers)
        limit = wanted if self.most is None else min(self.most, wanted)
        free = {node: count - busy[node] for node, count in usable.items()}
        while len(self.workers) < limit and any(count > 0 for count in free.values()):
            node = max(free, key=lambda each: free[each])  # spread over the nodes
            free[node] -= 1
            self._start(node)

    def receive(self) -> list[ScannedPart]:
        """The parts that came; waits a moment for the first. Raises what a worker raised."""
        if not self._refs:
            time.sleep(0.1)
            return []
        ready, _ = ray.wait(list(self._refs), num_returns=1, timeout=1.0, fetch_local=False)
        if ready:
            ready, _ = ray.wait(list(self._refs), num_returns=len(self._refs), timeout=0, fetch_local=False)
        return [part for ref in ready if (part := self._take(ref)) is not None]

    def end(self) -> None:
        """End all workers."""
        for worker in self.workers:
            ray.kill(worker.actor)
        self.workers.clear()
        self._refs.clear()

    def _start(self, node: str) -> None:
        strategy = NodeAffinitySchedulingStrategy(node, soft=False)
        worker = _Worker(self._actor.options(scheduling_strategy=strategy).remote(), node)
        self.workers.add(worker)
        self._refs[worker.actor.open.remote(node, self._files, self._settings)] = worker

    def _fill(self, worker: _Worker) -> None:
        while self.waiting and len(worker.parts) < IN_FLIGHT:
            number = self.waiting.popleft()
            worker.parts.append(number)
            self._refs[worker.actor.scan.remote(number, self.job.plan.rows(number))] = worker

    def _take(self, ref: Any) -> ScannedPart | None:
        """Handle one answer; the part that came with it."""
        worker = self._refs.pop(ref, None)
        if worker is None:  # its worker died, or was refused, an answer before
            return None
        try:
            answer: NodeReport | ScannedPart = ray.get(ref)
        except RayTaskError as error:
            cause = error.cause
            raise (cause if isinstance(cause, SteelsightError) else error) from None
        except RayActorError as error:
            if worker.opened:
                self._bury(worker)
            else:
                self._give_up_opening(worker, error)
            return None
        except ObjectLostError:  # with the node that held it
            self._bury(worker, blame=False)
            return None
        if isinstance(answer, NodeReport):
            self._welcome(worker, answer)
            return None
        worker.parts.remove(answer.part)
        self._fill(worker)
        return answer

    def _welcome(self, worker: _Worker, report: NodeReport) -> None:
        if report.refusal is not None:
            self._refused[worker.node] = report
            self._remove(worker)
            return
        worker.opened = self._ready = True
        self._fill(worker)

    def _remove(self, worker: _Worker) -> None:
        """Forget a worker; its parts wait again."""
        self.workers.discard(worker)
        self._refs = {ref: each for ref, each in self._refs.items() if each is not worker}
        self.waiting.extend(worker.parts)
        worker.parts.clear()
        ray.kill(worker.actor)
        self._looked = -LOOK_S

    def _give_up_opening(self, worker: _Worker, error: RayActorError) -> None:
        """A worker died before its first part; a node where that happens again and again is refused."""
        self._failed[worker.node] += 1
        if self._failed[worker.node] >= MAX_DEATHS:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
            words = f"{MAX_DEATHS} workers died there before their first part ({reason[:200]})"
            self._refused[worker.node] = NodeReport(worker.node, host_of(worker.node), words)
        self._remove(worker)

    def _bury(self, worker: _Worker, *, blame: bool = True) -> None:
        """A worker died: the part that it scanned may be the cause, where its node is still there."""
        if blame and worker.parts:
            part = worker.parts[0]
            deaths = self._deaths.setdefault(part, [])
            deaths.append(worker.node)
            if len(deaths) >= MAX_DEATHS:
                deaths[:] = still_there(deaths)
            if len(deaths) >= MAX_DEATHS:
                worker.parts.popleft()
                self.set_aside[part] = deaths
        self._remove(worker)

    def _refuse(self, cores: dict[str, int], usable: dict[str, int], now: float) -> None:
        """Raise BadCluster where no node is left to scan on."""
        if self.workers and self._ready:
            return
        if not any(usable.values()) and self._refused:
            report = next(iter(self._refused.values()))
            more = f" (and {len(self._refused) - 1} more)" if len(self._refused) > 1 else ""
            raise BadCluster(f"no node can be used: {report.host}{more}: {report.refusal}")
        if not self._ready and now - self._since > FIRST_WORKER_S:
            raise BadCluster(
                f"no worker became ready within {FIRST_WORKER_S:.0f} s: the cluster has "
                f"{sum(cores.values())} cores; end other jobs of it, or add nodes"
            )


def _first_file(job: ScanJob) -> FirstFile | None:
    """A file that the first part to scan reads; None where none lies in a file system."""
    for number in job.parts[:1]:
        for sheet in job.plan.part(number):
            if sheet.reason is not None or sheet.path.startswith("s3://"):
                continue
            with suppress(OSError):  # gone since it was listed; its row will tell
                return FirstFile(sheet.path, Path(sheet.path).stat().st_size)
    return None


def _incomplete(set_aside: dict[int, list[str]]) -> str:
    parts = ", ".join(map(str, sorted(set_aside)[:10]))
    more = f" and {len(set_aside) - 10} more" if len(set_aside) > 10 else ""
    return (
        f"part {parts}{more}: {MAX_DEATHS} workers died at it; all other parts are complete; "
        "run the same command again, on nodes with more memory if it ran out"
    )
