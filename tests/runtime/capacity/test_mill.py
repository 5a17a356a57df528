"""The size of a mill: recomputed by hand, by properties, and at the edges of what its sentences claim."""

import math
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadInput, BadRecipe
from steelsight.runtime.capacity.mill import LEDGERS, SHARE, MachineSpeed, MillPlan, count_for, plan_mill
from steelsight.runtime.capacity.options import PlanOptions
from steelsight.runtime.capacity.wording import describe


def speed(**changes: object) -> MachineSpeed:
    """Two cores of 100 sheets/s each, images of 100 kB, rows of 80 bytes, 300 MiB a process."""
    values = {"cores": 2, "workers": 2, "sheets_per_s": 200.0, "image_bytes": 1e5, "row_bytes": 80.0}
    return MachineSpeed(**{**values, "worker_mib": 300.0, **changes})


def sentence(plan: MillPlan, start: str) -> str:
    (found,) = [each for each in describe(plan) if each.startswith(start)]
    return found


def at_rates(average: float, peak: float, **changes: object) -> MillPlan:
    """A plan with so many sheets a second on the average, and at the peak."""
    return plan_mill(speed(**changes), PlanOptions(plan=average * 86_400.0, peak=peak / average))


def test_a_mill_computed_by_hand():
    options = PlanOptions(
        plan=8_640_000.0,  # 100 a second
        peak=4.0,  # 400 a second: 400 / (.8 x 8 cores x 100) = .625 nodes of eight cores
        sheet_kb=200.0,
        image_days=10.0,
        image_share=0.5,
        verdict_days=100.0,
        node_cores=8,
        price=("node-hour=2", "gb-month=0.1", "million-verdicts=3"),
    )
    plan = plan_mill(speed(), options)
    assert (plan.average_per_s, plan.peak_per_s, plan.node_per_s, plan.nodes) == (100, 400, 800, 1)
    assert plan.node_memory_gib == 300 * 8 / 1024
    assert plan.image_gb == pytest.approx(8_640_000 * 0.5 * 10 * 200_000 / 1e9)
    assert plan.parquet_gb == pytest.approx(8_640_000 * 100 * 80 / 1e9)
    assert plan.ledger_gb == pytest.approx(8_640_000 * 100 * LEDGERS["sqlite"].verdict_bytes / 1e9)
    assert plan.node_mbit_per_s == pytest.approx(400 * 200_000 * 8 / 1e6)
    assert dict(plan.monthly_cost) == pytest.approx(
        {
            "node-hour": 730.5 * 2,
            "gb-month": plan.stored_gb * 0.1,
            "million-verdicts": 8.64 * 730.5 / 24 * 3,
        }
    )
    assert plan.total_cost == pytest.approx(sum(plan.monthly_cost.values()))


def test_what_is_left_out_is_taken_from_the_measured_machine():
    plan = plan_mill(speed(cores=16, workers=4), PlanOptions(plan=1e6))
    assert (plan.node_cores, plan.node_per_s, plan.sheet_bytes) == (16, 50 * 16, 1e5)
    assert plan.unmeasured_cores == 12
    assert "12 cores of this machine idle" in sentence(plan, "note")
    assert plan.total_cost is None
    assert not [each for each in describe(plan) if each.startswith("cost")]


@pytest.mark.parametrize(
    ("peak", "node", "nodes"),
    [
        (240, 100, 3),  # 3 x 80 exactly: a whole quotient is not rounded up
        (240.0001, 100, 4),  # and the least more is
        (0.001, 100, 1),
        (0.3, 0.1 / SHARE, 3),  # 3.0000000000000004 by floating point
        (80, 100, 1),
        (81, 100, 2),  # below 100, which one node does at full speed: the head room is kept
    ],
)
def test_nodes_are_whole_ones_with_head_room(peak, node, nodes):
    assert count_for(float(peak), float(node)) == nodes


@given(st.floats(1e-3, 1e6), st.floats(1e-2, 1e5))
def test_nodes_are_enough_and_one_less_is_not(peak, node):
    nodes = count_for(peak, node)
    share = Fraction(peak) / (Fraction(node) * nodes)
    assert share <= Fraction(SHARE) * (1 + Fraction(1, 10**6))
    if nodes > 1:
        assert Fraction(peak) / (Fraction(node) * (nodes - 1)) > Fraction(SHARE) * (1 - Fraction(1, 10**6))


@given(st.floats(1, 1e9), st.floats(1, 100), st.floats(1, 2))
def test_more_sheets_or_a_higher_peak_never_need_less(sheets, peak, more):
    plan = plan_mill(speed(), PlanOptions(plan=sheets, peak=peak))
    for other in (PlanOptions(plan=sheets * more, peak=peak), PlanOptions(plan=sheets, peak=peak * more)):
        larger = plan_mill(speed(), other)
        assert larger.nodes >= plan.nodes
        assert larger.stored_gb >= plan.stored_gb * (1 - 1e-12)


# ---- sentences: what they claim, attacked where it turns ----


def test_enough_for_the_average_is_not_said_to_be_enough_for_the_peak():
    most = LEDGERS["postgresql"].verdicts_per_s
    words = sentence(at_rates(most / 2, most * 1.01), "ledger")
    assert "enough for the average but not for the peak" in words
    assert f"{most:,.0f} measured for PostgreSQL" in words
    assert f"{most * 1.01:,.0f} verdicts/s at the peak" in words


@pytest.mark.parametrize(
    ("average", "peak", "claim"),
    [
        (0.3, 0.80, "enough"),
        (0.3, 0.81, "enough, with less than 20% head room"),
        (0.3, 1.00, "enough, with less than 20% head room"),
        (0.3, 1.01, "enough for the average but not for the peak"),
        (0.99, 50.0, "enough for the average but not for the peak"),
        (1.00, 1.00, "enough, with less than 20% head room"),
        (1.01, 1.01, "not enough for the average: divide the stations among 2 PostgreSQL ledgers"),
        (1.5, 8.01, "not enough for the average: divide the stations among 11 PostgreSQL ledgers"),
    ],
)
def test_the_ledger_is_compared_with_its_measured_capacity(average, peak, claim):
    most = LEDGERS["postgresql"].verdicts_per_s
    told = sentence(at_rates(average * most, peak * most), "ledger").partition(": ")[2].partition(": ")[2]
    assert told == claim or told.startswith(f"{claim}: entries wait")


def test_one_node_has_sqlite_and_several_have_postgresql():
    one, two = at_rates(79, 80, sheets_per_s=100.0), at_rates(79, 81, sheets_per_s=100.0)
    assert (one.nodes, one.ledger, two.nodes, two.ledger) == (1, "sqlite", 2, "postgresql")
    assert "SQLite" in sentence(one, "ledger")
    assert "SQLite" not in "".join(describe(two))
    assert "SQLite ledger" in sentence(one, "storage")


@pytest.mark.parametrize(
    ("average", "peak", "nodes", "claim"),
    [
        (10, 80, 1, "there is one alone"),
        (10, 100, 2, "enough for the peak, with less head room"),
        (10, 100.5, 2, "enough for the average but not for the peak"),
        (99, 160, 2, "enough for the average but not for the peak"),
        (100, 160, 2, "not enough for the average"),  # the queue never grows shorter
        (120, 160, 2, "not enough for the average"),
        (500, 800, 10, "enough for the peak, with less head room"),
    ],
)
def test_what_happens_without_a_node(average, peak, nodes, claim):
    plan = at_rates(average, peak, sheets_per_s=100.0)
    assert plan.nodes == nodes
    told = sentence(plan, "without a node")
    assert re.search(rf": {claim}|, {claim}", told), told


@given(st.floats(1, 1e10), st.floats(1, 1000), st.floats(0.1, 1e5), st.integers(1, 4096))
def test_every_claim_follows_from_the_numbers(sheets, peak, rate, cores):
    plan = plan_mill(speed(sheets_per_s=rate), PlanOptions(plan=sheets, peak=peak, node_cores=cores))
    words = {each.partition(":")[0]: each for each in describe(plan)}
    left = (plan.nodes - 1) * plan.node_per_s
    assert (", enough for the peak" in words["without a node"]) == (
        plan.nodes > 1 and left >= plan.peak_per_s
    )
    assert words["ledger"].endswith((": enough", "head room")) == (plan.peak_per_s <= plan.ledger_per_s), (
        words["ledger"]
    )
    link = re.search(r"a link of (\d+) Gbit/s is enough", words["network"])
    assert (link is None) == (plan.node_mbit_per_s > 0.8 * 100_000)
    if link:
        assert plan.node_mbit_per_s <= 0.8 * 1000 * int(link[1])
    assert float(re.search(r"([\d.]+)% busy", words["nodes"])[1]) <= 80.0


@pytest.mark.parametrize(
    ("share", "gigabytes"),
    [(1.0, "864 GB (all sheets, 10 days)"), (0.5, "432 GB (0.5 of the sheets, 10 days)"), (0.0, "0 GB")],
)
def test_storage_is_told_with_what_it_is_of(share, gigabytes):
    options = PlanOptions(plan=864_000.0, image_days=10.0, image_share=share, verdict_days=1.0)
    told = sentence(plan_mill(speed(), options), "storage")
    assert f"images {gigabytes}" in told
    assert "after 1 day;" in told
    assert "images 8.64 PB" in sentence(
        plan_mill(speed(), PlanOptions(plan=8_640_000_000.0, image_days=10.0, image_share=1.0)), "storage"
    )


def test_a_cost_names_what_has_no_price():
    plan = plan_mill(speed(), PlanOptions(plan=1e6, price=("gb-month=0.02",)))
    words = sentence(plan, "cost")
    assert "storage" in words.partition(";")[0]
    assert words.endswith("for want of a price: nodes, verdicts")
    full = PlanOptions(plan=1e6, price=("million-verdicts=0", "node-hour=1", "gb-month=1"))
    assert "not counted" not in sentence(plan_mill(speed(), full), "cost")


@pytest.mark.parametrize(("kb", "noted"), [(66.0, True), (67.0, False), (150.0, False), (151.0, True)])
def test_sheets_of_another_size_than_measured_are_noted(kb, noted):
    told = describe(plan_mill(speed(), PlanOptions(plan=1e6, sheet_kb=kb)))
    assert any("measure your own with --data" in each for each in told) == noted


# ---- bad inputs ----


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"plan": 0.0}, "--plan: expected at least 1, got 0"),
        ({"plan": -5.0}, "--plan: expected at least 1, got -5"),
        ({"plan": math.nan}, "--plan: expected at least 1, got nan"),
        ({"plan": math.inf}, "--plan: expected at most 1e+10, got inf"),
        ({"plan": 1e6, "peak": 0.5}, "--peak: expected at least 1, got 0.5"),
        ({"plan": 1e6, "peak": math.nan}, "--peak: expected at least 1, got nan"),
        ({"plan": 1e6, "sheet_kb": 0.0}, "--sheet-kb: expected at least 0.01"),
        ({"plan": 1e6, "image_share": 1.5}, "--image-share: expected at most 1"),
        ({"plan": 1e6, "image_days": -1.0}, "--image-days: expected at least 0"),
        ({"plan": 1e6, "verdict_days": math.inf}, "--verdict-days: expected at most 36500"),
        ({"plan": 1e6, "node_cores": 0}, "--node-cores: expected at least 1"),
        ({"plan": 1e6, "price": ("node=1",)}, "--price 'node=1': expected NAME=AMOUNT, with node-hour"),
        ({"plan": 1e6, "price": ("node-hour",)}, "--price 'node-hour': expected an amount from 0"),
        ({"plan": 1e6, "price": ("node-hour=nan",)}, "expected an amount from 0 to 1e[+]09"),
        ({"plan": 1e6, "price": ("node-hour=-1",)}, "expected an amount from 0 to 1e[+]09"),
        ({"plan": 1e6, "price": ("node-hour=inf",)}, "expected an amount from 0 to 1e[+]09"),
        ({"plan": 1e6, "price": ("gb-month=1", "gb-month=2")}, "--price gb-month: expected once"),
        ({"peak": 3.0}, "--peak: expected together with --plan"),
        ({"price": ("gb-month=1",)}, "--price: expected together with --plan"),
    ],
)
def test_impossible_values_are_refused_in_one_line(given, message):
    with pytest.raises(BadRecipe, match=message.replace("1e+10", "1e[+]10")) as caught:
        PlanOptions(**given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes", [{"sheets_per_s": 0.0}, {"row_bytes": math.nan}, {"worker_mib": math.inf}]
)
def test_an_impossible_measurement_is_refused(changes):
    with pytest.raises(BadInput, match=f"{next(iter(changes))}: expected a measured number above 0"):
        speed(**changes)


def test_a_plan_needs_sheets_a_day():
    with pytest.raises(BadInput, match="expected the sheets a day"):
        plan_mill(speed(), PlanOptions())
