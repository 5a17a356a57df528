"""What a computer can process, and what a mill of such computers needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable

if TYPE_CHECKING:
    from steelsight.runtime.capacity.mill import MillPlan
    from steelsight.runtime.capacity.options import PlanOptions
    from steelsight.runtime.sizing import Sizing

__all__ = ["BenchResult"]


@dataclass(frozen=True, eq=False, repr=False)
class BenchResult(NotebookResult):
    """The measurements of one computer, and the plan of a mill where one was asked for."""

    sizing: Sizing  # all of it; its fields are not part of the API's promise
    options: PlanOptions

    @property
    def sheets_per_s(self) -> float:
        """Sheets a second of whole scans, from image files to written rows."""
        return self.sizing.sheets_per_s

    @property
    def cameras(self) -> int:
        """How many cameras `planned_load` of the measured speed is enough for."""
        return self.sizing.cameras

    @property
    def planned_load(self) -> float:
        """The share of the measured speed that is planned with, 0 to 1."""
        from steelsight.runtime.capacity.mill import SHARE

        return SHARE

    @cached_property
    def plan(self) -> MillPlan | None:
        """Nodes, storage, network, ledger and cost of a mill; None where no `plan` was given."""
        from steelsight.runtime.capacity.mill import plan_mill

        return None if self.options.plan is None else plan_mill(self.sizing.speed, self.options)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The plan in sentences; none without a plan."""
        from steelsight.runtime.capacity.wording import describe

        return () if self.plan is None else tuple(describe(self.plan))

    @property
    def title(self) -> str:
        """The speed of whole scans, and the cameras that follow."""
        sizing = self.sizing
        return f"{sizing.sheets_per_s:,.0f} sheets/s: {sizing.cameras} cameras of {sizing.rate:g} sheets/s"

    def as_dict(self) -> dict[str, Any]:
        """Every measurement, and the plan with its sentences as `plan` where there is one."""
        facts = self.sizing.as_dict()
        if self.plan is not None:
            facts["plan"] = self.plan.as_dict() | {"sentences": self.sentences}
        values: dict[str, Any] = plain(facts)
        return values

    def table(self) -> ResultTable:
        """One row an engine and precision: ms of one core a sheet, and quantiles of the latency in ms."""
        titles = ("engine", "precision", "core ms a sheet", "latency p50 ms", "p90 ms", "p99 ms", "chosen")
        rows = (
            (each.engine, each.precision, each.core_ms, each.p50_ms, each.p90_ms, each.p99_ms, each.chosen)
            for each in self.sizing.engines
        )
        return ResultTable(titles, tuple(rows))
