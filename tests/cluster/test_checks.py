"""What a node is refused for, and the marks by which it recognises a folder; nothing of Ray."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from steelsight.cluster.checks import Expected, Mark, SeenFile, see_folder, why_refused
from steelsight.cluster.marks import marked
from steelsight.errors import BadOutput
from steelsight.files import take_lock

FACTS = {"numpy": "2.3", "timm": "1.0", "processor": "P (avx2)", "accelerator": "none"}


def test_equal_facts_files_and_marks_are_accepted(tmp_path):
    (tmp_path / "DATA" / "inner").mkdir(parents=True)
    (tmp_path / "DATA" / "labels.csv").write_text("a,b")
    (tmp_path / "DATA" / ".steelsight-nodes-1").write_text("of another command, which may end first")
    files = tuple(see_folder(tmp_path / "DATA"))
    assert {file.size for file in files} == {-1, 3}
    with marked(tmp_path / "OUT") as mark:
        assert why_refused(Expected(FACTS, files, (mark,)), dict(FACTS)) is None


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (
            {"numpy": "2.4"},
            "expected numpy 2.3 as where the command runs, got 2.4; install the same versions",
        ),
        ({"timm": "none"}, "expected timm 1.0 as where the command runs, got none; install"),
        (
            {"processor": "Q"},
            "on equal machines only: expected processor P (avx2) as where the command runs, got Q",
        ),
        (
            {"accelerator": "Fast GPU"},
            "expected accelerator none as where the command runs, got Fast GPU; ADVICE",
        ),
        (
            {"numpy": "2.4", "processor": "Q"},
            "expected numpy 2.3 as where the command runs, got 2.4; install",
        ),
    ],
)
def test_other_facts_are_refused(facts, words):
    assert words in str(why_refused(Expected(FACTS, advice="ADVICE"), FACTS | facts))


def test_a_mixed_scan_takes_other_machines_and_no_other_versions():
    mixed = Expected(FACTS, mixed=True)
    assert why_refused(mixed, FACTS | {"processor": "Q", "accelerator": "Fast GPU"}) is None
    assert "numpy" in str(why_refused(mixed, FACTS | {"numpy": "2.4"}))
    assert "expected numpy 2.3 as where the command runs, got none" in str(why_refused(mixed, {}))


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("a,b,c")
    expected = Expected({}, (SeenFile(str(path), 3),))
    assert "not seen there as by the driver (a file of 5 bytes instead of a file of 3 bytes)" in str(
        why_refused(expected, {})
    )
    path.unlink()
    assert "labels.csv: not seen there as by the driver (No such file or directory); mount the folder" in str(
        why_refused(expected, {})
    )
    path.mkdir()
    assert "(a folder instead of a file of 3 bytes)" in str(why_refused(expected, {}))


def test_another_folder_to_write_into_is_refused(tmp_path, monkeypatch):
    with marked(tmp_path) as mark:
        expected = Expected({}, marks=(mark,))
        assert why_refused(expected, {}) is None
        other = replace(expected, marks=(Mark(mark.path, "another"),))
        assert "expected the folder that the command writes into, got another" in str(why_refused(other, {}))
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        assert "permission denied there" in str(why_refused(expected, {}))
    assert "got another or none; --out must lie on a folder" in str(why_refused(expected, {}))


def test_the_mark_in_a_folder_is_removed(tmp_path):
    with marked(tmp_path / "new" / "OUT"):
        assert len(list((tmp_path / "new" / "OUT").iterdir())) == 1
    assert not list((tmp_path / "new" / "OUT").iterdir())


def test_the_mark_of_a_command_that_was_killed_is_removed_by_the_next_one(tmp_path):
    program = (
        "import os, sys; from pathlib import Path; from steelsight.cluster.marks import marked\n"
        "with marked(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", program, tmp_path], check=False)
        assert len(list(tmp_path.iterdir())) == 1
    with marked(tmp_path) as mark:
        assert [str(path) for path in tmp_path.iterdir()] == [mark.path]
    assert not list(tmp_path.iterdir())


def test_marks_of_commands_that_run_are_kept(tmp_path):
    with marked(tmp_path) as one, marked(tmp_path) as other:
        assert {str(path) for path in tmp_path.iterdir()} == {one.path, other.path}
        with Path(one.path).open("rb") as file:
            assert not take_lock(file.fileno())


def test_marks_that_cannot_be_opened_are_no_obstacle(tmp_path):
    foreign = tmp_path / ".steelsight-nodes-12345678"
    foreign.mkdir()
    with marked(tmp_path) as mark:
        assert Path(mark.path).exists()
    assert foreign.exists()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(BadOutput, match=re.escape(f"{tmp_path / 'file' / 'OUT'}: cannot be written into")),
        marked(tmp_path / "file" / "OUT"),
    ):
        pass
