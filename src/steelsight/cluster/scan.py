"""Scan the parts of a plan on the nodes of a Ray cluster; this process alone writes them."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import ray
from ray.exceptions import (
    ActorUnschedulableError,
    ObjectLostError,
    RayError,
    RayTaskError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from steelsight.cluster.checks import Expected, NodeReport, see_files
from steelsight.cluster.node_scanner import NodeScanner, NodeSettings, ScannedPart, bundle_files
from steelsight.cluster.nodes import LOOK_S, cores_by_node, host_of, still_there
from steelsight.cluster.packing import pack_rows
from steelsight.cluster.refusals import MOST_DEATHS, SHOWN, Refusals, Say, last_line, silent
from steelsight.errors import BadSource, ScanIncomplete, SteelsightError
from steelsight.files import replace_file
from steelsight.names import shown_name
from steelsight.runtime.scan.job import FinishedPart, RunParts, ScanJob
from steelsight.runtime.scan.objects.address import is_address
from steelsight.runtime.scan.parts import part_path
from steelsight.runtime.scan.worker_settings import WORKER_ENVIRONMENT

__all__ = ["on_cluster"]

WRITERS: Final = 4  # threads, which wait for the disk most of the time
MOST_WRITTEN: Final = 16  # parts in memory that are being written
IN_FLIGHT: Final = 2  # parts of one worker: one is scanned while the next lies ready
NO_WORKER_S: Final = 180.0  # without a worker that is ready, after which the scan ends
COMPARED: Final = 8  # files at most that every node must see as the driver does
_ADVICE: Final = "leave the node out, or use --mixed, which writes the processor into each row"


def on_cluster(*, workers: int | None = None, say: Say = silent) -> RunParts:
    """A function that scans the parts of a scan on the cluster that this process is connected to.

    Nodes that join are used, and parts of nodes that leave are scanned by others. In a mixed scan nodes of
    other processors than the driver's are used too, where the bundle agrees with its model there.

    workers  at most so many processes; None = one a processor core of the cluster
    say      receives a line for each node that is refused
    """

    def run(job: ScanJob) -> Generator[FinishedPart, None, None]:
        pool = _Pool(job, workers, say)
        waiting: deque[Future[FinishedPart]] = deque()  # parts that are being written
        with ThreadPoolExecutor(WRITERS, thread_name_prefix="write") as writers:
            try:
                while pool.unfinished:
                    pool.look_at_nodes()
                    parts = pool.receive(MOST_WRITTEN - len(waiting))
                    waiting.extend(writers.submit(_write, job.out, part) for part in parts)
                    while waiting and (waiting[0].done() or len(waiting) >= MOST_WRITTEN):
                        yield waiting.popleft().result()
                yield from _written(waiting)
            except SteelsightError:
                yield from _written(waiting)  # what came before is kept
                raise
            finally:
                pool.end()
        if pool.set_aside:
            raise ScanIncomplete(_incomplete(pool.set_aside))

    return run


def _written(waiting: deque[Future[FinishedPart]]) -> Iterator[FinishedPart]:
    """Each part that waits, as soon as it is written; raises BadOutput where it cannot be."""
    while waiting:
        yield waiting.popleft().result()


def _write(out: Path, part: ScannedPart) -> FinishedPart:
    replace_file(part_path(out, part.part), part.content)
    return FinishedPart(part.part, part.sheets)


@dataclass(eq=False)
class _Worker:
    """An actor of Ray on a node."""

    actor: Any
    node: str  # id of Ray
    opened: bool = False
    parts: deque[int] = field(default_factory=deque)  # in flight, that which is scanned first


class _Pool:
    """The workers of one scan, the parts that wait, and what is in flight."""

    def __init__(self, job: ScanJob, workers: int | None, say: Say) -> None:
        self.job = job
        self.most = workers
        self.waiting = deque(job.parts)
        self.workers: set[_Worker] = set()
        self.set_aside: dict[int, str] = {}  # part -> how its last worker ended
        self._deaths: dict[int, list[str]] = {}
        self._refusals = Refusals(say)
        self._refs: dict[Any, _Worker] = {}
        self._looked = -LOOK_S
        self._worked = time.monotonic()  # when a worker was last ready
        environment = {"env_vars": dict(WORKER_ENVIRONMENT)}
        self._actor = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0, runtime_env=environment)(
            NodeScanner
        )
        self._files = ray.put(bundle_files(job.bundle))
        self._settings = NodeSettings(
            str(job.bundle.folder),
            job.plan.checksum,
            job.options,
            Expected(job.machine, tuple(see_files(_some_files(job))), advice=_ADVICE, mixed=job.rows.mixed),
        )

    @property
    def unfinished(self) -> bool:
        """Whether parts wait or are in flight."""
        return bool(self.waiting) or any(worker.parts for worker in self.workers)

    def look_at_nodes(self) -> None:
        """Start a worker a free core, on nodes that are there and not refused.

        raises  BadCluster where all are refused; ScanIncomplete where no worker was ready for long
        """
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        cores = cores_by_node()
        usable = {node: count for node, count in cores.items() if node not in self._refusals}
        self._refuse_cluster(cores, usable, now)
        busy = Counter(worker.node for worker in self.workers)
        wanted = len(self.waiting) + sum(len(worker.parts) for worker in self.workers)
        limit = wanted if self.most is None else min(self.most, wanted)
        free = {node: count - busy[node] for node, count in usable.items()}
        while len(self.workers) < limit and any(count > 0 for count in free.values()):
            node = max(free, key=lambda each: free[each])  # spread over the nodes
            free[node] -= 1
            self._start(node)

    def receive(self, most: int) -> list[ScannedPart]:
        """The parts that came, at most so many; waits a moment for the first. Raises what a worker raised."""
        if not self._refs:
            time.sleep(0.1)
            return []
        ready, _ = ray.wait(list(self._refs), num_returns=1, timeout=1.0, fetch_local=False)
        if ready:
            limit = min(len(self._refs), most)
            ready, _ = ray.wait(list(self._refs), num_returns=limit, timeout=0, fetch_local=False)
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
            self._refs[worker.actor.scan.remote(number, pack_rows(self.job.plan.rows(number)))] = worker

    def _take(self, ref: Any) -> ScannedPart | None:
        """Handle one answer; the part that came with it."""
        worker = self._refs.pop(ref, None)
        if worker is None:  # its worker died, or was refused, an answer before
            return None
        try:
            answer: NodeReport | ScannedPart = ray.get(ref)
        except (ActorUnschedulableError, ObjectLostError):  # gone with its node
            self._remove(worker)
        except RayError as error:
            self._handle(worker, error)
        else:
            if isinstance(answer, NodeReport):
                self._accept(worker, answer)
            elif answer.missing is not None and _is_readable(answer.missing):
                path = shown_name(answer.missing)
                words = f"{path}: the driver can read it, this node cannot; mount its folder"
                self._refuse(worker.node, words)
            else:
                worker.parts.remove(answer.part)
                self._fill(worker)
                return answer
        return None

    def _handle(self, worker: _Worker, error: RayError) -> None:
        """A worker died or raised an error; raises what no other node would do better."""
        cause = error.cause if isinstance(error, RayTaskError) else None
        if not worker.opened:
            others = any(each.opened and each.node == worker.node for each in self.workers)
            self._refusals.count_failed(worker.node, error, others=others)
            self._remove(worker)
        elif isinstance(cause, BadSource):  # its credentials or its clock, for example
            self._refusals.pause(worker.node, str(cause))
            self._remove_all(worker.node)
        elif isinstance(cause, SteelsightError):
            raise type(cause)(f"node {host_of(worker.node)}: {cause}") from error
        else:
            self._count_death(worker, error)

    def _accept(self, worker: _Worker, report: NodeReport) -> None:
        if report.refusal is not None:
            self._refuse(report.node, report.refusal, report.host)
            return
        worker.opened = True
        self._refusals.forget_failed(worker.node)
        self._fill(worker)

    def _refuse(self, node: str, reason: str, host: str | None = None) -> None:
        """Use a node no longer; the parts of its workers are scanned by others."""
        self._refusals.refuse(node, reason, host)
        self._remove_all(node)

    def _remove_all(self, node: str) -> None:
        """Forget the workers of a node."""
        for worker in [each for each in self.workers if each.node == node]:
            self._remove(worker)

    def _remove(self, worker: _Worker) -> None:
        """Forget a worker; its parts wait again."""
        self.workers.discard(worker)
        self._refs = {ref: each for ref, each in self._refs.items() if each is not worker}
        self.waiting.extend(worker.parts)
        worker.parts.clear()
        ray.kill(worker.actor)

    def _count_death(self, worker: _Worker, error: RayError) -> None:
        """A worker ended: the part that it scanned may be the cause, where its node is still there."""
        if worker.parts:
            part = worker.parts[0]
            deaths = self._deaths.setdefault(part, [])
            deaths.append(worker.node)
            if len(deaths) >= MOST_DEATHS:
                deaths[:] = still_there(deaths)
            if len(deaths) >= MOST_DEATHS:
                worker.parts.popleft()
                self.set_aside[part] = last_line(error)
        self._remove(worker)

    def _refuse_cluster(self, cores: dict[str, int], usable: dict[str, int], now: float) -> None:
        """Raise BadCluster where all nodes are refused, ScanIncomplete where none gave a worker for long."""
        if any(worker.opened for worker in self.workers):
            self._worked = now
        elif not any(usable.values()) and any(node in self._refusals for node in cores):
            self._refusals.raise_none_left(cores)
        elif now - self._worked > NO_WORKER_S:
            raise ScanIncomplete(
                f"no worker was ready for {NO_WORKER_S:.0f} s: the cluster has {sum(cores.values())} cores; "
                "end other jobs of it, or add nodes; the same command goes on"
            )


def _is_readable(path: str) -> bool:
    """Whether this process can read a file."""
    try:
        with Path(path).open("rb") as file:
            return bool(file.read(1))
    except OSError:
        return False


def _some_files(job: ScanJob) -> Iterator[str]:
    """Some files of the parts to scan, from all over the plan; none where all lie in object storage."""
    for number in job.parts[:: math.ceil(len(job.parts) / COMPARED) or 1]:
        sheets = (each for each in job.plan.part(number) if each.reason is None)
        yield from islice((each.path for each in sheets if not is_address(each.path)), 1)


def _incomplete(set_aside: dict[int, str]) -> str:
    first = sorted(set_aside)[:SHOWN]
    parts = "; ".join(f"part {part}: {MOST_DEATHS} workers died at it ({set_aside[part]})" for part in first)
    more = f"; and {len(set_aside) - SHOWN} more" if len(set_aside) > SHOWN else ""
    return (
        f"{parts}{more}; all other parts are complete; run the same command again, on nodes with more memory "
        "if it ran out"
    )
