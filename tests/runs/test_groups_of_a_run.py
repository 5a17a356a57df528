"""The rule that grouped a run's sheets is kept in the run and applied to every DATA folder it is used on."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from steelsight.errors import BadData
from steelsight.models.checkpoint import Card, load_checkpoint, save_checkpoint
from steelsight.plain import plain
from steelsight.runs.compare import compare_runs
from steelsight.runs.evaluate import evaluate_run
from steelsight.runs.opening.open import open_run
from steelsight.sheets.options import DataOptions
from steelsight.training.recipe import Recipe
from steelsight.training.run import train_run

Small = Callable[..., Recipe]
CLASSES = ("good", "scratch")
RULE = "frames:10"


def _sheets(root: Path, frames: list[int], seed: int) -> Path:
    rng = np.random.default_rng(seed)
    for kind in CLASSES:
        for frame in frames:
            pixels = rng.integers(90, 130, (32, 64), dtype=np.uint8)
            if kind == "scratch":
                pixels[10:20, 20:40] = 220
            path = root / kind / f"frame_{frame}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return root


def _sequences(first: int, last: int, step: int = 100) -> list[int]:
    """Sequences of frames 0, 2 and 4 after every multiple of `step`."""
    return [start + frame for start in range(first * step, last * step, step) for frame in (0, 2, 4)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return _sheets(tmp_path / "data", _sequences(1, 13), seed=1)


@pytest.fixture
def run(data: Path, small: Small, train_once: Callable[..., Any], tmp_path: Path) -> Path:
    recipe = small("task=multiclass", "split.method=groups")
    train_once(train_run, data, options=DataOptions(RULE), recipe=recipe, out=tmp_path / "run")
    return tmp_path / "run"


def test_the_card_keeps_the_rule_and_older_cards_load(run: Path) -> None:
    assert load_checkpoint(run)[1].groups == RULE
    older = json.loads((run / "card.json").read_text())
    del older["groups"]
    assert Card.model_validate(older).groups is None


def test_a_run_without_a_rule_gives_its_own_sheets_their_groups(run: Path, data: Path) -> None:
    """As runs of older versions, whose splits.csv has the groups and whose card has no rule."""
    expected = open_run(run, data).data.groups
    model, card = load_checkpoint(run)
    save_checkpoint(run, model, card.model_copy(update={"groups": None}))
    opened = open_run(run, data)
    assert opened.data.groups == expected
    assert "the run keeps no rule of groups" in opened.data.grouping


def test_evaluation_without_groups_equals_one_with_the_rule_of_the_run(run: Path, data: Path) -> None:
    told = evaluate_run(run, data, DataOptions(RULE))
    kept = evaluate_run(run, data)
    assert kept.metrics["report"] == told.metrics["report"]
    assert kept.metrics["data"]["groups"] == f"{RULE}, from the run"
    assert told.metrics["data"]["groups"] == f"{RULE}, as given"
    assert f"groups: {RULE}, from the run" in kept.metrics["notes"]
    assert f"{RULE}, from the run" in (kept.folder / "report.html").read_text()


def test_another_rule_that_is_given_wins_and_is_told(run: Path, data: Path) -> None:
    found = evaluate_run(run, data, DataOptions("frames:1"), part="test")
    assert found.metrics["data"]["groups"] == f"frames:1, as given; the run has {RULE}"


def test_the_comparison_applies_the_rule(run: Path, data: Path, small: Small, tmp_path: Path) -> None:
    other = train_run(
        data,
        DataOptions(RULE),
        recipe=small("task=multiclass", "split.method=groups"),
        out=tmp_path / "other",
    ).folder
    kept = compare_runs([run, other], data, out=tmp_path / "a")
    given = compare_runs([run, other], data, DataOptions(RULE), out=tmp_path / "b")
    assert plain(kept) == plain(given)
    written = json.loads((tmp_path / "a" / "compare.json").read_text())
    assert f"{RULE}, from the run" in json.dumps(written)


@pytest.mark.parametrize("offset", [1, 3, 6])
def test_other_frames_of_the_sequences_of_training_are_not_unseen(
    run: Path, tmp_path: Path, offset: int
) -> None:
    """The other folder begins at another frame, so its groups have other names."""
    other = _sheets(tmp_path / "other", [frame + offset for frame in _sequences(1, 13)], seed=7)
    opened = open_run(run, other)
    trained = {row.group for row in opened.splits if row.split in ("train", "validation")}
    starts = {(group.partition("/")[0], int(group.rpartition("/")[2]) // 100) for group in trained}
    kinds = {"good": "none"}
    expected = {
        i
        for i, id_ in enumerate(opened.data.ids)
        if (kinds.get(Path(id_).parent.name, Path(id_).parent.name), int(Path(id_).stem[6:]) // 100) in starts
    }
    assert expected
    assert opened.seen.kin == opened.seen.seen == expected
    assert not expected & set(opened.choose("unseen").tolist())
    assert f"{len(expected)} of them are other sheets of groups that the run was trained on" in opened.notes(
        "unseen"
    )
    assert any("figures on them are optimistic" in note for note in opened.notes("all"))


def test_sequences_far_from_those_of_training_are_unseen(run: Path, tmp_path: Path) -> None:
    other = _sheets(tmp_path / "other", _sequences(20, 24), seed=7)
    opened = open_run(run, other)
    assert not opened.seen.seen
    assert opened.notes("unseen") == [
        f"groups: {RULE}, from the run",
        "0 unseen sheets are near-duplicates of training sheets, by sketches of their grain",
    ]


def test_with_another_rule_names_are_not_compared(run: Path, tmp_path: Path) -> None:
    other = _sheets(tmp_path / "other", [frame + 1 for frame in _sequences(1, 13)], seed=7)
    assert not open_run(run, other, DataOptions("frames:1")).seen.seen


def _coils(root: Path, names: Callable[[int], str]) -> None:
    with (root / "groups.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ImageId", "coil"])
        for path in sorted(root.rglob("*.png")):
            writer.writerow([path.relative_to(root).as_posix(), names(int(path.stem[6:]))])


@pytest.fixture
def coil_run(data: Path, small: Small, train_once: Callable[..., Any], tmp_path: Path) -> Path:
    _coils(data, lambda frame: f"C{frame // 100}")
    recipe = small("task=multiclass", "split.method=groups")
    train_once(train_run, data, options=DataOptions("column:coil"), recipe=recipe, out=tmp_path / "run")
    return tmp_path / "run"


def test_coils_of_training_in_another_folder_are_not_unseen(coil_run: Path, tmp_path: Path) -> None:
    other = _sheets(tmp_path / "other", _sequences(1, 16), seed=8)
    _coils(other, lambda frame: f"C{frame // 100}")
    opened = open_run(coil_run, other)
    trained = {row.group for row in opened.splits if row.split in ("train", "validation")}
    unseen = {opened.data.groups[i] for i in opened.choose("unseen").tolist()}
    assert trained
    assert not trained & unseen
    assert {"C13", "C14", "C15"} <= unseen


def test_without_the_table_own_sheets_keep_their_groups_and_it_is_told(
    coil_run: Path, data: Path, tmp_path: Path
) -> None:
    moved = shutil.copytree(data, tmp_path / "moved")
    (moved / "groups.csv").unlink()
    opened = open_run(coil_run, moved)
    assert opened.data.groups == open_run(coil_run, data).data.groups
    assert "cannot be applied here" in opened.data.grouping
    assert "none for 0 others" in opened.notes("test")[0]


def test_a_table_that_contradicts_itself_is_still_refused(coil_run: Path, data: Path) -> None:
    with (data / "groups.csv").open("a") as file:
        file.write("good/frame_100.png,C999\n")
    with pytest.raises(BadData, match="keep one"):
        open_run(coil_run, data)
