"""Every verb ends every bad input in one line and an exit code; no traceback reaches the user."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.cli.test_contract import verbs
from typer.core import TyperCommand
from typer.testing import CliRunner, Result

from steelsight.cli import app
from steelsight.errors import BadData, ParityRefused

VERBS = verbs()
WRITING = [name for name, verb in VERBS.items() if {"out", "convert"} & {each.name for each in verb.params}]
READING = [name for name in VERBS if name not in ("synth", "ledger init")]  # they read nothing
OPTIONAL = {
    "demo": ("--data",),
    "bench": ("--data",),
    "serve": ("--bundle",),
    "console": ("--bundle",),
}  # paths that are not required


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("STEELSIGHT_TRACEBACK", raising=False)


def words(verb: str, path: object, out: object) -> list[str]:
    """A command line whose folders are all `path`."""
    line = verb.split()
    for each in VERBS[verb].params:
        value = {"out": out, "nuisance": "stain", "role": "viewer", "scope": "read"}.get(each.name, path)
        if each.required:
            line += ([each.opts[0]] if each.opts[0].startswith("-") else []) + [str(value)]
        elif each.name == "out":
            line += ["--out", str(out)]
    line += (
        [str(path)]
        if verb in ("models", "recipes", "runs list")
        else [word for flag in OPTIONAL.get(verb, ()) for word in (flag, str(path))]
    )
    return line


def call(*line: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in line])


def the_line(done: Result) -> str:
    """The only line that tells the error, which is the last one."""
    lines = done.stderr.splitlines()
    assert "Traceback" not in done.output
    assert [line for line in lines if line.startswith(("error", "interrupted"))] == lines[-1:], done.output
    return lines[-1]


@pytest.mark.parametrize("verb", READING)
@pytest.mark.parametrize("kind", ["missing", "file", "empty"])
def test_folders_that_are_none(verb: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "empty").mkdir()
    done = call(*words(verb, tmp_path / kind, tmp_path / "out"))
    if verb == "runs list" and kind == "empty":  # there are none in it
        assert done.exit_code == 0, done.output
        return
    assert done.exit_code == 2, done.output
    if verb != "data" or kind != "empty":
        assert the_line(done)


@pytest.mark.parametrize("verb", READING)
def test_names_that_are_not_utf_8(verb: str, tmp_path: Path) -> None:
    folder = tmp_path / "gr\udcfcn"
    try:
        (folder / "Ri\udcdf").mkdir(parents=True)
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    for name in ("a\udcfc.png", "table\udcfc.csv", "model\udcfc.onnx"):
        (folder / name).write_text("no image")
        (folder / "Ri\udcdf" / name).write_text("no image")
    done = CliRunner().invoke(app, words(verb, folder, tmp_path / "out"))
    assert done.exit_code in (0, 2), done.output
    assert "Traceback" not in done.output
    assert "\udcfc" not in done.output


@pytest.mark.parametrize("verb", WRITING)
def test_an_output_folder_below_a_file(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TyperCommand, "invoke", lambda *_: pytest.fail("worked first"), raising=False)
    (tmp_path / "afile").write_bytes(b"")
    done = call(*words(verb, tmp_path, tmp_path / "afile" / "run"))
    assert done.exit_code == 2
    assert "expected a folder to write, but" in the_line(done)
    assert "afile is a file" in the_line(done)


@pytest.mark.parametrize("verb", WRITING)
def test_object_storage_where_a_path_is_expected(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TyperCommand, "invoke", lambda *_: pytest.fail("worked first"), raising=False)
    if verb == "scan":  # its --out may be there, its bundle not
        line = ["scan", "s3://mill/b", str(tmp_path), "--out", "s3://mill/x/y"]
    else:
        line = words(verb, tmp_path, "s3://mill/x/y")
    done = call(*line)
    assert done.exit_code == 2
    assert "expected a path of this computer; of all verbs `scan` alone reads" in the_line(done)
    assert f"aws s3 sync s3://mill/{'b' if verb == 'scan' else 'x/y'} FOLDER" in the_line(done)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("verb", WRITING)
def test_an_output_folder_that_is_write_protected(verb: str, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    done = call(*words(verb, tmp_path, tmp_path / "locked" / "run"))
    assert done.exit_code == 2
    assert "write-protected" in the_line(done)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("verb", READING)
def test_a_folder_that_cannot_be_read(verb: str, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o000)
    done = call(*words(verb, tmp_path / "locked", tmp_path / "out"))
    (tmp_path / "locked").chmod(0o700)
    assert done.exit_code == 2
    assert the_line(done)


ENDINGS = [
    (BadData("a folder: no sheet"), 2, "BadData: a folder: no sheet"),
    (ParityRefused("two\nlines"), 1, "ParityRefused: two lines"),
    (FileNotFoundError(errno.ENOENT, "No such file", "x.csv"), 2, "x.csv: No such file; check the path"),
    (OSError(errno.ENOSPC, "No space left", "x.csv"), 1, "x.csv: No space left; free space"),
    (UnicodeDecodeError("utf-8", b"\xfc", 0, 1, "invalid start byte"), 2, "expected text or a name in UTF-8"),
    (MemoryError(), 1, "not enough memory"),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 1, "not enough memory"),
    (RecursionError("maximum recursion depth"), 1, "report it with steelsight-error-"),
    (KeyError("colour"), 1, "report it with steelsight-error-"),
    (ModuleNotFoundError("No module named 'torch'", name="torch"), 2, "pip install 'steelsight[lab]'"),
    (KeyboardInterrupt(), 130, "interrupted; every file written so far is complete"),
    (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, ""),
]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(("error", "code", "text"), ENDINGS, ids=lambda each: type(each).__name__)
def test_every_error_ends_in_one_line(
    verb: str, error: BaseException, code: int, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(TyperCommand, "invoke", fail, raising=False)
    done = call(*words(verb, tmp_path / "nowhere", tmp_path / "out"))
    assert done.exit_code == code, done.output
    if not text:
        assert done.output == ""
        return
    assert text in the_line(done)
    assert len(done.stderr.splitlines()) == 1
    reports = list(Path().glob("steelsight-error-*.txt"))
    assert len(reports) == ("steelsight-error-" in the_line(done))
    for report in reports:
        assert "steelsight 0." in report.read_text(encoding="utf-8")
        assert type(error).__name__ in report.read_text(encoding="utf-8")


@pytest.mark.parametrize("asked", [["--traceback"], []])
def test_a_traceback_is_shown_on_request(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not asked:
        monkeypatch.setenv("STEELSIGHT_TRACEBACK", "1")
    done = call(*asked, "data", tmp_path / "nowhere", "--out", tmp_path / "run")
    assert done.exit_code == 2
    assert "Traceback (most recent call last)" in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error BadData: {tmp_path / 'nowhere'}: expected a DATA folder")


def test_a_report_goes_to_the_temporary_folder_where_none_can_be_written_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("colour")

    monkeypatch.setattr(TyperCommand, "invoke", fail, raising=False)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    (tmp_path / "here").rmdir()
    assert str(tmp_path / "steelsight-error-") in the_line(call("bench"))


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_a_reader_that_has_gone(tmp_path: Path) -> None:
    """As in `steelsight data DATA --json | true`."""
    for name in ("good", "crack"):
        (tmp_path / name).mkdir()
        Image.new("L", (64, 48), 90).save(tmp_path / name / "a.png")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", "from steelsight.cli import main; main()", "data", str(tmp_path), "--json"],
        stdout=writing,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    os.close(writing)
    assert done.returncode == 141
    assert b"Broken" not in done.stderr
    assert b"Traceback" not in done.stderr
