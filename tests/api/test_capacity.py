"""What a computer can process, and what a mill needs, by the API."""

from __future__ import annotations

import pytest
from tests.api.result_checks import check_result

import steelsight as ss
from steelsight.errors import BadInput, BadRecipe
from steelsight.runtime import sizing


def test_a_measurement_with_a_plan(data, monkeypatch):
    monkeypatch.setattr(sizing, "ROUNDS", 1)
    monkeypatch.setattr(sizing, "SINGLE", 2)
    done = ss.bench(data=data / "train_images", rate=5.0, sheets=100, plan=2_000_000, node_cores=4)
    check_result(done)
    assert done.cameras == int(done.planned_load * done.sheets_per_s / 5)
    assert done.plan.sheets_per_day == 2e6
    assert done.as_dict()["plan"]["sentences"] == list(done.sentences)
    assert sum(row[-1] for row in done.table().rows) == 1  # chosen


def test_settings_are_checked_before_anything_is_measured(data):
    with pytest.raises(BadRecipe, match="--peak: expected together with --plan"):
        ss.bench(data=data, peak=3)
    with pytest.raises(BadInput, match="rate: expected sheets a second above 0, got"):
        ss.bench(data=data / "train_images", rate=0.0)
