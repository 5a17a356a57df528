"""Scan sheets into Parquet rows, part by part, continuing where an earlier scan stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from steelsight.errors import BadInput, BadOutput
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
from steelsight.runtime.scan.parts import VERDICTS, PartRows, part_path, write_part
from steelsight.runtime.scan.plan import PART, PLAN_FILE, ScanPlan, open_plan, write_plan
from steelsight.runtime.scan.planned_files import PlannedFiles
from steelsight.runtime.scan.retry import has_transient_rows, is_readable_now
from steelsight.runtime.scan.sources import SourceWalk
from steelsight.runtime.scan.summary import ScanSummary, summarise, write_summary
from steelsight.runtime.scan.workers import run_parts as run_in_processes

__all__ = ["ReportProgress", "ScanReport", "cores", "save_certificate", "scan"]

ReportProgress = Callable[[int, int], None]  # sheets done, sheets in all
NAMED = 5  # late files whose names the JSON report lists


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
        plan, later, saved = _plan(output, identity, sources)
        partitions = plan_partitions(output, identity, saved, plan, options.partition)
        passed_over = saved["passed_over"]
        rows = PartRows(bundle.card, plan.checksum, options.heatmaps, mixed=mixed)
        missing, damaged = _missing_parts(output, plan, rows)
        kept = plan.sheets - sum(_length(plan, number) for number in missing)
        started = time.perf_counter()
        done = kept
        job = ScanJob(bundle, plan, output.work, missing, rows, options, machine_facts(engine))
        begun = (
            _run_here(job, engine, identity.bundle["checksum"], workers or cores())
            if run_parts is None
            else run_parts(job)
        )
        finished = output.keep(begun)
        with closing(finished):  # also where `progress` raises: workers end before the caller goes on
            for part in finished:
                done += part.sheets
                if progress is not None:
                    progress(done, plan.sheets)
        seconds = time.perf_counter() - started
        if partitions is not None:
            write_partitions(output, plan.parts, partitions.pattern)
        output.expect(range(plan.parts))
        summary = summarise(output.work, map(output.read_part, range(plan.parts)), bundle.card)
        about = {"model_id": bundle.card.model_id, "engine": engine.about}
        write_summary(output.work, summary, **about, passed_over=passed_over)
        save_certificate(output.work, identity, saved, summary)
        if options.page:
            _write_page(output.work, summary, bundle, engine, plan, passed_over)
        output.publish(QUARANTINE, SUMMARY, SCAN_FILE, REPORT, REPORT_NUMBERS)
    return ScanReport(
        out=output.place,
        summary=summary,
        scanned=done - kept,
        kept=kept,
        rewritten=tuple(damaged),
        transient=summary.transient,
        later=tuple(later),
        passed_over=len(passed_over),
        partitions=partitions,
        seconds=seconds,
        engine=engine.about,
        page=output.place / REPORT if options.page else None,
    )


def save_certificate(
    out: Path, identity: ScanIdentity, facts: Mapping[str, Any], summary: ScanSummary
) -> None:
    """Write into scan.json what the scan says of the certificate, where it can say something."""
    if summary.certificate is not None:
        save_scan(out, identity, **facts, certificate=summary.certificate.as_dict())


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


def _plan(
    output: ScanOutput, identity: ScanIdentity, sources: Sequence[Path | str]
) -> tuple[ScanPlan, list[str], dict[str, Any]]:
    """The plan of an output, made now or earlier; names of later files; the plan's facts in scan.json."""
    saved = output.load(identity)
    listed = SourceWalk(sources)
    if saved is None:
        plan = write_plan(output.work, listed, PART)
        passed_over = [{"name": each.id, "reason": each.reason} for each in listed.passed_over]
        facts = {
            "plan": {"sheets": plan.sheets, "part": PART, "checksum": plan.checksum},
            "passed_over": passed_over,
        }
        save_scan(output.work, identity, **facts)
        output.publish(PLAN_FILE, SCAN_FILE)
        return plan, [], facts
    plan = open_plan(output.work, shown=output.place / PLAN_FILE)
    if plan.checksum != saved.get("plan", {}).get("checksum"):
        raise BadOutput(
            f"{output.place / PLAN_FILE}: expected the plan named in {SCAN_FILE}, got another; "
            "scan again with --fresh"
        )
    planned, later = PlannedFiles(plan), []
    for sheet in listed:
        if planned.is_changed(sheet):
            raise BadOutput(
                f"{sheet.path}: the archive was changed since the scan into {output.place} began; use --fresh"
            )
        if sheet not in planned:
            later.append(sheet.name)
    facts = {"plan": saved["plan"], "passed_over": saved.get("passed_over", [])}
    return plan, later, facts | {key: saved[key] for key in ("partition",) if key in saved}


def _missing_parts(output: ScanOutput, plan: ScanPlan, rows: PartRows) -> tuple[list[int], list[int]]:
    """Numbers of the parts to scan, and of those among them that exist but are damaged.

    A part with images that could not be read then, and can be read now, is scanned again.
    """
    present = output.part_names()
    ours = {part_path(output.work, number).name: number for number in range(plan.parts)}
    foreign = sorted(present - set(ours))
    if foreign:
        raise BadOutput(
            f"{output.place / VERDICTS / foreign[0]}: expected parts of this scan alone; "
            "remove it, or use --fresh"
        )
    output.expect(ours.values())
    missing, damaged = [], []
    for name, number in ours.items():
        table = _whole_part(output, plan, rows, number) if name in present else None
        if table is None and name in present:
            damaged.append(number)
        if table is None or (has_transient_rows(table) and is_readable_now(table, plan.part(number))):
            missing.append(number)
    return missing, damaged


def _whole_part(output: ScanOutput, plan: ScanPlan, rows: PartRows, number: int) -> pa.Table | None:
    try:
        table = output.read_part(number, rows.schema(number))
    except BadOutput:
        return None
    start = number * PART
    expected = list(range(start, start + _length(plan, number)))
    return table if table["index"].to_pylist() == expected else None


def _length(plan: ScanPlan, number: int) -> int:
    return min(PART, plan.sheets - number * PART)


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
    for number in sorted({index // PART for index in wanted}):
        sheets.update({sheet.index: sheet for sheet in plan.part(number) if sheet.index in wanted})
    return write_page(out, summary, bundle, engine, sheets, passed_over)


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
