"""`inspect transplant` from the command line: a report with controls, and every input it must refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.models.catalog import ModelSpec, build_model
from steelsight.models.checkpoint import Card, save_checkpoint
from steelsight.sheets.grouping.splits import random_split
from steelsight.training.dataset import open_sheets
from steelsight.training.records import read_splits, split_names, write_splits
from steelsight.types import InputSpec, Task


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DATA of three classes, a multi-class run with controls, a binary one, and runs that do not fit."""
    root, rng = tmp_path_factory.mktemp("mill"), np.random.default_rng(0)
    for kind, (name, low) in enumerate((("none", 90), ("dent", 150), ("scratch", 20))):
        (root / "data" / name).mkdir(parents=True)
        for number in range(14):
            gray = rng.integers(low, low + 60, (48, 64), dtype=np.uint8)
            gray[:, 10 * kind : 10 * kind + 5] = 255
            Image.fromarray(gray).save(root / "data" / name / f"{name}{number}.png")
    runs: dict[str, tuple[int, str, dict[str, object]]] = {
        "multi": (0, "multiclass", {}),
        "seed": (1, "multiclass", {}),
        "shuffled": (0, "multiclass", {}),
        "binary": (0, "binary", {}),
        "other": (0, "binary", {"head": "direct"}),
        "wide": (0, "binary", {"width": 96}),
        "types": (0, "multilabel", {}),
    }
    for name, (seed, task, spec) in runs.items():
        _write_run(root / name, root / "data", task, seed, spec)
    return root


def _write_run(folder: Path, data: Path, task: Task, seed: int, spec: dict[str, object]) -> None:
    """What a transplant reads of a RUN: weights, card and split; nothing is trained."""
    size = InputSpec(48, int(spec.get("width", 64)))
    sheets = open_sheets(data, task, size)
    names = sheets.labelled.class_names
    asked = ModelSpec(name="adhoc", outputs=len(names), height=48, **{"width": 64, **spec})
    model = build_model(asked, generator=torch.Generator().manual_seed(seed))
    card = Card(
        task=task,
        class_names=names,
        model=asked,
        input=size,
        data_hash=sheets.data_hash,
        seed=seed,
        shuffled_labels=folder.name == "shuffled",
    )
    save_checkpoint(folder, model, card)
    everyone = np.zeros(len(sheets.items), dtype=np.int64)
    split = random_split(everyone, (0.3, 0.1, 0.6), rng=np.random.default_rng(seed))
    write_splits(folder, sheets, split_names(split, len(sheets.items)))


def invoke(mill: Path, run: str, donor: str, *arguments: object) -> Result:
    words = ["inspect", "transplant", str(mill / run), str(mill / donor), str(mill / "data")]
    return CliRunner().invoke(app, [*words, *map(str, arguments)])


def test_a_report_with_every_control(mill: Path, tmp_path: Path) -> None:
    controls = f"start,random,seed:{mill / 'seed'},shuffled:{mill / 'shuffled'}"
    done = invoke(
        mill, "multi", "binary", "--out", tmp_path, "--controls", controls, "--resamples", 30, "--json"
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert {path.name for path in tmp_path.iterdir()} == {
        "report.html",
        "report.json",
        "transplant.json",
        "figures",
    }
    assert sorted(path.stem for path in (tmp_path / "figures").iterdir()) == [
        "transplant",
        "transplant-cka",
        "transplant-others",
        "transplant-similarity",
        "transplant-weights",
    ]
    assert [donor["name"] for donor in told["donors"]] == [
        "binary model",
        "its start, not trained",
        "random weights",
        "another seed",
        "shuffled labels",
    ]
    donor = told["donors"][0]
    assert list(donor["left_out"]) == ["head linear3"]
    assert len(donor["steps"]["input"]) == len(donor["steps"]["output"]) == 7
    assert len(donor["steps"]["alone"]) == 6
    assert donor["steps"]["input"][0]["scores"] == told["as_it_is"]
    assert donor["steps"]["input"][-1]["taken"][-1] == "head linear2"
    assert told["donors"][3]["left_out"] == {}
    assert told["sheets"] > 0
    assert told["weights"][0]["one_start"] is True  # both drew with one seed
    assert all(sentence in done.stderr for sentence in told["in_words"])
    on_disk = json.loads((tmp_path / "transplant.json").read_text())
    assert on_disk == {key: value for key, value in told.items() if key != "out"}


def test_a_model_into_itself_changes_nothing(mill: Path, tmp_path: Path) -> None:
    done = invoke(mill, "multi", "multi", "--out", tmp_path, "--controls", "random", "--json")
    assert done.exit_code == 0, done.output
    donor = json.loads(done.stdout.splitlines()[-1])["donors"][0]
    assert donor["name"] == "donor"
    for direction in donor["steps"].values():
        assert all(step["verdicts_changed"] == 0 for step in direction)
    assert all(part["estimate"] == pytest.approx(1) for part in donor["cka"]["same_part"].values())


def test_sheets_are_unseen_by_all(mill: Path, tmp_path: Path) -> None:
    """Another seed has another split: what it learnt from does not judge."""
    alone = invoke(mill, "multi", "multi", "--out", tmp_path, "--controls", "random", "--json")
    both = invoke(mill, "multi", "seed", "--out", tmp_path, "--controls", "random", "--json")
    first, second = (json.loads(done.stdout.splitlines()[-1])["sheets"] for done in (alone, both))
    assert second < first


@pytest.mark.parametrize(
    ("run", "donor", "arguments", "message"),
    [
        ("multi", "other", (), "expected two models of one architecture, got adhoc with a LinearHead and"),
        ("multi", "wide", (), "expected the receiver's input 48x64 (stretch), got 48x96 (stretch)"),
        ("types", "binary", (), "expected a binary or multiclass run, got multilabel"),
        ("multi", "binary", ("--controls", "magic"), "expected some of imagenet, start, random, seed:RUN"),
        ("multi", "binary", ("--controls", "seed"), "joined by commas, got 'seed'"),
        ("multi", "binary", ("--controls", "random:x"), "joined by commas, got 'random:x'"),
        ("multi", "binary", ("--controls", "imagenet"), "there are no ImageNet weights for it"),
        ("multi", "binary", ("--controls", "seed:{mill}/binary"), "expected a multiclass run of the rec"),
        (
            "multi",
            "binary",
            ("--controls", "seed:{mill}/multi"),
            "with another seed than 0, got multiclass, s",
        ),
        ("multi", "binary", ("--controls", "seed:{mill}/shuffled"), "got a run trained on shuffled labels"),
        ("multi", "binary", ("--controls", "shuffled:{mill}/seed"), "expected a run trained with labels.shu"),
        ("multi", "binary", ("--split", "train"), "--split: expected unseen or test, got 'train'"),
        ("multi", "nothing", (), "expected a RUN folder, found none"),
    ],
)
def test_what_cannot_be_done_is_said(
    mill: Path, run: str, donor: str, arguments: tuple[str, ...], message: str
) -> None:
    done = invoke(mill, run, donor, *(word.replace("{mill}", str(mill)) for word in arguments))
    assert done.exit_code == 2, done.output
    assert message in done.stderr.replace("\n", " ")


def test_no_sheet_left(mill: Path, tmp_path: Path) -> None:
    seen = {row.id for row in read_splits(mill / "multi") if row.split == "train"}
    for name in seen:
        target = tmp_path / "data" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((mill / "data" / name).read_bytes())
    words = ["inspect", "transplant", mill / "multi", mill / "binary", tmp_path / "data"]
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 2
    assert "expected unseen sheets of multi, found none" in done.stderr.replace("\n", " ")


def test_too_few_sheets_left(mill: Path, tmp_path: Path) -> None:
    rows = [row for row in read_splits(mill / "multi") if row.split == "test"]
    known = {row.id.split("/")[0]: row.id for row in rows}
    for name in known.values():
        target = tmp_path / "data" / name
        target.parent.mkdir(parents=True)
        target.write_bytes((mill / "data" / name).read_bytes())
    words = ["inspect", "transplant", mill / "multi", mill / "binary", tmp_path / "data"]
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 2
    message = "expected at least 4 unseen sheets of multi unseen by binary, found 3"
    assert message in done.stderr.replace("\n", " ")


@pytest.mark.parametrize("only", ["none", "dent", "scratch"])
def test_sheets_of_one_class_are_refused(mill: Path, tmp_path: Path, only: str) -> None:
    kept = tmp_path / "data" / only
    kept.mkdir(parents=True)
    rng = np.random.default_rng(7)
    for number in range(12):
        gray = rng.integers(40, 200, (48, 64), dtype=np.uint8)
        Image.fromarray(gray).save(kept / f"new{number}.png")
    words = ["inspect", "transplant", str(mill / "multi"), str(mill / "binary"), str(tmp_path / "data")]
    done = CliRunner().invoke(app, [*words, "--split", "unseen", "--resamples", "20"])
    assert done.exit_code == 2, done.output
    assert "expected unseen sheets of at least two classes" in " ".join(done.output.split())
