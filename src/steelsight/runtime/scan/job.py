"""What a scan gives to that which scans its parts: worker processes here, or the nodes of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from steelsight.runtime.bundle.open import Bundle
from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.parts import PartRows
from steelsight.runtime.scan.plan import ScanPlan

__all__ = ["FinishedPart", "RunParts", "ScanJob"]


@dataclass(frozen=True)
class FinishedPart:
    """A part that is written."""

    part: int
    sheets: int


@dataclass(frozen=True, eq=False)
class ScanJob:
    """Parts of a plan that are to be scanned into a folder that this process has locked."""

    bundle: Bundle
    plan: ScanPlan
    out: Path
    parts: Sequence[int]  # numbers in the plan
    rows: PartRows
    options: ScanOptions
    machine: Mapping[str, str]  # what rows depend on beside bundle and options, see `output.machine_facts`


RunParts: TypeAlias = Callable[[ScanJob], Generator[FinishedPart, None, None]]
"""Write the parts of a job; yields each when it is written.

When it ends or is closed, nothing writes to the job's folder any more.
raises  what a worker raised; ScanIncomplete, after all other parts, where a worker died at one
"""
