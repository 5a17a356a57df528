"""An evaluation never reports on what the run learnt, under whatever name it comes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from steelsight.errors import BadCheckpoint, BadData, BadInput, BadOutput
from steelsight.runs.evaluate import evaluate_run
from steelsight.sheets.options import DataOptions
from steelsight.training.recipe import Recipe
from steelsight.training.records import read_splits
from steelsight.training.run import RunResult, train_run

Small = Callable[..., Recipe]
Once = Callable[..., Any]
Folder = Callable[..., Path]


@pytest.fixture
def data(folder: Folder) -> Path:
    return folder()


@pytest.fixture
def run(data: Path, small: Small, train_once: Once, tmp_path: Path) -> RunResult:
    return train_once(train_run, data, recipe=small("task=multiclass"), out=tmp_path / "run")


def _chosen(folder: Path) -> set[str]:
    table = pq.read_table(folder / "predictions.parquet").to_pydict()
    return {name for name, part in zip(table["id"], table["split"], strict=True) if part != "left out"}


def test_the_own_test_part_gives_the_metrics_of_the_run(data: Path, run: RunResult) -> None:
    for part in ("test", "unseen"):
        found = evaluate_run(run.folder, data, part=part)
        assert found.metrics["report"] == run.metrics["test"]
        assert _chosen(found.folder) == {row.id for row in read_splits(run.folder) if row.split == "test"}
        assert json.loads((found.folder / "metrics.json").read_text())["part"] == part
        assert (found.folder / "report.html").is_file()


def test_training_sheets_are_refused(data: Path, run: RunResult) -> None:
    with pytest.raises(BadData, match=r"\d+ of 24 sheets trained run, .*--split unseen"):
        evaluate_run(run.folder, data, part="all")


def test_copies_under_other_names_are_recognised(data: Path, run: RunResult, tmp_path: Path) -> None:
    renamed = tmp_path / "renamed"
    for path in data.rglob("*.png"):
        (renamed / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, renamed / path.parent.name / f"other_{path.name}")
    with pytest.raises(BadData, match="trained run"):
        evaluate_run(run.folder, renamed, part="all")
    found = evaluate_run(run.folder, renamed)
    tests = {row.id for row in read_splits(run.folder) if row.split == "test"}
    assert {name.replace("other_", "") for name in _chosen(found.folder)} == tests


def test_groups_of_training_sheets_are_left_out(data: Path, run: RunResult) -> None:
    with_kin = evaluate_run(run.folder, data, part="test")
    try:
        without = evaluate_run(run.folder, data, options=DataOptions("frames:10"))
    except BadData as error:  # by chance every test sheet has kin in training
        assert "found none" in str(error)  # noqa: PT017
        return
    trained = {row.id for row in read_splits(run.folder) if row.split in ("train", "validation")}
    pairs = {name.rsplit("_", 1)[0] + str(int(name.rsplit("_", 1)[1][:-4]) // 10) for name in trained}
    for name in _chosen(without.folder):
        assert name.rsplit("_", 1)[0] + str(int(name.rsplit("_", 1)[1][:-4]) // 10) not in pairs
    assert _chosen(without.folder) < _chosen(with_kin.folder)


def test_another_folder_is_unseen(folder: Folder, run: RunResult) -> None:
    found = evaluate_run(run.folder, folder("other", seed=9), part="all")
    assert found.metrics["report"]["sheets"] == 24
    assert found.metrics["notes"] == [
        "0 sheets are near-duplicates of training sheets, by sketches of their grain"
    ]


def test_training_sheets_by_name_come_with_a_warning(data: Path, run: RunResult) -> None:
    assert "optimistic" in evaluate_run(run.folder, data, part="train").metrics["notes"][0]


def test_noise_changes_answers_and_repeats(data: Path, run: RunResult) -> None:
    clean = evaluate_run(run.folder, data)
    first, second = (evaluate_run(run.folder, data, noise_sigma=0.15).metrics for _ in range(2))
    assert first == second
    assert first["noise_sigma"] == 0.15
    tables = [
        pq.read_table(folder / "predictions.parquet")["logits"]
        for folder in (clean.folder, run.folder / "evaluations" / "DATA-unseen-noise0.15")
    ]
    assert tables[0] != tables[1]


def test_no_sheet_of_the_part(folder: Folder, run: RunResult) -> None:
    with pytest.raises(BadData, match=r"expected test sheets of run, found none among 24"):
        evaluate_run(run.folder, folder("other", seed=9), part="test")


def test_other_classes_are_refused(folder: Folder, run: RunResult) -> None:
    other = folder("other", classes=2)
    (other / "bar").rename(other / "scratch")
    with pytest.raises(BadData, match=r"expected only classes of the run \(none, bar, block\), got scratch"):
        evaluate_run(run.folder, other)


def test_the_records_of_a_run_are_not_replaced(data: Path, run: RunResult) -> None:
    before = (run.folder / "metrics.json").read_bytes()
    with pytest.raises(BadOutput, match="got a RUN, whose records would be replaced; choose another --out"):
        evaluate_run(run.folder, data, out=run.folder)
    assert (run.folder / "metrics.json").read_bytes() == before


def test_a_run_without_its_split_is_refused(data: Path, run: RunResult) -> None:
    (run.folder / "splits.csv").unlink()
    with pytest.raises(BadCheckpoint, match=r"splits\.csv: expected the split of the run"):
        evaluate_run(run.folder, data)
    (run.folder / "splits.csv").write_text("id,split\na,train\n")
    (run.folder / "checksums.json").unlink()  # runs of older versions have none
    with pytest.raises(BadCheckpoint, match="expected the columns id, split, group"):
        evaluate_run(run.folder, data)


def test_bad_items_and_bad_parts(data: Path, run: RunResult) -> None:
    with pytest.raises(BadInput, match=r"--split: expected one of unseen, test"):
        evaluate_run(run.folder, data, part="tests")
    (data / "bar" / "broken.png").write_bytes(b"\x89PNG")
    with pytest.raises(BadData, match=r"1 bad item, 0 allowed"):
        evaluate_run(run.folder, data)
    assert evaluate_run(run.folder, data, options=DataOptions(allow_bad=1)).metrics["data"]["set_aside"]
