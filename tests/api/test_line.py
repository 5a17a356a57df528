"""A station in Python: what arrives is judged once, into a ledger."""

from __future__ import annotations

from dataclasses import fields
from typing import get_type_hints

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra [serve]")

from tests.api.result_checks import check_result
from tests.service.conftest import draw_sheet

import steelsight as ss
from steelsight.api.plant.line import run_line
from steelsight.api.plant.settings import LineSettings
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


def test_settings_have_the_names_of_the_options(sqlite_ledger, tmp_path):
    kinds = (KeepingOptions, ArrivalOptions, JudgingOptions)
    assert list(get_type_hints(LineSettings)) == [each.name for kind in kinds for each in fields(kind)]
    draw_sheet(tmp_path / "camera" / "C1_0.5_top.jpg", 0)
    done = run_line(
        "fast",
        tmp_path / "camera",
        sqlite_ledger.address.removeprefix("sqlite:///"),
        "line-1",
        images=str(tmp_path / "images"),
        spool=str(tmp_path / "line-1.spool"),  # a text, as every path
        pattern="{coil}_{position_m}_{side}.jpg",
        idle=1,
        threads=1,
        report=lambda text: None,
    )
    assert (done.judged.sheets, done.recorded.written) == (1, 1)
    assert any((tmp_path / "images").iterdir())
    check_result(done)
    assert str(done).startswith("1 sheet judged, 0 known\n")


def test_unknown_settings_are_refused_before_anything_is_opened(tmp_path):
    with pytest.raises(BadRecipe, match=r"image: expected one of images, .*threads, got a"):
        run_line("fast", tmp_path, tmp_path / "none.db", "line-1", image="images")
    with pytest.raises(BadRecipe, match="--audit: expected at most 1, got 2"):
        run_line("fast", tmp_path, tmp_path / "none.db", "line-1", audit=2)
    with pytest.raises(BadRecipe, match="idle: expected settings or `options`, got both"):
        run_line("fast", tmp_path, tmp_path / "none.db", "line-1", arriving=ArrivalOptions(), idle=1)
