"""A station in Python: what arrives is judged once, into a ledger."""

from __future__ import annotations

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra [serve]")

from tests.service.conftest import draw_sheet

import steelsight as ss
from steelsight.api.plant.line import run_line
from steelsight.errors import BadInput, BadRecipe
from steelsight.service.station.options import ArrivalOptions, JudgingOptions, KeepingOptions


def test_a_folder_is_judged_once(sqlite_ledger, tmp_path):
    path = sqlite_ledger.address.removeprefix("sqlite:///")
    for number in range(3):
        draw_sheet(tmp_path / "camera" / f"C1_{number}.5_top.jpg", number)
    told: list[str] = []
    first, second = (
        run_line(
            "fast",
            tmp_path / "camera",
            path,
            "line-1",
            keeping=KeepingOptions(images=str(tmp_path / "images")),
            arriving=ArrivalOptions(pattern="{coil}_{position_m}_{side}.jpg", idle=0.3),
            judging=JudgingOptions(threads=1),
            report=told.append,
        )
        for _ in range(2)
    )
    assert (first.judged.sheets, first.recorded.written) == (3, 3)
    assert (second.judged.sheets, second.as_dict()["known"], second.as_dict()["written"]) == (0, 3, 0)
    assert [line.partition(";")[0] for line in told] == [
        "3 sheets judged, 0 known",
        "0 sheets judged, 3 known",
    ]
    with ss.open_ledger(path) as ledger:
        assert ledger.verify().clean
        assert {row["coil"] for row in ledger.verdicts(station="line-1").rows} == {"C1"}


def test_options_are_checked_before_anything_is_opened(tmp_path):
    with pytest.raises(BadRecipe, match="--audit: expected at most 1, got 2"):
        JudgingOptions(audit=2.0)
    with pytest.raises(BadInput, match="--audit: expected --audit-key with it"):
        run_line("fast", tmp_path, tmp_path / "none.db", "line-1", judging=JudgingOptions(audit=0.5))
