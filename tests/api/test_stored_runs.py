"""RUN folders on this computer, by the API."""

from __future__ import annotations

import pytest
from tests.api.result_checks import check_result

import steelsight as ss
from steelsight.api.lab.stored_runs import check_removable
from steelsight.errors import BadInput


def test_runs_are_found_with_their_figures(trained):
    found = ss.list_runs(trained.folder.parent)
    check_result(found)
    assert found.folders == (trained.folder,)
    assert found.unreadable == ()
    frame = found.to_pandas()
    accuracy = trained.metrics["test"]["accuracy"]
    assert frame.loc[0, ["state", "task", "network"]].tolist() == [
        "finished",
        "multiclass",
        "squeezenet_reduced",
    ]
    assert frame.loc[0, ["accuracy", "accuracy low"]].tolist() == [accuracy["estimate"], accuracy["low"]]


def test_a_folder_without_runs(tmp_path):
    found = ss.list_runs(tmp_path)
    check_result(found)
    assert found.title == f"0 RUN folders in {tmp_path}"


def test_what_one_run_says_of_itself(trained, tmp_path):
    shown = ss.show_run(trained.folder)
    check_result(shown)
    assert shown.state == "finished"
    assert shown.as_dict()["class_names"] == list(trained.class_names)
    assert "accuracy" in dict(shown.table().rows)
    with pytest.raises(BadInput, match="expected a RUN folder as `steelsight train` writes it, found none"):
        ss.show_run(tmp_path / "none")


def test_a_run_is_removed_with_all_that_lies_in_it(run, tmp_path):
    planned = check_removable(run.folder)
    assert planned.files == sum(each.is_file() for each in run.folder.rglob("*"))
    assert run.folder.is_dir()
    removed = ss.remove_run(run.folder)
    assert (removed.run.folder, removed.files, removed.bytes) == (run.folder, planned.files, planned.bytes)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_no_run_is_not_removed(data):
    with pytest.raises(BadInput, match=r"expected a RUN folder .* found another folder"):
        ss.remove_run(data)
    assert (data / "train.csv").is_file()
