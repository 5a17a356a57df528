"""A DATA folder described and converted, by the API."""

from __future__ import annotations

import pytest
from tests.api.result_checks import check_result

import steelsight as ss
from steelsight.errors import BadOutput


def test_a_description_reads_every_sheet(data, tmp_path):
    counts = []
    opened = ss.open_data(data)
    report = opened.describe(out=tmp_path / "out", progress=lambda event: counts.append(event.done))
    check_result(report)
    check_result(opened)
    assert counts[-1] == 60
    assert {row[0]: row[1] for row in report.table().rows} == opened.counts
    assert report.page == tmp_path / "out" / "data.html"
    assert report.page.is_file()
    assert (report.bad, report.set_aside) == (0, ())
    assert report.as_dict()["sizes"] == [{"height": 64, "width": 400, "sheets": 60}]


def test_equal_reasons_are_one_line(data, tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "DATA" / "good").mkdir(parents=True, exist_ok=True)
        (tmp_path / "DATA" / "good" / name).write_bytes(b"\xff\xd8\xff torn")
    (tmp_path / "DATA" / "crack").mkdir()
    source = next((data / "train_images").iterdir())
    (tmp_path / "DATA" / "crack" / source.name).write_bytes(source.read_bytes())
    report = ss.open_data(tmp_path / "DATA").describe()
    assert report.page is None
    assert report.bad == 2
    (reason,) = report.set_aside
    assert reason.startswith("good/a.jpg: ")
    assert reason.endswith("(and 1 more like it)")


def test_sheets_are_written_as_class_folders(data, tmp_path):
    report = ss.open_data(data).describe()
    counts = []
    converted = report.convert(tmp_path / "out", progress=lambda event: counts.append(event.done))
    check_result(converted)
    assert counts[-1] == 60
    assert converted.left_out == ()
    assert len(ss.open_data(converted.out).sheets.items) == 60
    with pytest.raises(BadOutput, match="expected no such folder or an empty one"):
        report.convert(tmp_path / "out")
