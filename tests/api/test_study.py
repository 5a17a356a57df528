"""The study, repeated by the API."""

from __future__ import annotations

import pytest
from tests.api.result_checks import check_result

import steelsight as ss
from steelsight.errors import BadRecipe


def test_the_study_with_one_network(data, tmp_path, monkeypatch):
    monkeypatch.setattr("steelsight.study.run._inspect_chosen", lambda study: study)  # see tests/study
    kinds = []
    done = ss.repeat_study(
        data,
        tmp_path,
        models="adhoc",
        multiclass=False,
        quick=True,
        epochs=1,
        settings=["input.height=48", "input.width=64"],
        progress=lambda event: kinds.append(event.kind),
    )
    check_result(done)
    assert done.page == tmp_path / "report.html"
    assert done.page.is_file()
    (row,) = done.table().rows
    assert row[1] == "binary"
    assert row[2].estimate == done.as_dict()["models"]["adhoc"]["clean"]["accuracy"]["estimate"]
    assert "epoch" in kinds


def test_a_network_that_the_study_does_not_have(data, tmp_path):
    with pytest.raises(BadRecipe, match="got resnet"):
        ss.repeat_study(data, tmp_path, models=["resnet"])
