"""`steelsight runs list|show|rm`, as a person and as a program call them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from steelsight.cli import app


def call(*words: object, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, ["runs", *map(str, words)], input=answer)


def write_run(folder: Path, **more: Any) -> Path:
    """A RUN folder by its small files."""
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    card = {"weights_sha256": "0" * 64, "model": {"name": "adhoc"}, "threshold": 0.75}
    (folder / "card.json").write_text(json.dumps(card))
    metrics = {
        "task": "binary",
        "class_names": ["none", "crack"],
        "seed": 3,
        "data": {"name": "tiles", "sheets": 20, "parts": {"train": 12, "test": 8}},
        "training": {"epochs": 5, "best_epoch": 4},
        "test": {"accuracy": {"estimate": 0.9, "low": 0.8, "high": 0.95}, "auc": {"estimate": None}},
        "test_noisy": {"accuracy": {"estimate": 0.7, "low": 0.6, "high": 0.8}},
        "notes": ["few groups"],
        "environment": {"steelsight": "0.2.0"},
        **more,
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write_run(tmp_path / "runs" / "one")
    write_run(tmp_path / "runs" / "below" / "two", task="multilabel", test={"mean_auc": 0.875})
    return tmp_path / "runs"


def test_runs_are_listed_on_standard_output(runs: Path) -> None:
    done = call("list", runs)
    assert done.exit_code == 0, done.output
    heading, *rows = done.stdout.splitlines()
    assert heading.split()[:2] == ["FOLDER", "STATE"]
    cells = {row.split()[0]: row for row in rows}
    assert set(cells) == {"one", "below/two"}
    assert "finished" in cells["one"]
    assert cells["one"].endswith("binary      tiles  adhoc    0.900 [0.800, 0.950]  -")
    assert cells["below/two"].endswith("multilabel  tiles  adhoc    -                     0.875")
    assert done.stderr == ""


def test_runs_are_listed_in_json(runs: Path) -> None:
    found = json.loads(call("list", runs, "--json").stdout)
    assert [each["state"] for each in found["runs"]] == ["finished"] * 2
    one = next(each for each in found["runs"] if each["folder"].endswith("one"))
    assert one["figures"] == {"accuracy": {"estimate": 0.9, "low": 0.8, "high": 0.95, "level": 0.95}}
    assert found["unreadable"] == []


def test_a_folder_without_runs(tmp_path: Path) -> None:
    done = call("list", tmp_path)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no RUN folder in" in done.stderr
    assert json.loads(call("list", tmp_path, "--json").stdout)["runs"] == []


def test_a_run_is_shown_with_its_figures(runs: Path) -> None:
    done = call("show", runs / "one")
    assert done.exit_code == 0, done.output
    shown = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    shown = {name: value.strip() for name, value in shown.items()}
    assert shown["classes"] == "none, crack"
    assert shown["data"] == "tiles, 20 sheets"
    assert shown["parts"] == "12 train, 8 test"
    assert shown["accuracy, with noise"] == "0.700 [0.600, 0.800]"
    assert shown["threshold"] == "0.75"
    assert shown["note 1"] == "few groups"
    assert json.loads(call("show", runs / "one", "--json").stdout)["best_epoch"] == 4


def test_hostile_names_are_shown_as_text(runs: Path) -> None:
    write_run(runs / "a\x1b[31m", data={"name": "b\nc"})
    rows = call("list", runs).stdout.splitlines()
    assert len(rows) == 4
    assert any(r"a\x1b[31m" in row and r"b\x0ac" in row for row in rows)


def test_removing_asks_first(runs: Path) -> None:
    kept = call("rm", runs / "one", answer="n\n")
    assert kept.exit_code == 0, kept.output
    assert "Remove 1 RUN folder?" in kept.stderr
    assert "nothing was removed" in kept.stderr
    assert "accuracy 0.900 [0.800, 0.950]): 3 files" in kept.stderr.replace("\n", "")
    unanswered = call("rm", runs / "one", answer="")
    assert unanswered.exit_code == 2
    assert "give --yes where nobody can answer" in unanswered.stderr
    assert (runs / "one").is_dir()
    assert call("rm", runs / "one", answer="y\n").exit_code == 0
    assert not (runs / "one").exists()


def test_several_are_removed_without_a_question(runs: Path) -> None:
    done = call("rm", runs / "one", runs / "below" / "two", "--yes", "--json")
    assert json.loads(done.stdout)["removed"] == [str(runs / "one"), str(runs / "below" / "two")]
    assert not list(runs.rglob("card.json"))


def test_a_run_that_is_named_twice_or_lies_in_another_is_removed_once(runs: Path, monkeypatch: Any) -> None:
    inner = write_run(runs / "one" / "folds" / "fold-1")
    monkeypatch.chdir(runs)
    done = call("rm", "one", runs / "one", inner, "--yes", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["removed"] == [str(inner), str(runs / "one")]
    assert not (runs / "one").exists()


def test_one_folder_that_is_no_run_keeps_all(runs: Path) -> None:
    done = call("rm", runs / "one", runs / "below", "--yes")
    assert done.exit_code == 2
    assert "found another folder" in done.stderr
    assert (runs / "one" / "card.json").is_file()
