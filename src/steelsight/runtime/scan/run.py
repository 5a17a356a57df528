"""Scan sheets into Parquet rows, part by part, continuing where an earlier scan stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelsight.errors import BadInput
from steelsight.names import on_one_line
from steelsight.runtime.bundle.open import Bundle, open_bundle
from steelsight.runtime.engine.engine import Engine, open_engine
from steelsight.runtime.scan.job import FinishedPart, RunParts, ScanJob
from steelsight.runtime.scan.objects.address import ObjectAddress
from steelsight.runtime.scan.options import DEFAULTS, ScanOptions
from steelsight.runtime.scan.output import (
    QUARANTINE,
    REPORT,
    REPORT_NUMBERS,
    SCAN_FILE,
    SUMMARY,
    ScanIdentity,
    identify,
    machine_facts,
    save_scan,
)
from steelsight.runtime.scan.outputs.choose import ScanOutput, open_output
from steelsight.runtime.scan.part_scanner import PartScanner
from steelsight.runtime.scan.partitions import (
    Partitions,
    plan_partitions,
    write_partitions,
)
from steelsight.runtime.scan.parts import PartRows, write_part
from steelsight.runtime.scan.plan import PART, ScanPlan
from steelsight.runtime.scan.planning import PlannedScan, make_plan, missing_parts
from steelsight.runtime.scan.summary import ScanSummary, summarise, write_summary
from steelsight.runtime.scan.workers import run_parts as run_in_processes

__all__ = ["ReportProgress", "ScanReport", "cores", "name_reasons", "save_certificate", "scan"]

ReportProgress = Callable[[int, int], None]  # sheets done, sheets in all
NAMED = 5  # late files, and places that are not scanned, that the JSON report names


@dataclass(frozen=True)
class ScanReport:
    """A finished scan."""

    out: Path | ObjectAddress
    summary: ScanSummary
    scanned: int  # sheets, by this call
    kept: int  # sheets that an earlier call had scanned
    rewritten: tuple[int, ...]  # parts of an earlier call that were damaged
    transient: int  # sheets with a reason that may pass, such as `missing`; the same scan tries them again
    later: tuple[str, ...]  # files that came after the plan was made; they are not scanned
    passed_over: int  # places with files that are not images
    passed_over_named: tuple[str, ...]  # the first of them, each with its reason
    partitions: Partitions | None  # None = rows are not written by day and coil
    seconds: float  # of scanning and writing, without listing and report
    engine: str
    page: Path | ObjectAddress | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "out": str(self.out),
            **self.summary.as_dict(),
            "judged": self.scanned,
            "kept": self.kept,
            "rewritten": list(self.rewritten),
            "transient": self.transient,
            "later": len(self.later),
            "later_names": list(self.later[:NAMED]),
            "passed_over": self.passed_over,
            "passed_over_named": list(self.passed_over_named),
            "partitions": None if self.partitions is None else self.partitions.as_dict(),
            "seconds": round(self.seconds, 3),
            "sheets_per_s": round(self.scanned / self.seconds, 1) if self.scanned and self.seconds else None,
            "engine": self.engine,
            "report": None if self.page is None else str(self.page),
        }


def scan(
    bundle_folder: Path | str,
    sources: Sequence[Path | str],
    out: Path | str,
    options: ScanOptions = DEFAULTS,
    *,
    workers: int | None = None,
    progress: ReportProgress | None = None,
    run_parts: RunParts | None = None,
    mixed: bool = False,
) -> ScanReport:
    """Scan every sheet of SOURCES and write OUT: plan, verdicts, bad files, summary and report.

    Called again with the same bundle, sources and options it continues where it stopped, and OUT then holds
    what one uninterrupted scan would have written.

    out       a folder, or an address s3://BUCKET/PREFIX as text
    sources   image files, folders, patterns, tar and zip archives; addresses s3://BUCKET/... of such
    workers   processes; None = one a processor core. A scan of one part runs in this process
    progress  called with the sheets done and the sheets in all after each part
    run_parts  scans the parts, on the nodes of a cluster for example; None = `workers` processes here
    mixed     whether machines of other types may scan parts; each row then tells its processor
    raises    BadBundle, BadSource, BadOutput, BadInput; ScanIncomplete where a worker died;
              KeyboardInterrupt after a clean stop
    """
    if workers is not None and workers < 1:
        raise BadInput(f"workers: expected at least 1, got {workers}")
    if mixed and run_parts is None:
        raise BadInput("mixed: expected together with run_parts; this machine has one type of processor")
    bundle = open_bundle(Path(bundle_folder))
    engine = open_engine(bundle, options.engine, threads=1, batch=options.batch)  # as in workers: equal rows
    identity = identify(bundle, sources, engine, heatmaps=options.heatmaps, watch=False, mixed=mixed)
    with open_output(out, fresh=options.fresh) as output:
        planned = make_plan(output, identity, sources, PART)
        plan = planned.plan
        partitions = plan_partitions(output, identity, planned.facts, plan, options.partition)
        rows = PartRows(bundle.card, plan.checksum, options.heatmaps, mixed=mixed)
        missing, damaged = missing_parts(output, plan, rows)
        kept = plan.sheets - sum(map(plan.length, missing))
        started = time.perf_counter()
        job = ScanJob(bundle, plan, output.work, missing, rows, options, machine_facts(engine))
        begun = (
            _run_here(job, engine, identity.bundle["checksum"], workers or cores())
            if run_parts is None
            else run_parts(job)
        )
        scanned = _finish(output.keep(begun), plan, kept, progress)
        seconds = time.perf_counter() - started
        if partitions is not None:
            write_partitions(output, plan.parts, partitions.pattern)
        summary = _publish(output, planned, identity, bundle, engine, page=options.page)
    return ScanReport(
        out=output.place,
        summary=summary,
        scanned=scanned,
        kept=kept,
        rewritten=tuple(damaged),
        transient=summary.transient,
        later=planned.later,
        passed_over=len(planned.facts["passed_over"]),
        passed_over_named=name_reasons(planned.facts["passed_over"]),
        partitions=partitions,
        seconds=seconds,
        engine=engine.about,
        page=output.place / REPORT if options.page else None,
    )


def name_reasons(passed_over: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """The first places that are not scanned, each as `NAME: REASON` on one line."""
    return tuple(on_one_line(f"{each['name']}: {each['reason']}") for each in passed_over[:NAMED])


def save_certificate(
    out: Path, identity: ScanIdentity, facts: Mapping[str, Any], summary: ScanSummary
) -> None:
    """Write into scan.json what the scan says of the certificate, where it can say something."""
    if summary.certificate is not None:
        save_scan(out, identity, **facts, certificate=summary.certificate.as_dict())


def _finish(
    finished: Generator[FinishedPart, None, None],
    plan: ScanPlan,
    kept: int,
    progress: ReportProgress | None,
) -> int:
    """Scan until no part is missing; the number of sheets that were scanned."""
    scanned = 0
    with closing(finished):  # also where `progress` raises: workers end before the caller goes on
        for part in finished:
            scanned += part.sheets
            if progress is not None:
                progress(kept + scanned, plan.sheets)
    return scanned


def _publish(
    output: ScanOutput,
    planned: PlannedScan,
    identity: ScanIdentity,
    bundle: Bundle,
    engine: Engine,
    *,
    page: bool,
) -> ScanSummary:
    """Write what follows from all parts: summary, certificate, and the report where a page is wanted."""
    plan, passed_over = planned.plan, planned.facts["passed_over"]
    output.expect(range(plan.parts))
    summary = summarise(output.work, map(output.read_part, range(plan.parts)), bundle.card)
    about = {"model_id": bundle.card.model_id, "engine": engine.about}
    write_summary(output.work, summary, **about, passed_over=passed_over)
    save_certificate(output.work, identity, planned.facts, summary)
    if page:
        _write_page(output.work, summary, bundle, engine, plan, passed_over)
    output.publish(QUARANTINE, SUMMARY, SCAN_FILE, REPORT, REPORT_NUMBERS)
    return summary


def _run_here(
    job: ScanJob, engine: Engine, checksum: str, workers: int
) -> Generator[FinishedPart, None, None]:
    """Scan parts on this machine: in processes, or in this one where the plan has a single part.

    checksum  of the bundle, which the processes open anew
    """
    if job.plan.parts <= 1:  # the plan decides, not what is left of it
        return _scan_here(PartScanner(job.bundle, engine, job.rows), job.plan, job.out, job.parts)
    settings = {
        "bundle": str(job.bundle.folder.resolve()),
        "checksum": checksum,
        "out": str(job.out.resolve()),
        "plan": job.plan.checksum,
        "engine": job.options.engine,
        "batch": job.options.batch,
        "heatmaps": job.options.heatmaps,
    }
    return run_in_processes(settings, job.parts, workers)


def _scan_here(
    scanner: PartScanner, plan: ScanPlan, out: Path, missing: Sequence[int]
) -> Generator[FinishedPart, None, None]:
    """Scan parts in this process; yields each when it is written."""
    with closing(scanner):
        for number in missing:
            sheets = plan.part(number)
            write_part(out, number, scanner(number, sheets))
            yield FinishedPart(number, len(sheets))


def _write_page(
    out: Path,
    summary: ScanSummary,
    bundle: Bundle,
    engine: Engine,
    plan: ScanPlan,
    passed_over: list[dict[str, str]],
) -> Path:
    from steelsight.runtime.scan.page import write_page  # matplotlib, only where a page is drawn

    wanted = {shown.index for shown in summary.shown}
    sheets = {}
    for number in sorted({index // plan.part_sheets for index in wanted}):
        sheets.update({sheet.index: sheet for sheet in plan.part(number) if sheet.index in wanted})
    return write_page(out, summary, bundle, engine, sheets, passed_over)


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
