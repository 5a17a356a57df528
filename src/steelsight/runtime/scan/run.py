"""Scans sheets into Parquet rows: planned once, judged part by part, and gone on with wherever it stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelsight.errors import BadInput, BadOutput
from steelsight.files import PARTIAL
from steelsight.runtime.bundle.open import Bundle, open_bundle
from steelsight.runtime.engine.engine import BATCH, Engine, open_engine
from steelsight.runtime.scan.judge import PartJudge
from steelsight.runtime.scan.output import SCAN_FILE, ScanIdentity, hold, identify, load_scan, save_scan
from steelsight.runtime.scan.parts import VERDICTS, PartRows, part_path, read_part, write_part
from steelsight.runtime.scan.plan import PART, ScanPlan, open_plan, write_plan
from steelsight.runtime.scan.sources import PlannedSheet, list_sources
from steelsight.runtime.scan.summary import ScanSummary, summarise, write_summary
from steelsight.runtime.scan.workers import FinishedPart, run_parts

__all__ = ["ScanReport", "TrainingProgress", "cores", "scan"]

TrainingProgress = Callable[[int, int], None]  # sheets done, sheets in all
NAMED = 5  # files that came after the plan


@dataclass(frozen=True)
class ScanReport:
    """A scan that is done."""

    out: Path
    summary: ScanSummary
    judged: int  # sheets, in this run
    kept: int  # sheets an earlier run had judged
    rewritten: tuple[int, ...]  # parts that were there and were damaged
    later: tuple[str, ...]  # files that came after the plan was made; they are no part of it
    passed_over: int  # places with files that are no images
    seconds: float  # of judging and writing, without listing and report
    engine: str
    page: Path | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "out": str(self.out),
            **self.summary.as_dict(),
            "judged": self.judged,
            "kept": self.kept,
            "rewritten": list(self.rewritten),
            "later": len(self.later),
            "later_names": list(self.later[:NAMED]),
            "passed_over": self.passed_over,
            "seconds": round(self.seconds, 3),
            "sheets_per_s": round(self.judged / self.seconds, 1) if self.judged and self.seconds else None,
            "engine": self.engine,
            "report": None if self.page is None else str(self.page),
        }


def scan(
    bundle_folder: Path | str,
    sources: Sequence[Path | str],
    out: Path | str,
    *,
    engine: str = "openvino",
    workers: int | None = None,
    batch: int = BATCH,
    heatmaps: bool = False,
    fresh: bool = False,
    page: bool = True,
    progress: TrainingProgress | None = None,
) -> ScanReport:
    """Judge every sheet of SOURCES and write OUT: plan, verdicts, bad files, summary and report.

    Called again with the same bundle, sources and options it goes on where it stopped, and what it writes is
    what one uninterrupted run would have written.

    sources   image files, folders, patterns, tar and zip archives
    workers   processes; None = one a processor core. A scan of one part runs in this process
    heatmaps  write the signed maps of all classes too, 2 bytes a cell; see parts.read_maps
    fresh     forget an earlier scan in OUT
    page      write report.html
    raises    BadBundle, BadSource, BadOutput, BadInput; ScanIncomplete where a worker died;
              KeyboardInterrupt after a clean stop
    """
    out = Path(out)
    if workers is not None and workers < 1:
        raise BadInput(f"workers: expected at least 1, got {workers}")
    bundle = open_bundle(Path(bundle_folder))
    opened = open_engine(bundle, engine, threads=1, batch=batch)  # as each worker has it: the same rows
    identity = identify(bundle, sources, opened, heatmaps=heatmaps, watch=False)
    with hold(out, fresh=fresh):
        plan, later, passed_over = _plan(out, identity, sources)
        rows = PartRows(bundle.card, plan.checksum, heatmaps)
        missing, rewritten = _missing(out, plan, rows)
        kept = plan.sheets - sum(_length(plan, number) for number in missing)
        started = time.perf_counter()
        judge = PartJudge(bundle, opened, rows)
        settings = {
            "bundle": str(bundle.folder.resolve()),
            "checksum": identity.bundle["checksum"],
            "out": str(out.resolve()),
            "plan": plan.checksum,
            "engine": engine,
            "batch": batch,
            "heatmaps": heatmaps,
        }
        done = kept
        for part in _judge(judge, plan, out, missing, settings, workers or cores()):
            done += part.sheets
            if progress is not None:
                progress(done, plan.sheets)
        seconds = time.perf_counter() - started
        summary = summarise(out, (read_part(out, number) for number in range(plan.parts)), bundle.card)
        write_summary(
            out, summary, model_id=bundle.card.model_id, engine=opened.about, passed_over=passed_over
        )
        shown = None
        if page:
            shown = _page(out, summary, bundle, opened, plan, passed_over)
    return ScanReport(
        out,
        summary,
        done - kept,
        kept,
        tuple(rewritten),
        tuple(later),
        len(passed_over),
        seconds,
        opened.about,
        shown,
    )


def _plan(
    out: Path, identity: ScanIdentity, sources: Sequence[Path | str]
) -> tuple[ScanPlan, list[str], list[dict[str, str]]]:
    """The plan of OUT, made now or before; files that came later; what was passed over when it was made."""
    saved = load_scan(out, identity)
    listing = list_sources(sources)
    if saved is None:
        plan = write_plan(out, listing.sheets, PART)
        passed_over = [{"name": each.id, "reason": each.reason} for each in listing.passed_over]
        facts = {"sheets": plan.sheets, "part": PART, "checksum": plan.checksum}
        save_scan(out, identity, plan=facts, passed_over=passed_over)
        return plan, [], passed_over
    plan = open_plan(out)
    if plan.checksum != saved.get("plan", {}).get("checksum"):
        raise BadOutput(f"{plan.path}: not the plan that {SCAN_FILE} knows; begin again with --fresh")
    planned = {(sheet.path, _place(sheet)) for sheet in plan}
    stamps = {sheet.path: sheet.member.stamp for sheet in plan if sheet.member}
    for sheet in listing.sheets:
        if sheet.member and stamps.get(sheet.path, sheet.member.stamp) != sheet.member.stamp:
            raise BadOutput(
                f"{sheet.path}: the archive was changed since the scan into {out} began; use --fresh"
            )
    later = [sheet.name for sheet in listing.sheets if (sheet.path, _place(sheet)) not in planned]
    return plan, later, saved.get("passed_over", [])


def _place(sheet: PlannedSheet) -> int | str:
    """What tells the sheets of one archive apart."""
    return sheet.member.offset if sheet.member else sheet.detail


def _missing(out: Path, plan: ScanPlan, rows: PartRows) -> tuple[list[int], list[int]]:
    """Parts to do, and those of them that are there and damaged."""
    there = {path.name for path in (out / VERDICTS).iterdir() if not path.name.endswith(PARTIAL)}
    ours = {part_path(out, number).name: number for number in range(plan.parts)}
    strange = sorted(there - set(ours))
    if strange:
        raise BadOutput(
            f"{out / VERDICTS / strange[0]}: no part of this scan; remove it, or begin with --fresh"
        )
    damaged = [
        number for name, number in ours.items() if name in there and not _whole(out, plan, rows, number)
    ]
    absent = [number for name, number in ours.items() if name not in there]
    return sorted(absent + damaged), damaged


def _whole(out: Path, plan: ScanPlan, rows: PartRows, number: int) -> bool:
    try:
        table = read_part(out, number, rows.schema(number))
    except BadOutput:
        return False
    start = number * PART
    return bool(table["index"].to_pylist() == list(range(start, start + _length(plan, number))))


def _length(plan: ScanPlan, number: int) -> int:
    return min(PART, plan.sheets - number * PART)


def _judge(
    judge: PartJudge,
    plan: ScanPlan,
    out: Path,
    missing: Sequence[int],
    settings: Mapping[str, Any],
    workers: int,
) -> Iterator[FinishedPart]:
    """Parts as they are written. Which way depends on the plan alone, never on what is left of it."""
    if plan.parts > 1:
        yield from run_parts(settings, missing, workers)
        return
    for number in missing:
        sheets = plan.part(number)
        write_part(out, number, judge(number, sheets))
        judge.close()
        yield FinishedPart(number, len(sheets))


def _page(
    out: Path,
    summary: ScanSummary,
    bundle: Bundle,
    engine: Engine,
    plan: ScanPlan,
    passed_over: list[dict[str, str]],
) -> Path:
    from steelsight.runtime.scan.page import write_page  # matplotlib, only where a page is drawn

    sheets = {}
    for number in sorted({shown.index // PART for shown in summary.shown}):
        wanted = {shown.index for shown in summary.shown}
        sheets.update({sheet.index: sheet for sheet in plan.part(number) if sheet.index in wanted})
    return write_page(out, summary, bundle, engine, sheets, passed_over)


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
