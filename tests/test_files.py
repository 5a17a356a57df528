"""Files are whole or what they were: a full disk, an interrupt, a folder that cannot be written."""

from __future__ import annotations

import errno
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest
import torch

from steelsight import files
from steelsight.errors import BadOutput
from steelsight.files import (
    keep_earlier,
    replace_file,
    replace_files,
    replace_through,
    write_json,
)
from steelsight.training.loop.state import EpochRow, TrainingState, load_state, save_state


def _full(path: Path) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def _state(value: float) -> TrainingState:
    row = EpochRow(1, value, None, None, None, 0.1, 1.0, 2.0)
    tensors = {"w": torch.full((3,), value)}
    return TrainingState("f", (row,), 1, tensors, {}, tensors, {"0.step": torch.tensor(3.0)})


def test_a_full_disk_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state"
    save_state(path, _state(1.0))
    monkeypatch.setattr(files, "_sync", _full)
    with pytest.raises(
        BadOutput, match=r"state: could not be written \(No space left on device\); .*unchanged"
    ):
        save_state(path, _state(2.0))
    monkeypatch.undo()
    assert load_state(path, "f").history[0].train_loss == 1.0
    assert [file.name for file in tmp_path.iterdir()] == ["state"]


def test_an_interrupt_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    replace_file(path, b"old")

    def interrupted(new: Path) -> None:
        new.write_bytes(b"half")
        raise KeyboardInterrupt("by the test")

    with pytest.raises(KeyboardInterrupt, match="by the test"):
        replace_through(path, interrupted)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["kept"]


def test_data_are_synced_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    sync, replace = files._sync, Path.replace
    monkeypatch.setattr(files, "_sync", lambda path: (order.append("sync"), sync(path)))
    monkeypatch.setattr(Path, "replace", lambda self, to: (order.append("rename"), replace(self, to))[1])
    write_json(tmp_path / "numbers.json", {"a": 1})
    assert order == ["sync", "rename"]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadOutput, match=r"could not be written .*choose another --out"):
        replace_file(tmp_path / "file" / "metrics.json", b"")


def test_what_json_does_not_have_is_null(tmp_path: Path) -> None:
    write_json(tmp_path / "numbers.json", {"a": float("nan"), "b": [float("inf"), 1.5]})
    assert json.loads((tmp_path / "numbers.json").read_text()) == {"a": None, "b": [None, 1.5]}


def test_a_state_survives_the_disk(tmp_path: Path) -> None:
    save_state(tmp_path / "state", _state(0.5))
    found = load_state(tmp_path / "state", "f")
    assert found.history == _state(0.5).history
    assert torch.equal(found.weights["w"], torch.full((3,), 0.5))
    assert found.moments["0.step"] == 3
    assert dict(found.average) == {}


def test_results_of_the_same_settings_are_replaced_and_others_are_numbered(tmp_path):
    for seed in (0, 0, 1, 0):
        facts = keep_earlier(
            tmp_path, "a.json", {"seed": seed, "path": tmp_path}, ["page.html", "figures/x.png"]
        )
        write_json(tmp_path / "a.json", {"is": seed, **facts})
        replace_file(tmp_path / "page.html", str(seed))
        replace_file(tmp_path / "figures" / "x.png", b"png")
    assert json.loads((tmp_path / "a.json").read_text())["is"] == 0
    assert facts["earlier_result"] == str(tmp_path / "earlier" / "2")
    kept = [(tmp_path / "earlier" / number) for number in ("1", "2")]
    assert [json.loads((folder / "a.json").read_text())["is"] for folder in kept] == [0, 1]
    assert [(folder / "page.html").read_text() for folder in kept] == ["0", "1"]
    assert all((folder / "figures" / "x.png").is_file() for folder in kept)


def test_every_file_an_earlier_result_lists_moves_with_it_and_no_other(tmp_path: Path) -> None:
    drawn = {0: ["figures/a.png", "figures/b.png", "checksums.json"], 1: ["figures/a.png"]}
    (tmp_path / "of-another-verb.html").write_text("kept")
    for seed, names in drawn.items():
        facts = keep_earlier(tmp_path, "a.json", {"seed": seed}, names)
        for name in names:
            replace_file(tmp_path / name, f"{seed}")
        write_json(tmp_path / "a.json", facts)
    assert facts["result_files"] == ["a.json", "figures/a.png"]
    kept = tmp_path / "earlier" / "1"
    files = [path.relative_to(kept).as_posix() for path in kept.rglob("*") if path.is_file()]
    assert sorted(files) == ["a.json", "checksums.json", "figures/a.png", "figures/b.png"]
    left = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(set(left) - {f"earlier/1/{name}" for name in files}) == [
        "a.json",
        "figures/a.png",
        "of-another-verb.html",
    ]


def test_a_replaced_result_of_the_same_settings_keeps_its_list(tmp_path: Path) -> None:
    for names in (["x.png", "x.svg", "gone.svg"], ["x.png"]):
        facts = keep_earlier(tmp_path, "a.json", {"seed": 0}, names)
        for name in set(names) - {"gone.svg"}:
            replace_file(tmp_path / name, "")
        write_json(tmp_path / "a.json", facts)
    assert facts["result_files"] == ["a.json", "x.png", "x.svg"]


@pytest.mark.parametrize("listed", [["../victim"], "victim", [None, 3], {"victim": 1}, ["out/victim"], ["/"]])
def test_a_list_that_names_files_elsewhere_moves_none_of_them(tmp_path: Path, listed: object) -> None:
    folder, victim = tmp_path / "results", tmp_path / "victim"
    folder.mkdir()
    victim.write_text("here")
    (folder / "out").symlink_to(tmp_path)
    (folder / "a.json").write_text(json.dumps({"settings": {"seed": 0}, "result_files": listed}))
    facts = keep_earlier(folder, "a.json", {"seed": 1}, [])
    assert victim.read_text() == "here"
    moved = [path.name for path in (folder / "earlier" / "1").rglob("*")]
    assert moved == ["a.json"]
    assert facts["earlier_result"] == str(folder / "earlier" / "1")


@pytest.mark.parametrize("content", ["not JSON", "[]", "{}", '{"settings": null}'])
def test_a_result_that_does_not_tell_its_settings_is_kept(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    facts = keep_earlier(tmp_path, "a.json", {"seed": 0}, [])
    assert facts["earlier_result"] == str(tmp_path / "earlier" / "1")
    assert (tmp_path / "earlier" / "1" / "a.json").read_text() == content


def test_a_folder_that_cannot_hold_earlier_results_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "earlier").write_text("a file")
    with pytest.raises(BadOutput, match=r"a\.json: could not be written .* an earlier file is unchanged"):
        keep_earlier(tmp_path, "a.json", {"seed": 0}, [])
    assert (tmp_path / "a.json").read_text() == "{}"


def test_files_that_belong_together_are_replaced_together(tmp_path: Path) -> None:
    first, second = tmp_path / "page.html", tmp_path / "page.json"
    replace_files({first: "old", second: "old"})

    def fill(file: BinaryIO) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(BadOutput, match=r"page.json: could not be written \(No space left"):
        replace_files({first: "new", second: fill})
    assert (first.read_text(), second.read_text()) == ("old", "old")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "page.json"]


def test_two_threads_that_write_one_file_at_the_same_time_both_write_it_whole(tmp_path: Path) -> None:
    path, content = tmp_path / "a", b"x" * 5000
    inside = threading.Barrier(2, timeout=30)

    def fill(file: BinaryIO) -> None:
        inside.wait()  # both files are open
        file.write(content[:2500])
        file.flush()
        inside.wait()
        file.write(content[2500:])

    with ThreadPoolExecutor(2) as threads:
        for written in [threads.submit(replace_file, path, fill) for _ in range(2)]:
            written.result()
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]
