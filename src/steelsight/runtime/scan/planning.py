"""What a scan has to do: its plan, made now or by an earlier call, and the parts that are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from steelsight.errors import BadOutput
from steelsight.runtime.scan.output import SCAN_FILE, ScanIdentity, save_scan
from steelsight.runtime.scan.outputs.choose import ScanOutput
from steelsight.runtime.scan.parts import VERDICTS, PartRows, part_path
from steelsight.runtime.scan.plan import PLAN_FILE, ScanPlan, open_plan, write_plan
from steelsight.runtime.scan.planned_files import PlannedFiles
from steelsight.runtime.scan.retry import has_transient_rows, is_readable_now
from steelsight.runtime.scan.sources import SourceWalk

__all__ = ["PlannedScan", "make_plan", "missing_parts"]


@dataclass(frozen=True)
class PlannedScan:
    """The plan of an output, made now or by an earlier call."""

    plan: ScanPlan
    facts: dict[str, Any]  # of the plan, as scan.json has them
    later: tuple[str, ...]  # names of files that came after the plan was made


def make_plan(
    output: ScanOutput, identity: ScanIdentity, sources: Sequence[Path | str], part: int
) -> PlannedScan:
    """Plan an output, or open the plan that an earlier call made.

    part    sheets of a part, where the plan is made now
    raises  BadSource; BadOutput where the output is another scan's, or an archive was changed since
    """
    saved = output.load(identity)
    listed = SourceWalk(sources)
    if saved is not None:
        return _continue(output, saved, listed)
    plan = write_plan(output.work, listed, part)
    passed_over = [{"name": each.id, "reason": each.reason} for each in listed.passed_over]
    facts = {
        "plan": {"sheets": plan.sheets, "part": part, "checksum": plan.checksum},
        "passed_over": passed_over,
    }
    save_scan(output.work, identity, **facts)
    output.publish(PLAN_FILE, SCAN_FILE)
    return PlannedScan(plan, facts, ())


def _continue(output: ScanOutput, saved: Mapping[str, Any], listed: SourceWalk) -> PlannedScan:
    """The plan of an earlier call; raises BadOutput."""
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
    facts |= {key: saved[key] for key in ("partition",) if key in saved}
    return PlannedScan(plan, facts, tuple(later))


def missing_parts(output: ScanOutput, plan: ScanPlan, rows: PartRows) -> tuple[list[int], list[int]]:
    """Numbers of the parts to scan, and of those among them that exist but are damaged.

    A part with images that could not be read then, and can be read now, is scanned again.
    raises  BadOutput where a file of another scan lies among the parts
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
    start = number * plan.part_sheets
    expected = list(range(start, start + plan.length(number)))
    return table if table["index"].to_pylist() == expected else None
