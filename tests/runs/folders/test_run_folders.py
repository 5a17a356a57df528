"""RUN folders are found and read by their small files as the modules that write them have them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

from steelsight.errors import BadInput, BadOutput
from steelsight.models import checkpoint
from steelsight.runs.folders import read
from steelsight.runs.folders.find import find_run_folders
from steelsight.runs.folders.read import FIGURES, read_run_folder
from steelsight.runs.folders.remove import check_removable, remove_run_folder
from steelsight.runs.opening import open as opening
from steelsight.training import records, run
from steelsight.training.folds import cross_validate
from steelsight.training.loop.state import EpochRow, TrainingState, save_state
from steelsight.training.options import FoldOptions
from steelsight.training.report.scores import HEADLINES
from steelsight.training.run import train_run


@pytest.fixture
def trained(train_once: Callable, folder: Callable, small: Callable, tmp_path: Path) -> Path:
    """A finished RUN folder, three folders below the temporary one."""
    train_once(train_run, folder(), recipe=small("max_epochs=1"), out=tmp_path / "kept" / "a" / "run")
    return tmp_path / "kept" / "a" / "run"


def begin(folder: Path, epochs: int = 2) -> Path:
    """The folder of a training that was interrupted after so many epochs."""
    folder.mkdir(parents=True)
    rows = tuple(EpochRow(i + 1, 1.0, None, None, None, 1e-3, 1.0, 9.0) for i in range(epochs))
    weights = {"w": torch.zeros(2)}
    save_state(folder / run.STATE_FILE, TrainingState("f" * 64, rows, epochs, weights, {}, weights, {}))
    return folder


def test_names_of_files_and_figures_are_those_of_their_writers() -> None:
    assert (read.WEIGHTS_FILE, read.CARD_FILE) == (checkpoint.WEIGHTS_FILE, checkpoint.CARD_FILE)
    assert (read.METRICS_FILE, read.RECIPE_FILE) == (records.METRICS_FILE, records.RECIPE_FILE)
    assert (read.STATE_FILE, read.FOLDS) == (run.STATE_FILE, opening.FOLDS)
    assert set(FIGURES) == {*HEADLINES, "all_types_right", "mean_auc"}


def test_a_finished_run_is_read_as_its_metrics_have_it(trained: Path) -> None:
    metrics = json.loads((trained / "metrics.json").read_text())
    found = read_run_folder(trained)
    assert found is not None
    assert (found.state, found.problem, found.folds) == ("finished", "", 0)
    assert (found.task, found.network, found.data) == (metrics["task"], "adhoc", "DATA")
    assert found.figures["accuracy"].estimate == metrics["test"]["accuracy"]["estimate"]
    assert found.noisy_figures["accuracy"].low == metrics["test_noisy"]["accuracy"]["low"]
    assert dict(found.parts) == metrics["data"]["parts"]
    assert (found.epochs, found.seed) == (1, metrics["seed"])
    assert found.changed == datetime.fromtimestamp((trained / "metrics.json").stat().st_mtime, UTC)


def test_an_interrupted_training_is_resumable_and_a_lost_one_is_not(trained: Path, tmp_path: Path) -> None:
    started = read_run_folder(begin(tmp_path / "started", epochs=3))
    assert started is not None
    assert (started.state, started.epochs) == ("resumable", 3)
    (trained / "metrics.json").unlink()
    lost = read_run_folder(trained)
    assert lost is not None
    assert lost.state == "incomplete"
    assert "--fresh` starts over" in lost.problem


def test_damaged_metrics_are_said(trained: Path) -> None:
    (trained / "metrics.json").write_text("{")
    found = read_run_folder(trained)
    assert found is not None
    assert found.state == "incomplete"
    assert found.problem.startswith("metrics.json cannot be read (")


def test_a_cross_validation_is_one_entry(
    train_once: Callable, folder: Callable, small: Callable, tmp_path: Path
) -> None:
    out = tmp_path / "kept" / "cv"
    train_once(cross_validate, folder(), recipe=small("max_epochs=1"), out=out, folds=FoldOptions(2))
    (found,) = find_run_folders(tmp_path / "kept").runs
    assert (found.folder, found.folds, found.state) == (tmp_path / "kept" / "cv", 2, "finished")
    assert (found.network, found.data) == ("adhoc", "DATA")
    assert 0 <= found.figures["accuracy"].estimate <= 1
    (tmp_path / "kept" / "cv" / "metrics.json").unlink()
    (unfinished,) = find_run_folders(tmp_path / "kept").runs
    assert unfinished.state == "resumable"


def test_runs_are_found_below_a_folder_and_other_folders_are_not(trained: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    begin(kept / "started")
    os.utime(trained / "metrics.json", (2e9, 2e9))
    begin(kept / ".hidden" / "run")
    (kept / "other").mkdir()
    (kept / "other" / "model.safetensors").write_bytes(b"of another tool")
    (kept / "other" / "card.json").write_text('{"format": 1}')
    (kept / "link").symlink_to(trained)
    found = find_run_folders(kept)
    assert [each.folder for each in found.runs] == [trained, kept / "started"]
    assert found.unreadable == ()


def test_only_run_folders_can_be_removed(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "link").symlink_to(trained)
    for path, words in (
        (tmp_path / "mine", "expected a RUN folder as `steelsight train` writes it, found another folder"),
        (tmp_path / "none", "found none"),
        (trained / "card.json", "found a file"),
        (tmp_path / "link", "got a link; name the folder that it leads to"),
    ):
        with pytest.raises(BadInput, match=words):
            check_removable(path)


def test_the_folder_one_works_in_stays(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (trained / "below").mkdir()
    monkeypatch.chdir(trained / "below")
    with pytest.raises(BadInput, match="holds the folder in which this command runs"):
        check_removable(trained)


def test_a_run_is_removed_with_all_that_it_holds(trained: Path) -> None:
    inner = begin(trained / "repairs" / "one")
    removable = check_removable(trained)
    assert removable.others == (inner,)
    files = [path for path in trained.rglob("*") if path.is_file()]
    assert (removable.files, removable.bytes) == (len(files), sum(path.stat().st_size for path in files))
    remove_run_folder(trained)
    assert list(trained.parent.iterdir()) == []


def test_a_removal_that_fails_leaves_no_half_of_a_run(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", fail)
    with pytest.raises(BadOutput, match="could not be removed wholly"):
        remove_run_folder(trained)
    assert find_run_folders(trained.parent).runs == ()
    monkeypatch.setattr(Path, "rename", lambda *_: fail(trained))
    again = begin(trained)
    with pytest.raises(BadOutput, match="is unchanged; change the permissions of"):
        remove_run_folder(again)
    assert read_run_folder(again) is not None
