"""What a plan says in sentences: each is chosen by a rule from the plan's numbers, and states them."""

from __future__ import annotations

from typing import Final

from steelsight.runtime.capacity.mill import LEDGERS, SHARE, MillPlan, count_for

__all__ = ["describe"]

LINKS_GBIT: Final = (1, 10, 25, 100)  # of which SHARE is planned too
COST_UNITS: Final = {"node-hour": "nodes", "gb-month": "storage", "million-verdicts": "verdicts"}


def describe(plan: MillPlan) -> list[str]:
    """Sentences about a plan, in the order: load, nodes, ledger, storage, network, cost, limits."""
    sentences = [_load(plan), _nodes(plan), _loss(plan), _ledger(plan), _storage(plan), _network(plan)]
    if plan.total_cost is not None:
        sentences.append(_cost(plan, plan.total_cost))
    return [*sentences, *_limits(plan)]


def _load(plan: MillPlan) -> str:
    even = " (a peak of 1: sheets come evenly through 24 hours)" if plan.peak == 1 else ""
    return (
        f"load: {plan.sheets_per_day:,.0f} sheets a day, "
        f"{_number(plan.average_per_s)} a second on the average, {_number(plan.peak_per_s)} at the peak{even}"
    )


def _nodes(plan: MillPlan) -> str:
    busy = plan.peak_per_s / (plan.nodes * plan.node_per_s)
    memory = (
        ""
        if plan.node_memory_gib is None
        else f"; the processes of a node take up to {_number(plan.node_memory_gib)} GiB"
    )
    return (
        f"nodes: {plan.nodes:,} of {_count(plan.node_cores, 'core')}, "
        f"{_number(plan.node_per_s)} sheets/s each, "
        f"which are {busy:.1%} busy at the peak (at most {SHARE:.0%} is planned){memory}"
    )


def _loss(plan: MillPlan) -> str:
    """What the nodes do while one of them is away."""
    left = (plan.nodes - 1) * plan.node_per_s
    if plan.nodes == 1:
        return (
            "without a node: there is one alone, and sheets wait while it is away; a second one is the spare"
        )
    rest = f"without a node: the others process {_number(left)} sheets/s, "
    if left >= plan.peak_per_s:
        return f"{rest}enough for the peak, with less head room"
    if left > plan.average_per_s:
        return f"{rest}enough for the average but not for the peak: sheets wait and are caught up on later"
    return f"{rest}not enough for the average: the queue grows until it is back"


def _ledger(plan: MillPlan) -> str:
    """Whether the ledger takes the verdicts."""
    name, most = LEDGERS[plan.ledger].name, plan.ledger_per_s
    rates = f"{_number(plan.peak_per_s)} verdicts/s at the peak, {most:,.0f} measured for {name}: "
    if plan.peak_per_s <= SHARE * most:
        words = "enough"
    elif plan.peak_per_s <= most:
        words = f"enough, with less than {1 - SHARE:.0%} head room"
    elif plan.average_per_s < most:
        words = (
            "enough for the average but not for the peak: entries wait in the spools of the stations and are "
            "caught up on later"
        )
    else:
        ledgers = count_for(plan.peak_per_s, LEDGERS["postgresql"].verdicts_per_s)
        words = f"not enough for the average: divide the stations among {ledgers:,} PostgreSQL ledgers"
    return f"ledger: {rates}{words}"


def _storage(plan: MillPlan) -> str:
    share = "all sheets" if plan.image_share == 1 else f"{plan.image_share:.3g} of the sheets"
    images = f"images {_bytes(plan.image_gb)} ({share}, {_days(plan.image_days)})"
    ledger = f"the {LEDGERS[plan.ledger].name} ledger {_bytes(plan.ledger_gb)}"
    return (
        f"storage: {images}, Parquet rows of scans {_bytes(plan.parquet_gb)} and {ledger} "
        f"after {_days(plan.verdict_days)}; entries of a ledger are never removed, "
        "and images of reviewed, doubtful and drawn sheets are kept longer"
    )


def _network(plan: MillPlan) -> str:
    rate = plan.node_mbit_per_s
    fits = next((link for link in LINKS_GBIT if rate <= SHARE * link * 1000), None)
    words = (
        f"a link of {fits} Gbit/s is enough"
        if fits
        else f"more than a link of {LINKS_GBIT[-1]} Gbit/s takes: plan nodes with fewer cores"
    )
    return f"network: {_number(rate)} Mbit/s of images into each node at the peak; {words}"


def _cost(plan: MillPlan, total: float) -> str:
    """The cost of what has a price, and what has none."""
    parts = ", ".join(f"{COST_UNITS[name]} {_number(cost)}" for name, cost in plan.monthly_cost.items())
    without = [words for name, words in COST_UNITS.items() if name not in plan.monthly_cost]
    rest = f"; not counted, for want of a price: {', '.join(without)}" if without else ""
    return f"cost: {_number(total)} a month in the currency of the prices ({parts}){rest}"


def _limits(plan: MillPlan) -> list[str]:
    """Where the measurement does not fit the plan."""
    found = []
    ratio = plan.sheet_bytes / plan.measured_sheet_bytes
    if not 1 / 1.5 <= ratio <= 1.5:
        measured, planned = (
            f"{each / 1000:,.1f} kB" for each in (plan.measured_sheet_bytes, plan.sheet_bytes)
        )
        found.append(
            f"note: the speed was measured on images of {measured}, and the plan has {planned}: "
            "decoding takes another time; measure your own with --data"
        )
    if plan.unmeasured_cores:
        found.append(
            f"note: the measured scan left {_count(plan.unmeasured_cores, 'core')} of this machine idle: "
            "cores that share memory may be slower; give more --sheets"
        )
    return found


def _number(value: float) -> str:
    """Three digits at least, and all digits before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.3g}"


def _bytes(gigabytes: float) -> str:
    """GB, TB or PB (10^9, 10^12, 10^15 bytes)."""
    for unit in ("GB", "TB", "PB"):
        if gigabytes < 1000 or unit == "PB":
            break
        gigabytes /= 1000
    return f"{_number(gigabytes)} {unit}"


def _days(days: float) -> str:
    return f"{days:,g} day" + "s" * (days != 1)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + "s" * (number != 1)
