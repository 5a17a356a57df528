"""The size of a mill from the measured speed of one machine: pure arithmetic, nothing is measured here.

A day has 86,400 s, a month 730.5 h, a GB 10^9 bytes, and a kB 1,000. Of the speed that was measured, and of
what a ledger takes, `SHARE` is planned at the peak; the rest is head room for what a plan does not know.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from steelsight.errors import BadInput
from steelsight.runtime.capacity.options import PlanOptions

__all__ = ["LEDGERS", "SHARE", "LedgerKind", "MachineSpeed", "MillPlan", "count_for", "plan_mill"]

SHARE: Final = 0.8  # of a measured speed that is planned, at the peak
DAY_S: Final = 86_400
MONTH_H: Final = 730.5
GB: Final = 1e9


@dataclass(frozen=True)
class LedgerKind:
    """What a ledger's database takes, as measured in docs/results/service.md and docs/results/scale.md."""

    name: str
    verdicts_per_s: float  # with chain and read models, 100 sheets a commit
    verdict_bytes: float  # on disk, with indexes


# SQLite serves one machine, PostgreSQL several.
LEDGERS: Final = {
    "sqlite": LedgerKind("SQLite", 4289.0, 2420.0),
    "postgresql": LedgerKind("PostgreSQL", 3846.0, 3130.0),
}


@dataclass(frozen=True)
class MachineSpeed:
    """What was measured on one machine."""

    cores: int
    workers: int  # processes that the measured scan used
    sheets_per_s: float  # of them together, from image files to written rows, once they have started
    image_bytes: float  # mean size of the measured image files
    row_bytes: float  # of a sheet's row in the Parquet files
    worker_mib: float | None  # most memory of one process; None = not known

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and not 0 < value < math.inf:
                raise BadInput(f"{name}: expected a measured number above 0, got {value}")


@dataclass(frozen=True)
class MillPlan:
    """What a mill needs. Rates are sheets a second."""

    sheets_per_day: float
    average_per_s: float
    peak: float  # over the average
    peak_per_s: float
    node_cores: int
    node_per_s: float  # of one node at full speed
    nodes: int  # whole ones, of which SHARE of the speed is enough for the peak
    node_memory_gib: float | None  # of the processes of a node alone
    sheet_bytes: float
    measured_sheet_bytes: float  # of the images that the speed was measured with
    node_mbit_per_s: float  # image files into one node at the peak
    image_gb: float  # after image_days
    parquet_gb: float  # after verdict_days
    ledger_gb: float  # after verdict_days, in `ledger`
    image_days: float
    image_share: float
    verdict_days: float
    ledger: str  # key of LEDGERS: sqlite for one node, else postgresql
    ledger_per_s: float  # verdicts a second that it takes
    unmeasured_cores: int  # of the measured machine, which its scan left idle
    monthly_cost: Mapping[str, float]  # by price name, of the prices that were given

    @property
    def stored_gb(self) -> float:
        """Images, Parquet rows and ledger together."""
        return self.image_gb + self.parquet_gb + self.ledger_gb

    @property
    def total_cost(self) -> float | None:
        """A month's cost of what has a price; None without prices."""
        return sum(self.monthly_cost.values()) if self.monthly_cost else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "stored_gb": self.stored_gb, "total_cost": self.total_cost, "share": SHARE}


def plan_mill(speed: MachineSpeed, options: PlanOptions) -> MillPlan:
    """Nodes, storage, network, ledger and cost of a mill.

    speed    of one machine; a node is planned to be as fast a core
    options  with `plan`, the sheets a day
    raises   BadInput without `plan`
    """
    if options.plan is None:
        raise BadInput("plan: expected the sheets a day, got none")
    average = options.plan / DAY_S
    peak = average * options.peak
    cores = options.node_cores or speed.cores
    node = speed.sheets_per_s / speed.workers * cores
    nodes = count_for(peak, node)
    size = speed.image_bytes if options.sheet_kb is None else options.sheet_kb * 1000
    ledger = "sqlite" if nodes == 1 else "postgresql"
    image_gb = options.plan * options.image_share * options.image_days * size / GB
    verdicts = options.plan * options.verdict_days
    parquet_gb, ledger_gb = (
        verdicts * each / GB for each in (speed.row_bytes, LEDGERS[ledger].verdict_bytes)
    )
    units = {
        "node-hour": nodes * MONTH_H,
        "gb-month": image_gb + parquet_gb + ledger_gb,
        "million-verdicts": options.plan * MONTH_H / 24 / 1e6,
    }
    return MillPlan(
        sheets_per_day=options.plan,
        average_per_s=average,
        peak=options.peak,
        peak_per_s=peak,
        node_cores=cores,
        node_per_s=node,
        nodes=nodes,
        node_memory_gib=None if speed.worker_mib is None else speed.worker_mib * cores / 1024,
        sheet_bytes=size,
        measured_sheet_bytes=speed.image_bytes,
        node_mbit_per_s=peak / nodes * size * 8 / 1e6,
        image_gb=image_gb,
        parquet_gb=parquet_gb,
        ledger_gb=ledger_gb,
        image_days=options.image_days,
        image_share=options.image_share,
        verdict_days=options.verdict_days,
        ledger=ledger,
        ledger_per_s=LEDGERS[ledger].verdicts_per_s,
        unmeasured_cores=max(0, speed.cores - speed.workers),
        monthly_cost={name: price * units[name] for name, price in options.prices().items()},
    )


def count_for(peak_per_s: float, each_per_s: float) -> int:
    """Whole nodes or ledgers of which SHARE of the speed is enough for a rate; at least one.

    A quotient that is whole but for the last digits of floating point counts as whole.
    """
    return max(1, math.ceil(round(peak_per_s / (SHARE * each_per_s), 9)))
