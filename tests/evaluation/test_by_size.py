"""Recall by area and by position: every sheet is in one row, and each recall is counted."""

from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadInput
from steelsight.evaluation.by_size import (
    ENOUGH,
    LEAST_BOUND,
    STEP,
    SmallestFound,
    recall_by_area,
    recall_by_place,
    reliable_size,
    smallest_found,
)
from steelsight.evaluation.intervals.bootstrap import wilson


@given(st.integers(0, 60), st.integers(1, 6), st.integers(0, 10**6))
def test_every_sheet_is_in_one_range(count, bins, seed):
    rng = np.random.default_rng(seed)
    area, found = rng.integers(1, 9, count).astype(float), rng.random(count) < 0.6
    rows = recall_by_area(area, found, rng=rng, bins=bins, resamples=10)
    assert sum(row.sheets for row in rows) == count
    assert sum(round(row.recall.estimate * row.sheets) for row in rows) == found.sum()
    assert len(rows) <= bins
    for before, after in pairwise(rows):
        assert before.high_px <= after.low_px + 1e-9 or before.high_px == after.low_px


def test_quartiles_of_distinct_areas_hold_a_quarter_each(rng):
    area = rng.permutation(100).astype(float) + 1
    rows = recall_by_area(area, area > 50, rng=rng, resamples=20)
    assert [row.sheets for row in rows] == [25, 25, 25, 25]
    assert [row.recall.estimate for row in rows] == [0, 0, 1, 1]


def test_the_smallest_found_and_the_smallest_reliable():
    area = np.arange(1.0, 31.0)
    found = area > 5
    found[0] = True
    small = smallest_found(area, found)
    assert (small.found_px, small.reliable_px, small.refuted) == (1, 6, False)
    nothing = smallest_found(area, np.zeros(30, dtype=bool))
    assert (nothing.found_px, nothing.reliable_px, nothing.refuted) == (None, None, True)
    empty = np.zeros(0)
    assert smallest_found(empty, empty.astype(bool)) == SmallestFound(None, None)


def test_missed_small_defects_are_not_hidden_by_many_large_ones():
    """All three of 35 to 46 pixels are missed, all 57 larger ones found: 95 % of all, no claim from 35."""
    area = np.concatenate([[35.0, 40, 46], np.linspace(60, 900, 57)])
    small = smallest_found(area, area > 50)
    assert small.reliable_px == 60
    assert reliable_size(asdict(small)) == "nine of ten are found from 60 pixels on"


def test_missed_defects_of_a_middle_size_are_not_hidden():
    area = np.concatenate([np.linspace(20, 90, 60), [100.0, 105, 110, 115, 120], np.linspace(200, 900, 60)])
    found = (area < 95) | (area > 150)
    assert found.mean() > 0.9
    assert smallest_found(area, found).reliable_px == 200


def test_few_defects_or_few_groups_make_no_claim():
    area = np.arange(10.0, 25.0)
    every = np.ones(15, dtype=bool)
    assert smallest_found(area, every).reliable_px is None
    assert "to say from which size" in reliable_size(asdict(smallest_found(area, every)))
    area, every = np.arange(10.0, 110.0), np.ones(100, dtype=bool)
    assert smallest_found(area, every).reliable_px == 10
    assert smallest_found(area, every, [f"coil {i // 10}" for i in range(100)]).reliable_px is None


def test_claims_of_older_files_are_not_repeated():
    assert "to say from which size" in reliable_size({"found_px": 35.0, "reliable_px": 35.0})
    assert "of the largest too" in reliable_size({"reliable_px": None, "refuted": True})


@given(st.integers(1, 80), st.integers(0, 10**6), st.floats(0, 1))
def test_every_claim_holds_from_its_size_on(count, seed, share):
    rng = np.random.default_rng(seed)
    area = rng.integers(5, 200, count).astype(float)
    found = (rng.random(count) < share) | (area > 150)
    small = smallest_found(area, found)
    if small.reliable_px is None:
        return
    inside = area >= small.reliable_px
    assert small.reliable_px in area
    assert not small.refuted
    assert wilson(int(found[inside].sum()), int(inside.sum())).low >= LEAST_BOUND
    low = small.reliable_px
    assert found[area == low].mean() >= ENOUGH
    while low <= area.max():
        some = (area >= low) & (area < low * STEP)
        assert not some.any() or found[some].mean() >= ENOUGH
        low *= STEP


def test_recall_by_fields_of_the_sheet(rng):
    x, y = np.array([0.0, 0.24, 0.5, 1.0, 0.99]), np.array([0.0, 0.49, 0.5, 1.0, 0.9])
    found = np.array([True, False, True, True, True])
    fields = recall_by_place(x, y, found, rng=rng, resamples=20)
    assert [(field.left, field.top, field.sheets) for field in fields] == [
        (0.0, 0.0, 2),
        (0.5, 0.5, 1),
        (0.75, 0.5, 2),
    ]
    assert fields[0].recall.estimate == 0.5
    assert fields[2].recall.high == 1


def test_groups_widen_the_interval(rng):
    area = np.full(40, 10.0)
    found = np.repeat([True, False], 20)
    alone = recall_by_area(area, found, rng=np.random.default_rng(0), bins=1, resamples=300)[0].recall
    kin = [str(i // 10) for i in range(40)]
    together = recall_by_area(area, found, rng=np.random.default_rng(0), groups=kin, bins=1, resamples=300)[
        0
    ].recall
    assert together.high - together.low > alone.high - alone.low


def test_bad_input_is_refused(rng):
    with pytest.raises(BadInput, match="expected values of at least 0, got -1"):
        recall_by_area(np.array([-1.0]), np.array([True]), rng=rng)
    with pytest.raises(BadInput, match="expected at least one range, got 0"):
        recall_by_area(np.array([1.0]), np.array([True]), rng=rng, bins=0)
    with pytest.raises(BadInput, match="shares from 0 to 1"):
        recall_by_place(np.array([1.5]), np.array([0.1]), np.array([True]), rng=rng)
    with pytest.raises(BadInput, match="scores row 0: expected finite numbers"):
        smallest_found(np.array([np.nan]), np.array([True]))


def test_groups_and_centres_of_another_length_are_refused(rng):
    area, found = np.array([1.0, 2.0, 3.0]), np.array([True, False, True])
    with pytest.raises(BadInput, match="groups"):
        recall_by_area(area, found, rng=rng, groups=["a", "b"])
    with pytest.raises(BadInput, match="scores row 1: expected finite numbers"):
        recall_by_place(area / 4, np.array([0.1, np.nan, 0.3]), found, rng=rng)
    with pytest.raises(BadInput, match="scores: expected 3, one a label, got 2"):
        recall_by_place(area / 4, np.array([0.1, 0.3]), found, rng=rng)


def test_where_all_agree_groups_are_counted(rng):
    area, found = np.full(20, 5.0), np.ones(20, dtype=bool)
    kin = [str(i // 10) for i in range(20)]
    alone = recall_by_area(area, found, rng=rng, bins=1)[0].recall
    together = recall_by_area(area, found, rng=rng, groups=kin, bins=1)[0].recall
    assert together.low < alone.low < 1
