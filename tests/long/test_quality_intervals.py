"""Whole simulated months: the bounds of escape cover the truth, and looking each week raises few alarms."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # draws the months, for its own table too

from quality import PLANTS, TRUTHS, cover, weekly_looks
from repeats import WITH, WITHOUT, alarm_rate, found_rate

MONTHS, YEARS, COILS = 500, 100, 200


@pytest.mark.long
@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("name", PLANTS)
def test_escape_covers_in_93_of_100_months_and_is_no_more_than_a_third_wider(name: str, truth: float) -> None:
    row = cover(PLANTS[name], truth, MONTHS, int(truth * 1000))
    assert row["covered"] >= 0.93
    assert row["missed_among_defective_covered"] >= 0.93
    assert row["width_ratio"] <= 1.3


@pytest.mark.long
def test_a_sequence_looked_at_each_week_raises_few_alarms_and_sees_a_double_rate() -> None:
    assert weekly_looks(0.05, 0.05, YEARS, 7)["alarms"] <= 5 + 3 * np.sqrt(YEARS * 0.05 * 0.95)
    assert weekly_looks(0.12, 0.05, YEARS, 8)["alarms"] >= 0.95 * YEARS


@pytest.mark.long
def test_roll_marks_are_found_on_95_of_100_coils_within_1_percent() -> None:
    assert found_rate(WITH["as aimed at"], COILS, 0)["found"] >= 0.95 * COILS


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in WITHOUT if not name.startswith("5,000")])
def test_coils_without_a_roll_mark_raise_alarms_on_2_of_100(name: str) -> None:
    assert alarm_rate(WITHOUT[name], COILS, 100)["alarms"] <= 0.02 * COILS
